//===- LeastSquares.h - ridge regression from normal equations --*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_TUNE_LEASTSQUARES_H
#define DEEPSHARE_LIB_TUNE_LEASTSQUARES_H

#include <ATen/ATen.h>

namespace deepshare {

/// Sums of a regression of targets T [rows, outputs] on inputs A [rows, features], in double.
struct NormalEquations {
  at::Tensor Gram;    ///< A'A
  at::Tensor Cross;   ///< A'T
  at::Tensor Targets; ///< sum of T, by output
  double SquaredTargets = 0;
  double Rows = 0;

  NormalEquations(int64_t Features, int64_t Outputs);
  /// Bytes that fitRidge() takes in all: the sums of both sets and of all rows, the penalised matrix and its factor.
  static uint64_t memoryToFit(uint64_t Features, uint64_t Outputs) {
    return sizeof(double) * (6 * Features * Features + 6 * Features * Outputs);
  }
  void add(const at::Tensor &A, const at::Tensor &T);
  NormalEquations operator+(const NormalEquations &Other) const;
  /// Summed squared error of the weights \p W [features, outputs].
  double error(const at::Tensor &W) const;
  /// Summed squared deviation of the targets from their means.
  double variance() const;
};

struct RidgeFit {
  at::Tensor Weights; ///< [features, outputs], float; those so far if no fit was better
  double ErrorBefore; ///< on the held-out rows, over the variance of their targets
  double ErrorAfter;
  double Ridge; ///< 0 if no fit was better
};

/// Chooses the ridge on \p HeldOut, then fits on all rows. With \p HasBias the last feature is the constant 1, which is
/// not penalised.
RidgeFit fitRidge(const NormalEquations &Train, const NormalEquations &HeldOut, const at::Tensor &Current,
                  bool HasBias);

} // namespace deepshare

#endif // DEEPSHARE_LIB_TUNE_LEASTSQUARES_H
