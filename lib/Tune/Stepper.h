//===- Stepper.h - runs a graph node by node on many batches ----*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_TUNE_STEPPER_H
#define DEEPSHARE_LIB_TUNE_STEPPER_H

#include "deepshare/IR/Model.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/Support/Error.h"

#include <ATen/ATen.h>

#include <vector>

namespace deepshare {

/// Runs the main graph of a model one node after the other, each on all batches, so that a caller can change a node
/// just before it runs. A value is released after its last use, unless it is pinned.
class Stepper {
public:
  explicit Stepper(const Model &M);

  const Model &model() const { return M; }
  /// Gives \p Input its value in each batch; all inputs have as many. To be called for each before the first step.
  void setInput(const Value *Input, std::vector<at::Tensor> Batches);
  /// Keeps \p V until unpin().
  void pin(const Value *V) { ++UsesLeft[V]; }
  void unpin(const Value *V) { release(V); }
  /// A computed value, by batch.
  const std::vector<at::Tensor> &value(const Value *V) const;
  /// Runs \p N, whose inputs must be there.
  llvm::Error step(const Node &N);
  /// Runs every node that has not run up to \p Last.
  llvm::Error advanceTo(const Node &Last);

private:
  void release(const Value *V);
  void releaseCaptures(const Node &N);
  /// A constant, or a value of a batch that is there.
  llvm::Expected<at::Tensor> operand(const Value &V, size_t Batch) const;

  const Model &M;
  size_t BatchCount = 0;
  llvm::DenseMap<const Value *, std::vector<at::Tensor>> Values;
  llvm::DenseMap<const Value *, unsigned> UsesLeft;
  llvm::DenseMap<const Node *, size_t> Order;
  Graph::const_iterator Next;
};

/// Bytes of the activations of one image that are alive together at the worst moment of a run in graph order;
/// dimensions that are not known count as 1.
uint64_t peakActivationBytes(const Graph &G);

} // namespace deepshare

#endif // DEEPSHARE_LIB_TUNE_STEPPER_H
