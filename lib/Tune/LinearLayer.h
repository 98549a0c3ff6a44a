//===- LinearLayer.h - a linear layer as a regression -----------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_TUNE_LINEARLAYER_H
#define DEEPSHARE_LIB_TUNE_LINEARLAYER_H

#include "LeastSquares.h"

#include "deepshare/IR/Graph.h"

#include "llvm/Support/Error.h"

#include <optional>
#include <utility>

namespace deepshare {

/// A Conv, ConvTranspose, Gemm or MatMul with constant float weights, seen as z = A w for each of its groups.
class LinearLayer {
public:
  /// The layer of \p N, or nothing if it is none that can be re-fitted: Conv and ConvTranspose with 1 to 3 spatial axes
  /// and explicit pads, Gemm with alpha = beta = 1 and no transposed input, MatMul by a matrix.
  static std::optional<LinearLayer> match(Node &N);

  int64_t groups() const { return Groups; }
  /// Columns of A, the constant 1 (if hasBias()) included.
  int64_t features() const { return Weights.size(1) + (HasBias ? 1 : 0); }
  /// Outputs of one group.
  int64_t outputs() const { return Weights.size(0) / Groups; }
  /// MatMul has no bias; the others are given one.
  bool hasBias() const { return HasBias; }

  /// Rows of A and of the targets for one batch; at most \p MaxRows, positions drawn with \p Seed.
  std::pair<at::Tensor, at::Tensor> rows(int64_t Group, const at::Tensor &Input, const at::Tensor &Wanted,
                                         int64_t MaxRows, uint64_t Seed) const;
  /// The weights of a group, [features, outputs].
  at::Tensor weights(int64_t Group) const;
  void setWeights(int64_t Group, const at::Tensor &W);
  /// Writes the weights back to the node of \p G.
  llvm::Error store(Graph &G);

private:
  std::pair<at::Tensor, at::Tensor> convRows(int64_t Group, at::Tensor Input, at::Tensor Wanted, int64_t MaxRows,
                                             uint64_t Seed) const;

  Node *N = nullptr;
  /// [outputs, features of one group without the bias]; those of a ConvTranspose as the Conv's that does the same on
  /// its input spread out.
  at::Tensor Weights;
  at::Tensor Bias; ///< [outputs]
  bool HasBias = true;
  int64_t Groups = 1;
};

} // namespace deepshare

#endif // DEEPSHARE_LIB_TUNE_LINEARLAYER_H
