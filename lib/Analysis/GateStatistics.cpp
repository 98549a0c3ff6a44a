//===- GateStatistics.cpp - best gates from moments -----------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// With x the input, d_r the channel's own bit and d_p the bit that drives it, the original output is
// y = x * (Off + (On-Off) d_r). The moments give every sum that the least squares need:
//
//   sum w y^2          = Off^2 (S-R) + On^2 R   =: E
//   sum w x y d_p      = Off M + (On-Off) A     =: T1
//   sum w x y (1-d_p)  = Off (S-M) + (On-Off) (R-A) =: T0
//
// The two halves d_p = 1 and d_p = 0 are fitted apart: slopes T1/M and T0/(S-M), and E - T1^2/M - T0^2/(S-M) is left.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Analysis/GateStatistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

using namespace deepshare;

namespace {
struct Sums {
  double E, T1, T0;
};
} // namespace

static Sums sumsOf(double S, double R, double M, double A, double On, double Off) {
  return {Off * Off * (S - R) + On * On * R, Off * M + (On - Off) * A, Off * (S - M) + (On - Off) * (R - A)};
}

/// Slope T / Half; 0 where the half has no weight but rounding.
static double slope(double T, double Half, double S) { return Half > 1e-9 * S ? T / Half : 0; }

AffineGate deepshare::fitAffine(double S, double R, double M, double A, double On, double Off) {
  Sums Y = sumsOf(S, R, M, A, On, Off);
  AffineGate Gate{slope(Y.T1, M, S), slope(Y.T0, S - M, S), 0};
  Gate.Loss = std::max(0.0, Y.E - Gate.On * Y.T1 - Gate.Off * Y.T0);
  return Gate;
}

AffineGate deepshare::fitScaled(double S, double R, double M, double A, double On, double Off) {
  Sums Y = sumsOf(S, R, M, A, On, Off);
  double Size = slope(std::abs(Y.T1) + std::abs(Y.T0), S, S);
  AffineGate Best{std::copysign(Size, Y.T1), std::copysign(Size, Y.T0), 0};
  double Fall = Best.On * Y.T1 + Best.Off * Y.T0;
  for (AffineGate Half : {AffineGate{slope(Y.T1, M, S), 0, 0}, AffineGate{0, slope(Y.T0, S - M, S), 0}})
    if (double HalfFall = Half.On * Y.T1 + Half.Off * Y.T0; HalfFall >= Fall) {
      Fall = HalfFall;
      Best = Half;
    }
  Best.Loss = std::max(0.0, Y.E - Fall);
  return Best;
}

double deepshare::gateLoss(double S, double R, double M, double A, double NewOn, double NewOff, double On, double Off) {
  Sums Y = sumsOf(S, R, M, A, On, Off);
  return std::max(0.0, Y.E - 2 * NewOn * Y.T1 - 2 * NewOff * Y.T0 + NewOn * NewOn * M + NewOff * NewOff * (S - M));
}

AffineGate deepshare::fitLinear(double S, double R, double On, double Off) {
  double Y = Off * S + (On - Off) * R;
  double B = S > 0 ? Y / S : 0;
  return {B, B, std::max(0.0, Off * Off * (S - R) + On * On * R - B * Y)};
}

AverageFit deepshare::fitAverage(const PoolMoments &Pool) {
  AverageFit Fit{{}, 0};
  for (size_t C = 0; C < Pool.MaxMax.size(); ++C) {
    double Best = Pool.AverageAverage[C] > 0 ? Pool.MaxAverage[C] / Pool.AverageAverage[C] : 0;
    float Scale = Best > 0 ? float(Best) : 1.0f;
    Fit.Scale.push_back(Scale);
    Fit.Loss +=
        std::max(0.0, Pool.MaxMax[C] - 2 * Scale * Pool.MaxAverage[C] + double(Scale) * Scale * Pool.AverageAverage[C]);
  }
  return Fit;
}

std::string deepshare::describe(const GateStatistics &Statistics, uint64_t Seed) {
  std::string Text = fmt::format("{} images, seed {}", Statistics.Images, Seed);
  if (Statistics.LeftOut)
    Text += fmt::format(", {} pairs of channels left out for want of memory", Statistics.LeftOut);
  if (!Statistics.WeightedBy.empty())
    Text += fmt::format(", weighted by '{}' since the softmax of the outputs is saturated", Statistics.WeightedBy);
  return Text;
}
