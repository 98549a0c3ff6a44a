//===- ChannelOrder.h - gates on tensors whose axes are in another order -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_PASSES_CHANNELORDER_H
#define DEEPSHARE_LIB_PASSES_CHANNELORDER_H

#include "deepshare/IR/Graph.h"

#include "llvm/ADT/ArrayRef.h"

namespace deepshare {

/// True if \p N is a gate y = x * (x > 0 ? a : b) of one float32 operand, which computes each element by itself, and
/// constants that movedGate() can bring along: one number, or numbers along one axis.
bool isMovableGate(const Node &N);

/// The order of axes that undoes \p Order.
std::vector<int64_t> inverseOrder(llvm::ArrayRef<int64_t> Order);

/// The order of axes of the Transpose \p N, which has inferred types; empty if its rank is not known.
std::vector<int64_t> axisOrder(const Node &N);

/// Given: a gate for which isMovableGate() holds, and \p X, its operand with its axes in \p Order, which stands before
/// it. Execute: inserts the same gate on X before \p Gate. Result: its output, with its type.
Value *movedGate(Node &Gate, Value *X, llvm::ArrayRef<int64_t> Order, llvm::StringRef Name);

/// \p Type with its axes in \p Order.
TensorType movedType(const TensorType &Type, llvm::ArrayRef<int64_t> Order);

} // namespace deepshare

#endif // DEEPSHARE_LIB_PASSES_CHANNELORDER_H
