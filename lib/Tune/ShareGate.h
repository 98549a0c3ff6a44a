//===- ShareGate.h - shared gates that can be trained -----------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_TUNE_SHAREGATE_H
#define DEEPSHARE_LIB_TUNE_SHAREGATE_H

#include "deepshare/IR/Graph.h"

#include "llvm/ADT/ArrayRef.h"

#include <ATen/core/Tensor.h>

#include <optional>

namespace deepshare::tune {

/// A DReLU node whose step may be smooth.
class TrainedMask {
public:
  explicit TrainedMask(const Node &N);

  /// Noise on x that is drawn anew for each seed.
  struct Noise {
    double Deviation;
    uint64_t Seed;
  };
  /// Phi(Sharpness * x / d), or with Sharpness 0 the bit x > 0. x: the node's input, or its mean over tiles.
  at::Tensor mask(const at::Tensor &X, double Sharpness, std::optional<Noise> OnX = std::nullopt) const;
  /// Measures d, a number a channel, on \p X.
  void measureDeviation(const at::Tensor &X);
  /// [1, C, 1, ...]; undefined until it is measured.
  at::Tensor &deviation() { return Deviation; }

private:
  at::Tensor compared(const at::Tensor &X) const;

  std::vector<int64_t> Block;
  at::Tensor Deviation;
};

/// A DReLUShare node whose free slopes are tensors.
class TrainedShare {
public:
  TrainedShare(const Node &N, at::Device Device);

  /// The node's output from X and masks, which are bits or numbers between 0 and 1.
  at::Tensor apply(llvm::ArrayRef<at::Tensor> Inputs) const;

  /// The free slopes [2, C] (on, off); numbers at places that are not free have no effect.
  at::Tensor &slopes() { return Slopes; }
  uint64_t numFree() const;
  /// The slopes on and off as attributes of the node.
  std::pair<std::vector<float>, std::vector<float>> attributes() const;

private:
  /// [2, C]: the slopes in effect.
  at::Tensor effective() const;

  at::Tensor Slopes;
  at::Tensor Free;   ///< [2, C]: 1 where Slopes counts
  at::Tensor Fixed;  ///< [2, C]: the slope where it does not
  at::Tensor Linear; ///< [C]: 1 where off is on
  at::Tensor MaskIndex;
};

} // namespace deepshare::tune

#endif // DEEPSHARE_LIB_TUNE_SHAREGATE_H
