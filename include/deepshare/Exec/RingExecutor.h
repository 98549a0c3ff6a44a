//===- RingExecutor.h - runs a model in a ring and in floats ----*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_EXEC_RINGEXECUTOR_H
#define DEEPSHARE_EXEC_RINGEXECUTOR_H

#include "deepshare/Exec/Ring.h"
#include "deepshare/IR/Model.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"

#include <memory>
#include <string>
#include <vector>

namespace deepshare {

/// The comparisons of one node over all runs so far. A maximum of n elements is n - 1 comparisons of differences.
struct SiteComparisons {
  std::string Name; ///< of the first output of the node, or of the call of the function that it is in
  std::string Kind; ///< operator
  uint64_t Count = 0;
  double Largest = 0; ///< greatest magnitude that is compared in floats
  // Of runs in the ring:
  uint64_t Flips = 0;  ///< comparisons that come out otherwise than in floats
  double MaxError = 0; ///< of what is compared, against floats
  double SumError = 0;
};

/// Elements that one node computed over all runs so far: its sums and its products before they are truncated.
struct NodeElements {
  std::string Name; ///< Node::displayName()
  std::string Kind;
  uint64_t Count = 0;   ///< elements that were computed
  uint64_t Outside = 0; ///< those whose true magnitude leaves the ring
};

struct RingOutputs {
  /// The graph's outputs: decoded, and of a run in floats; of the same types.
  std::vector<at::Tensor> Ring, Floats;
  /// Flips by the first axis of the first input, the images. Sites whose first axis has another size are left out.
  std::vector<uint64_t> Flips;
};

/// Runs the main graph of a model in a ring, against a run of the same model in floats on the same inputs.
///
/// What is floating and depends on an input is a ring element; constants are encoded where they meet one. Linear
/// operators, sums and products are computed modulo 2^l and truncated, operators that only move elements move them, and
/// gates, maxima and comparisons compare integers. What a ring has no meaning for (Softmax, Sigmoid, division by a
/// secret, ...) is decoded, computed in floats and encoded again. Comparisons with bounds that no ring element reaches
/// are left out.
class RingExecutor {
public:
  /// \p M must outlive the executor and not change. Error for a ring that checkRing() refuses, and, naming the node,
  /// for an operator that lib/Exec cannot run.
  static llvm::Expected<std::unique_ptr<RingExecutor>> create(const Model &M, const RingOptions &Options);
  ~RingExecutor();

  /// Runs in floats, then in the ring. Inputs as those of Executor::run().
  llvm::Expected<RingOutputs> run(llvm::ArrayRef<at::Tensor> Inputs);
  /// Runs in floats alone: comparisons are counted, and their magnitudes measured.
  llvm::Expected<std::vector<at::Tensor>> runFloats(llvm::ArrayRef<at::Tensor> Inputs);

  /// In the order in which they were first made.
  std::vector<SiteComparisons> comparisons() const;
  /// Nodes with elements that left the ring, in order.
  std::vector<NodeElements> overflows() const;
  /// Nodes that were computed in floats, in order; Count is the times.
  std::vector<NodeElements> inFloats() const;

private:
  struct Impl;
  explicit RingExecutor(std::unique_ptr<Impl> I);
  std::unique_ptr<Impl> I;
};

/// Bits of the least ring in which values of magnitude \p Largest can be compared: a sign, ceil(log2(Largest * 2^Frac))
/// for the magnitude, and \p Margin more for values that were not seen.
unsigned bitsToCompare(double Largest, unsigned Frac, unsigned Margin = 1);

} // namespace deepshare

#endif // DEEPSHARE_EXEC_RINGEXECUTOR_H
