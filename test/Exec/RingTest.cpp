//===- RingTest.cpp - fixed-point arithmetic modulo a power of two --------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Exec/Ring.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

using namespace deepshare;

/// Uniform elements of a ring of \p Bits bits, shifted down so that \p Small of them are copies of the sign.
static at::Tensor randomElements(at::IntArrayRef Shape, unsigned Bits, unsigned Small, uint64_t Seed) {
  std::mt19937_64 Engine(Seed);
  at::Tensor T = at::empty(Shape, at::kLong);
  for (int64_t I = 0; I < T.numel(); ++I)
    T.data_ptr<int64_t>()[I] = static_cast<int64_t>(Engine()) >> (64 - Bits + Small);
  return T;
}

static int64_t wrapped(uint64_t Value, unsigned Bits) {
  return static_cast<int64_t>(Value << (64 - Bits)) >> (64 - Bits);
}

static at::Tensor repeated(int64_t Value, int64_t Count) { return at::full({Count}, Value, at::kLong); }

TEST(Ring, RefusesRingsWithoutRoomForAProduct) {
  auto MessageOf = [](unsigned Bits, unsigned Frac) { return llvm::toString(checkRing({.Bits = Bits, .Frac = Frac})); };
  EXPECT_EQ(MessageOf(64, 31), "");
  EXPECT_EQ(MessageOf(32, 15), "");
  EXPECT_EQ(MessageOf(32, 16),
            "a ring of 32 bits has no room for products of numbers with 16 fractional bits: expected "
            "at most 15");
  EXPECT_EQ(MessageOf(128, 16), "expected a ring of 8 to 64 bits, got 128");
}

TEST(Ring, EncodesToTheNearestUnitAndSaturates) {
  Ring R({.Bits = 32, .Frac = 10});
  double Infinity = std::numeric_limits<double>::infinity();
  at::Tensor X = at::tensor({1.0, -1.0, 0.0004, 0.0006, 1e9, -1e9, Infinity, std::nan("")}, at::kDouble);
  at::Tensor Expected = at::tensor({int64_t(1024), int64_t(-1024), int64_t(0), int64_t(1), (int64_t(1) << 31) - 1,
                                    -(int64_t(1) << 31), (int64_t(1) << 31) - 1, int64_t(0)});
  EXPECT_TRUE(at::equal(R.encode(X), Expected));
  EXPECT_EQ(R.decode(repeated(-1536, 1)).item<double>(), -1.5);
  EXPECT_EQ(R.countOutside(at::tensor({0x1p31, -0x1p31, -0x1p31 - 1, 0.0, std::nan("")}, at::kDouble)), 3u);
}

TEST(Ring, ExactTruncationIsFloorDivision) {
  for (unsigned Bits : {64u, 32u, 20u}) {
    Ring R({.Bits = Bits, .Frac = 7, .Kind = Truncation::Exact});
    at::Tensor X = randomElements({1000}, Bits, 0, Bits);
    at::Tensor Y = R.truncate(X);
    for (int64_t I = 0; I < X.numel(); ++I) {
      int64_t In = X.data_ptr<int64_t>()[I], Quotient = In / 128;
      EXPECT_EQ(Y.data_ptr<int64_t>()[I], Quotient - (In % 128 < 0)) << In;
    }
  }
}

TEST(Ring, ProbabilisticTruncationIsUnbiasedAndWithinAUnit) {
  constexpr int64_t Count = 100000;
  for (int64_t In : {int64_t(1000003), int64_t(-1000003), int64_t(65536), int64_t(1) << 62, int64_t(0)}) {
    Ring R({.Bits = 64, .Frac = 16, .Kind = Truncation::Probabilistic, .Seed = 3});
    at::Tensor Y = R.truncate(repeated(In, Count));
    int64_t Floor = In >> 16;
    double Fraction = static_cast<double>(In & 0xffff) / 0x1p16;
    at::Tensor IsUp = at::eq(Y, Floor + 1);
    EXPECT_TRUE(at::logical_or(IsUp, at::eq(Y, Floor)).all().item<bool>());
    // Five standard deviations of a mean of Count bits.
    EXPECT_NEAR(IsUp.to(at::kDouble).mean().item<double>(), Fraction,
                5 * std::sqrt(Fraction * (1 - Fraction) / Count) + 1e-12);
  }
}

