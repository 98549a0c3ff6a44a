//===- PoolObserver.h - compares maxima with averages, batch by batch -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_ANALYSIS_POOLOBSERVER_H
#define DEEPSHARE_LIB_ANALYSIS_POOLOBSERVER_H

#include "deepshare/Analysis/GateSite.h"
#include "deepshare/Analysis/GateStatistics.h"

#include <ATen/core/Tensor.h>

#include <memory>

namespace deepshare {

class Communicator;

/// Accumulates the moments of one MaxPool with the average of its windows.
class PoolObserver {
public:
  /// \p Site must be one that CanAverage.
  explicit PoolObserver(const GateSite &Site);

  /// Adds a batch: the pool's input, its output, and the gradient there (undefined: weight 1). Error if lib/Exec cannot
  /// compute the average.
  llvm::Error add(const at::Tensor &X, const at::Tensor &Max, const at::Tensor &Gradient);
  /// After the last batch: adds what the other processes have summed, in all of them.
  llvm::Error sum(Communicator &Processes);
  /// The moments for each of \p Images images.
  PoolMoments finish(uint64_t Images) const;

private:
  /// Holds the node that averages, and nothing else.
  std::unique_ptr<Model> Scratch;
  const Node *Average;
  at::Tensor Sums; ///< [3, C], double
};

} // namespace deepshare

#endif // DEEPSHARE_LIB_ANALYSIS_POOLOBSERVER_H
