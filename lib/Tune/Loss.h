//===- Loss.h - what training makes small -----------------------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_TUNE_LOSS_H
#define DEEPSHARE_LIB_TUNE_LOSS_H

#include "Network.h"

#include "deepshare/Data/BatchLoader.h"

namespace deepshare::tune {

/// The loss of a batch (Training.h says which); \p Teacher may be null if it has no weight. Throws what ATen throws.
at::Tensor trainingLoss(const NetworkOutput &Model, const NetworkOutput *Teacher, const Batch &Images,
                        const TrainingOptions &Options);

/// T^2 * KL(teacher || model) of logits, T = \p Temperature, summed over axis 1 and a mean over the rest. Throws what
/// ATen throws.
at::Tensor divergence(const at::Tensor &Model, const at::Tensor &Teacher, double Temperature);

/// Squared error over the variance of \p Target.
at::Tensor relativeError(const at::Tensor &Model, const at::Tensor &Target);

/// How many of the predictions (images, or positions of them) are as \p Expected says: logits of the same shape, or
/// labels [N,...] without the axis of classes. Also how many there are; positions without a label do not count.
std::pair<uint64_t, uint64_t> countCorrect(const at::Tensor &Logits, const at::Tensor &Expected);

} // namespace deepshare::tune

#endif // DEEPSHARE_LIB_TUNE_LOSS_H