TEST(Ring, LocalTruncationErrsByAUnitOrRarelyByAWrap) {
  constexpr int64_t Count = 200000;
  constexpr unsigned Bits = 24, Frac = 6;
  for (int64_t In : {int64_t(1) << 20, -(int64_t(1) << 20), int64_t(777), int64_t(0)}) {
    Ring R({.Bits = Bits, .Frac = Frac, .Kind = Truncation::Local, .Seed = 1});
    at::Tensor Error = R.truncate(repeated(In, Count)) - (In >> Frac);
    at::Tensor IsClose = at::le(at::abs(Error), 1);
    double Rate = 1 - IsClose.to(at::kDouble).mean().item<double>(), Expected = std::abs(In) / 0x1p24;
    EXPECT_NEAR(Rate, Expected, 5 * std::sqrt(Expected * (1 - Expected) / Count) + 1e-12) << In;
    // A wrap moves the result by 2^(Bits - Frac), towards the other sign.
    at::Tensor Wrapped = at::masked_select(Error, at::logical_not(IsClose));
    int64_t Jump = (In > 0 ? -1 : 1) * (int64_t(1) << (Bits - Frac));
    EXPECT_TRUE(at::le(at::abs(Wrapped - Jump), 1).all().item<bool>()) << In;
  }
}

TEST(Ring, SeedsMakeTruncationsRepeatable) {
  at::Tensor X = randomElements({50000}, 64, 20, 1);
  auto Truncated = [&](uint64_t Seed) {
    Ring R({.Kind = Truncation::Probabilistic, .Seed = Seed});
    at::Tensor First = R.truncate(X);
    return std::pair(First, R.truncate(X));
  };
  auto [First, Second] = Truncated(7);
  EXPECT_FALSE(at::equal(First, Second));
  auto [Again, SecondAgain] = Truncated(7);
  EXPECT_TRUE(at::equal(First, Again) && at::equal(Second, SecondAgain));
  EXPECT_FALSE(at::equal(First, Truncated(8).first));
}

TEST(Ring, MatrixProductsAreExactModuloTheRing) {
  constexpr int64_t M = 5, K = 700, N = 6;
  for (unsigned Bits : {64u, 32u, 40u})
    for (unsigned Small : {0u, Bits / 2, Bits - 6}) {
      at::Tensor X = randomElements({M, K}, Bits, Small, Bits), Y = randomElements({K, N}, Bits, Small, Bits + 1);
      // The extremes, whose limbs carry the furthest.
      X[0].fill_(wrapped(uint64_t(1) << (Bits - 1), Bits));
      X[1].fill_(wrapped((uint64_t(1) << (Bits - 1)) - 1, Bits));
      Ring::Product P = Ring({.Bits = Bits, .Frac = 3}).multiply(X, Y, K, at::mm);
      for (int64_t I = 0; I < M; ++I)
        for (int64_t J = 0; J < N; ++J) {
          uint64_t Sum = 0;
          double Magnitude = 0, Terms = 0;
          for (int64_t Inner = 0; Inner < K; ++Inner) {
            int64_t A = X[I].data_ptr<int64_t>()[Inner], B = Y.data_ptr<int64_t>()[Inner * N + J];
            Sum += static_cast<uint64_t>(A) * static_cast<uint64_t>(B);
            Magnitude += static_cast<double>(A) * static_cast<double>(B);
            Terms += std::abs(static_cast<double>(A) * static_cast<double>(B));
          }
          EXPECT_EQ(P.Integers[I][J].item<int64_t>(), wrapped(Sum, Bits)) << Bits << " bits, " << Small << " unused";
          EXPECT_NEAR(P.Magnitudes[I][J].item<double>(), Magnitude, 1e-12 * Terms);
        }
    }
}

TEST(Ring, ConvolutionsAreExactModuloTheRing) {
  constexpr int64_t C = 3, Size = 6, Out = 4;
  at::Tensor X = randomElements({2, C, Size, Size}, 64, 0, 1), W = randomElements({Out, C, 3, 3}, 64, 0, 2);
  auto Conv = [](const at::Tensor &A, const at::Tensor &B) { return at::conv2d(A, B, {}, 1, 1); };
  at::Tensor Y = Ring({}).multiply(X, W, C * 9, Conv).Integers;
  for (int64_t Image = 0; Image < 2; ++Image)
    for (int64_t O = 0; O < Out; ++O)
      for (int64_t Row = 0; Row < Size; ++Row)
        for (int64_t Column = 0; Column < Size; ++Column) {
          uint64_t Sum = 0;
          for (int64_t In = 0; In < C; ++In)
            for (int64_t A = 0; A < 3; ++A)
              for (int64_t B = 0; B < 3; ++B) {
                int64_t R = Row + A - 1, S = Column + B - 1;
                if (R >= 0 && R < Size && S >= 0 && S < Size)
                  Sum += static_cast<uint64_t>(X[Image][In][R][S].item<int64_t>()) *
                         static_cast<uint64_t>(W[O][In][A][B].item<int64_t>());
              }
          EXPECT_EQ(Y[Image][O][Row][Column].item<int64_t>(), static_cast<int64_t>(Sum));
        }
}
