//===- Polarizer.h - gates that a training gives up -------------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Each gate that may be given up, of price c, has a score s, and its mask m becomes
//   q + p (m - q),   p = sigmoid((s - tau) / w),
// q a number in the bit's place. tau is solved for in every step, so that the summed c p is what that step allows.
// Scores start equal and are learned like weights. That tau depends on all of them is a part of their gradient:
// d tau / d s_j = c_j p'_j / sum c p', with p' = p (1 - p) / w. So a score rises where its gate is worth more than what
// its price buys elsewhere. While the training goes on, the budget falls to its target and w to almost 0, which drives
// every p to 0 or 1: gates polarise (after GDP's gates for pruning; Guo et al., ICCV 2021).
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_TUNE_POLARIZER_H
#define DEEPSHARE_LIB_TUNE_POLARIZER_H

#include "deepshare/Tune/Training.h"

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace deepshare::tune {

/// The gates of a training that may be given up.
class Polarizer {
public:
  Polarizer(const Polarization &Gates, at::Device Device);

  /// Takes the fractions of \p M that are open for the levels q. \p M: bits [N, C, ...] of mask number \p Mask.
  void measureLevels(size_t Mask, const at::Tensor &M);
  /// To be called before a run: \p Done is the fraction of the training's steps that are done.
  void setProgress(double Done);
  /// The mask \p M, bits or numbers, as it is in this run.
  at::Tensor apply(size_t Mask, const at::Tensor &M) const;

  at::Tensor &scores() { return Scores; }
  at::Tensor &levels() { return Levels; }
  /// Which gates stay: those of the highest scores that fit into the target together.
  std::vector<std::vector<PolarizedGate>> result() const;

private:
  at::Tensor slice(const at::Tensor &Of, size_t Mask, int64_t Rank) const;
  double solveForThreshold(double Budget, double Width) const;

  std::vector<std::string> Names; ///< of the masks, for messages
  std::vector<int64_t> Offsets;   ///< of each mask's gates among all; the last is their number
  std::vector<double> Prices;
  double Target;
  at::Tensor RelativePrices; ///< [gates], over their mean
  at::Tensor Scores, Levels; ///< [gates]
  at::Tensor Kept;           ///< [gates]: p, with gradients for Scores
};

} // namespace deepshare::tune

#endif // DEEPSHARE_LIB_TUNE_POLARIZER_H
