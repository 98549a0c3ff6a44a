//===- Renormalization.h - folded normalisation, opened again ---*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// A network whose BatchNormalization was folded into its convolutions is hard to train: a step that suits one layer is
// too large for the next. While it is trained, a convolution's output z (bias b included) becomes
//   y = gamma * (z - mean) / sqrt(var + eps) + beta
// with the batch's statistics, as it was when the network was made. gamma and beta start at sqrt(var + eps) and mean,
// so that nothing changes; at the end all of it is folded into the weights again:
//   w := w * gamma / sqrt(var + eps),   b := (b - mean) * gamma / sqrt(var + eps) + beta.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_TUNE_RENORMALIZATION_H
#define DEEPSHARE_LIB_TUNE_RENORMALIZATION_H

#include "deepshare/IR/Model.h"

#include "llvm/Support/Error.h"

#include <ATen/core/Tensor.h>

namespace deepshare::tune {

/// One convolution with its normalisation open.
class OpenNormalization {
public:
  /// Whether \p N is a Conv whose constant weight and bias nothing else uses, and whose output no normalisation
  /// follows.
  static bool fits(const Node &N);
  OpenNormalization(Node &N, at::Device Device);

  Node &node() const { return N; }
  /// Starts from the statistics of \p Z, the output for some images: the normalisation then changes nothing.
  void start(const at::Tensor &Z);
  at::Tensor apply(const at::Tensor &Z, bool Training) const;
  /// The weight and bias to store, for the weight \p Weight that was trained.
  std::pair<at::Tensor, at::Tensor> folded(const at::Tensor &Weight) const;

  // [C] each, defined after the constructor.
  at::Tensor Gamma, Beta, Mean, Variance;

private:
  Node &N;
  at::Tensor Bias;
};

} // namespace deepshare::tune

#endif // DEEPSHARE_LIB_TUNE_RENORMALIZATION_H
