//===- Ring.cpp - fixed-point arithmetic modulo a power of two ------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Exec/Ring.h"

#include "deepshare/Data/Random.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/MathExtras.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <cmath>

using namespace deepshare;

/// Elements that are worth a thread.
static constexpr int64_t Grain = 16384;
/// Integers of up to this many bits are exact in float64.
static constexpr unsigned ExactBits = 53;

llvm::Error deepshare::checkRing(const RingOptions &Options) {
  if (Options.Bits < 8 || Options.Bits > 64)
    return llvm::createStringError(fmt::format("expected a ring of 8 to 64 bits, got {}", Options.Bits));
  if (2 * Options.Frac + 2 > Options.Bits)
    return llvm::createStringError(fmt::format(
        "a ring of {} bits has no room for products of numbers with {} fractional bits: expected at most {}",
        Options.Bits, Options.Frac, (Options.Bits - 2) / 2));
  return llvm::Error::success();
}

/// The element of [-2^(Bits-1), 2^(Bits-1)) that \p Value is congruent to.
static int64_t wrapped(uint64_t Value, unsigned Bits) {
  unsigned Unused = 64 - Bits;
  return static_cast<int64_t>(Value << Unused) >> Unused;
}

/// Maps every element of a tensor of From; \p F gets the element and its position.
template <typename From, typename To, typename Function>
static at::Tensor mapElements(const at::Tensor &X, at::ScalarType Type, Function F) {
  at::Tensor In = X.contiguous(), Out = at::empty(X.sizes(), at::dtype(Type));
  const From *Read = In.data_ptr<From>();
  To *Write = Out.data_ptr<To>();
  at::parallel_for(0, In.numel(), Grain, [&](int64_t Begin, int64_t End) {
    for (int64_t I = Begin; I < End; ++I)
      Write[I] = F(Read[I], I);
  });
  return Out;
}

template <typename Function> static at::Tensor mapIntegers(const at::Tensor &X, Function F) {
  return mapElements<int64_t, int64_t>(X, at::kLong, F);
}

double Ring::limit() const { return std::ldexp(1.0, static_cast<int>(Options.Bits) - 1); }

at::Tensor Ring::encode(const at::Tensor &Floats) const {
  double Unit = std::ldexp(1.0, static_cast<int>(Options.Frac)), Limit = limit();
  int64_t Greatest = llvm::maxIntN(Options.Bits), Least = llvm::minIntN(Options.Bits);
  return mapElements<double, int64_t>(Floats.to(at::kDouble), at::kLong, [=](double X, int64_t) {
    double Scaled = std::nearbyint(X * Unit);
    if (std::isnan(Scaled))
      return int64_t(0);
    return Scaled >= Limit ? Greatest : Scaled < -Limit ? Least : static_cast<int64_t>(Scaled);
  });
}

at::Tensor Ring::decode(const at::Tensor &Integers) const {
  return Integers.to(at::kDouble).mul_(std::ldexp(1.0, -static_cast<int>(Options.Frac)));
}

at::Tensor Ring::wrap(const at::Tensor &Integers) const {
  if (Options.Bits == 64)
    return Integers;
  return mapIntegers(Integers,
                     [Bits = Options.Bits](int64_t X, int64_t) { return wrapped(static_cast<uint64_t>(X), Bits); });
}

at::Tensor Ring::truncate(const at::Tensor &Integers) {
  unsigned Frac = Options.Frac, Bits = Options.Bits;
  uint64_t First = Drawn, Remainder = llvm::maskTrailingOnes<uint64_t>(Frac),
           Mask = llvm::maskTrailingOnes<uint64_t>(Bits);
  if (Options.Kind == Truncation::Exact)
    return mapIntegers(Integers, [=](int64_t X, int64_t) { return X >> Frac; });
  // A random number belongs to an element's place among all that were truncated.
  Drawn += Integers.numel();
  auto Draw = [Seed = Options.Seed, First](int64_t At) {
    return Random({Seed, First + static_cast<uint64_t>(At)}).next();
  };
  if (Options.Kind == Truncation::Probabilistic)
    return mapIntegers(Integers, [=](int64_t X, int64_t At) {
      uint64_t Sum = (static_cast<uint64_t>(X) & Remainder) + (Draw(At) & Remainder);
      return wrapped(static_cast<uint64_t>(X >> Frac) + (Sum >> Frac), Bits);
    });
  // x = x0 + x1: the first party keeps floor(x0 / 2^f), the second -floor(-x1 / 2^f), and -x1 = x0 - x.
  return mapIntegers(Integers, [=](int64_t X, int64_t At) {
    uint64_t Share = Draw(At) & Mask, Other = (Share - static_cast<uint64_t>(X)) & Mask;
    return wrapped((Share >> Frac) - (Other >> Frac), Bits);
  });
}

