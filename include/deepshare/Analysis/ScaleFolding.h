//===- ScaleFolding.h - where a channel's scale can go -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// A gate with slopes s*t, t in {0, 1, -1} and s > 0 for each channel, needs no product where s can be a part of weights
// beside it:
//
//   Y = gate(X), slopes s*t;  Z = Conv(Y, W)   =>   Y' = gate(X), slopes t;  Z = Conv(Y', W * s)        behind it
//   X = Conv(V, W, b);  Y = gate(X), slopes s*t   =>   X' = Conv(V, s * W, s * b);  Y = gate(X'), slopes t   before it
//
// The second keeps every bit, X' > 0 where X > 0.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_ANALYSIS_SCALEFOLDING_H
#define DEEPSHARE_ANALYSIS_SCALEFOLDING_H

#include "deepshare/IR/Graph.h"

#include "llvm/ADT/SmallVector.h"

namespace deepshare {

/// A linear layer whose weights can take the scales of a gate's channels.
struct ScalableLayer {
  Node *Layer;
  bool IsBefore;    ///< its output channels are the gate's, else its input channels
  int64_t Elements; ///< consecutive channels of the layer for one of the gate: positions, behind a Flatten
};

/// The layers that together can take a positive scale of each channel (axis 1) of what \p Gate computes, so that
/// nothing else of the model changes; empty if there are none. \p Gate is a gate y = x * slope(x > 0), a DReLUShare, a
/// product by a constant, or a MaxPool. Either
///  1. all that uses its output, directly or behind MaxPool, AveragePool, GlobalMaxPool, GlobalAveragePool, a
///     product by a constant, Flatten, or Reshape to a matrix, are linear layers with constant weights; or
///  2. its input comes from one such layer, with a constant bias if any, and only the gate, and comparisons with zero
///     that share the gate's bits, use it. Not for a MaxPool.
/// Never where a value on the way is an output of the graph or used in a subgraph. What holds for a gate holds for what
/// share-gates puts in its place.
llvm::SmallVector<ScalableLayer, 2> findScalableLayers(const Node &Gate);

} // namespace deepshare

#endif // DEEPSHARE_ANALYSIS_SCALEFOLDING_H
