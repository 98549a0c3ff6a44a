//===- NumberSystem.h - floats and ring elements ----------------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Operators that compare are written once, against a NumberSystem, so that a run in floats and one in a ring compare
// the same differences in the same order.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_EXEC_NUMBERSYSTEM_H
#define DEEPSHARE_LIB_EXEC_NUMBERSYSTEM_H

#include "OpContext.h"

#include "deepshare/Exec/Ring.h"

#include <cmath>
#include <functional>

namespace deepshare::exec {

class NumberSystem {
public:
  virtual ~NumberSystem() = default;

  /// Magnitudes from here on have no number.
  virtual double limit() const = 0;
  /// Whether everybody knows \p T, floats that are no numbers of this system yet.
  virtual bool isKnown(const at::Tensor &T) const = 0;
  /// A node's input or a constant as numbers.
  virtual at::Tensor numbers(const at::Tensor &T) = 0;
  virtual at::Tensor add(const at::Tensor &A, const at::Tensor &B) = 0;
  virtual at::Tensor subtract(const at::Tensor &A, const at::Tensor &B) = 0;
  /// X * Y element by element.
  virtual at::Tensor multiply(const at::Tensor &X, const at::Tensor &Y) = 0;
  /// X * Factor, floats that everybody knows. An integer costs no truncation.
  virtual at::Tensor scale(const at::Tensor &X, const at::Tensor &Factor) = 0;

  /// X > 0 as a secure comparison, which \p Compared sees.
  at::Tensor isPositive(const at::Tensor &X) {
    if (Compared)
      Compared(X);
    return at::gt(X, 0);
  }
  /// A constant.
  at::Tensor number(double Value) { return numbers(at::scalar_tensor(Value, at::dtype(at::kFloat))); }

  std::function<void(const at::Tensor &Numbers)> Compared;
};

/// Float32.
class FloatNumbers : public NumberSystem {
public:
  /// \p Limit is that of the ring that this run is compared with.
  explicit FloatNumbers(double Limit) : Limit(Limit) {}

  double limit() const override { return Limit; }
  bool isKnown(const at::Tensor &T) const override { return true; }
  at::Tensor numbers(const at::Tensor &T) override { return T.to(at::kFloat); }
  at::Tensor add(const at::Tensor &A, const at::Tensor &B) override { return at::add(A, B); }
  at::Tensor subtract(const at::Tensor &A, const at::Tensor &B) override { return at::sub(A, B); }
  at::Tensor multiply(const at::Tensor &X, const at::Tensor &Y) override { return at::mul(X, Y); }
  at::Tensor scale(const at::Tensor &X, const at::Tensor &Factor) override { return at::mul(X, Factor.to(at::kFloat)); }

private:
  double Limit;
};

/// Ring elements, int64. Between nodes they travel as float64 tensors of the same bits, so that the kernels that only
/// move elements serve them as they are, and what is floating but not float64 is known in the clear.
class RingNumbers : public NumberSystem {
public:
  explicit RingNumbers(const RingOptions &Options) : R(Options) {}

  static bool isCarrier(const at::Tensor &T) { return T.defined() && T.scalar_type() == at::kDouble; }
  static at::Tensor carrier(const at::Tensor &Integers) { return Integers.view(at::kDouble); }
  /// The integers of a carrier.
  static at::Tensor integers(const at::Tensor &Carrier) { return Carrier.view(at::kLong); }

  const Ring &ring() const { return R; }
  double limit() const override { return std::ldexp(R.limit(), -static_cast<int>(R.options().Frac)); }
  bool isKnown(const at::Tensor &T) const override { return !isCarrier(T); }
  /// A carrier's integers; anything else is encoded.
  at::Tensor numbers(const at::Tensor &T) override { return isCarrier(T) ? integers(T) : encode(T); }
  at::Tensor add(const at::Tensor &A, const at::Tensor &B) override;
  at::Tensor subtract(const at::Tensor &A, const at::Tensor &B) override;
  at::Tensor multiply(const at::Tensor &X, const at::Tensor &Y) override;
  at::Tensor scale(const at::Tensor &X, const at::Tensor &Factor) override;
  /// The same, without a truncation where \p IsFree (bool, broadcast): there the factor has to be an integer.
  at::Tensor scale(const at::Tensor &X, const at::Tensor &Factor, const at::Tensor &IsFree);
  /// Ring::multiply, truncated.
  at::Tensor product(const at::Tensor &X, const at::Tensor &Y, int64_t Summands,
                     llvm::function_ref<at::Tensor(const at::Tensor &, const at::Tensor &)> F);
  /// Integers that were added or multiplied, brought back into the ring; \p Magnitudes are the same in float64.
  at::Tensor settle(const at::Tensor &Integers, const at::Tensor &Magnitudes);
  at::Tensor encode(const at::Tensor &Floats) const { return R.encode(Floats); }

  /// Told how many of a node's elements left the ring.
  std::function<void(uint64_t Outside, uint64_t Elements)> Settled;

private:
  Ring R;
};

} // namespace deepshare::exec

#endif // DEEPSHARE_LIB_EXEC_NUMBERSYSTEM_H