uint64_t Ring::countOutside(const at::Tensor &Magnitudes) const {
  at::Tensor In = Magnitudes.contiguous();
  const double *Read = In.data_ptr<double>();
  double Limit = limit();
  return at::parallel_reduce(
      0, In.numel(), Grain, uint64_t(0),
      [&](int64_t Begin, int64_t End, uint64_t Count) {
        for (int64_t I = Begin; I < End; ++I)
          Count += !(Read[I] >= -Limit && Read[I] < Limit);
        return Count;
      },
      std::plus<>());
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

/// The least b with |x| <= 2^b for all elements.
static unsigned bitsOf(const at::Tensor &X) {
  if (X.numel() == 0)
    return 0;
  auto [Least, Greatest] = at::aminmax(X);
  // ~x is -x - 1, which has no overflow.
  int64_t Low = Least.item<int64_t>(), High = Greatest.item<int64_t>();
  uint64_t Largest = std::max<uint64_t>(Low < 0 ? ~Low : Low, High < 0 ? ~High : High);
  return llvm::Log2_64_Ceil(Largest + 1);
}

/// Splits \p X into \p Bits-bit limbs in [-2^(Bits-1), 2^(Bits-1)), the lowest first: X = sum of limb i * 2^(i*Bits).
static llvm::SmallVector<at::Tensor, 4> splitLimbs(at::Tensor X, unsigned Bits) {
  llvm::SmallVector<at::Tensor, 4> Limbs;
  do {
    Limbs.push_back(mapElements<int64_t, double>(X, at::kDouble, [=](int64_t V, int64_t) {
      return static_cast<double>(wrapped(static_cast<uint64_t>(V), Bits));
    }));
    // What a negative limb took away is carried.
    X = mapIntegers(X, [=](int64_t V, int64_t) { return (V >> Bits) + ((V >> (Bits - 1)) & 1); });
  } while (X.numel() > 0 && at::any(X).item<bool>());
  return Limbs;
}

Ring::Product Ring::multiply(const at::Tensor &X, const at::Tensor &Y, int64_t Summands,
                             llvm::function_ref<at::Tensor(const at::Tensor &, const at::Tensor &)> F) const {
  unsigned SumBits = llvm::Log2_64_Ceil(std::max<int64_t>(Summands, 1));
  if (bitsOf(X) + bitsOf(Y) + SumBits <= ExactBits) {
    at::Tensor Result = F(X.to(at::kDouble), Y.to(at::kDouble));
    return {wrap(Result.to(at::kLong)), Result};
  }
  // Limbs are at most 2^(b-1), so that sums are at most 2^(2b - 2 + SumBits).
  TORCH_CHECK(SumBits + 6 <= ExactBits, "sums of ", Summands, " products are too long to be exact");
  unsigned Bits = (ExactBits + 2 - SumBits) / 2;
  llvm::SmallVector<at::Tensor, 4> Left = splitLimbs(X, Bits), Right = splitLimbs(Y, Bits);
  Product Sum;
  for (unsigned I = 0; I < Left.size(); ++I)
    for (unsigned J = 0; J < Right.size(); ++J) {
      at::Tensor Part = F(Left[I], Right[J]);
      unsigned Shift = (I + J) * Bits;
      at::Tensor Integers = mapElements<double, int64_t>(Part, at::kLong, [=](double V, int64_t) {
        return Shift < 64 ? static_cast<int64_t>(static_cast<uint64_t>(static_cast<int64_t>(V)) << Shift) : 0;
      });
      at::Tensor Magnitudes = Part * std::ldexp(1.0, static_cast<int>(Shift));
      Sum.Integers = Sum.Integers.defined() ? Sum.Integers + Integers : Integers;
      Sum.Magnitudes = Sum.Magnitudes.defined() ? Sum.Magnitudes + Magnitudes : Magnitudes;
    }
  Sum.Integers = wrap(Sum.Integers);
  return Sum;
}
