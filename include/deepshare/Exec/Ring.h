//===- Ring.h - fixed-point arithmetic modulo a power of two ----*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Protocols for private inference compute on integers modulo 2^l in two's complement: a number x is round(x * 2^f), f
// being the fractional bits. A product has 2f of them, and a truncation brings it back to f. This is the arithmetic
// alone, without shares, so that a model's answers under a protocol can be had without its cost.
//
// Integers are int64 tensors whose elements are in [-2^(l-1), 2^(l-1)).
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_EXEC_RING_H
#define DEEPSHARE_EXEC_RING_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace deepshare {

/// How 2f fractional bits become f.
enum class Truncation {
  /// floor(x / 2^f): an arithmetic shift.
  Exact,
  /// floor(x / 2^f), or one more with the probability of the remainder, frac(x / 2^f). Unbiased, off by less than one
  /// unit (Escudero, Ghosh, Keller, Rachuri, Scholl, CRYPTO 2020; ABY3's and CHEETAH's behave like it).
  Probabilistic,
  /// Each of two parties shifts its own random share (Mohassel and Zhang, SecureML, IEEE S&P 2017, theorem 1): off by
  /// at
  /// most one unit, but with probability |x| / 2^l off by 2^(l-f).
  Local,
};

struct RingOptions {
  /// l: the ring has 2^l elements; 8 to 64.
  unsigned Bits = 64;
  /// f: a unit is 2^-f.
  unsigned Frac = 16;
  Truncation Kind = Truncation::Probabilistic;
  /// Of the random numbers of truncations: the same seed gives the same answers, whatever the number of threads.
  uint64_t Seed = 0;
};

/// An error unless the ring has 8 to 64 bits and room for a product: a sign and a bit above 2f fractional ones.
llvm::Error checkRing(const RingOptions &Options);

/// Arithmetic in one ring. Tensors of other types than those named, or shapes that do not fit, raise c10::Error.
class Ring {
public:
  explicit Ring(const RingOptions &Options) : Options(Options) {}

  const RingOptions &options() const { return Options; }
  /// 2^(l-1): magnitudes from here on leave the ring.
  double limit() const;

  /// round(x * 2^f) of floats, halves to even. What leaves the ring becomes its greatest or least element, NaN 0.
  at::Tensor encode(const at::Tensor &Floats) const;
  /// x / 2^f in float64; exact below 2^53 units.
  at::Tensor decode(const at::Tensor &Integers) const;
  /// Any int64 modulo 2^l.
  at::Tensor wrap(const at::Tensor &Integers) const;
  /// x / 2^f, as Options.Kind says.
  at::Tensor truncate(const at::Tensor &Integers);
  /// How many of \p Magnitudes (float64, in units) leave the ring.
  uint64_t countOutside(const at::Tensor &Magnitudes) const;

  struct Product {
    at::Tensor Integers;   ///< modulo 2^l
    at::Tensor Magnitudes; ///< as they would be without a modulus, in float64
  };
  /// F(X, Y) for a bilinear F, such as a matrix product or a convolution, that is given as a function of float64
  /// tensors and adds at most \p Summands products of two elements for one of its own. Exact modulo 2^l: operands are
  /// split into limbs so short that all sums are integers below 2^53, which float64 adds without an error.
  Product multiply(const at::Tensor &X, const at::Tensor &Y, int64_t Summands,
                   llvm::function_ref<at::Tensor(const at::Tensor &, const at::Tensor &)> F) const;

private:
  RingOptions Options;
  /// Random numbers drawn so far.
  uint64_t Drawn = 0;
};

} // namespace deepshare

#endif // DEEPSHARE_EXEC_RING_H
