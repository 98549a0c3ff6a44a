//===- Rewriting.h - what passes that rewrite gates share -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_PASSES_REWRITING_H
#define DEEPSHARE_LIB_PASSES_REWRITING_H

#include "deepshare/IR/Graph.h"

#include "llvm/ADT/STLFunctionalExtras.h"

namespace deepshare {

/// True if one node alone uses \p V, once, and stands in the same graph.
bool hasOneUse(const Value *V);

/// Elements of \p V for one image; nothing if a size but the batch is not known, or if there are more than 2^40, so
/// that sums stay far from overflow.
std::optional<int64_t> elementsOfImage(const Value &V);

/// Given: \p New, a node's output that stands before \p Old and is no graph output, in place of Old's only output.
/// Execute: New takes Old's uses, its name and its type; Old alone is erased.
void takePlace(Node &Old, Value *New);

/// Given: \p New, a node's output that stands before \p Old and is no graph output, in place of Old's only output.
/// Execute: New takes Old's uses and its name; Old is erased, and so are the nodes and initialisers of its graph that
/// it used and that are dead then. \p OnErase is told of each node.
void replaceNode(Node &Old, Value *New, llvm::function_ref<void(const Node &)> OnErase = nullptr);

/// Given: a constant \p New for input \p Index of \p N, which has a constant there. Execute: the initialiser becomes
/// New if nothing else uses it; else the node gets one of its own.
void replaceConstant(Node &N, unsigned Index, Tensor New);

} // namespace deepshare

#endif // DEEPSHARE_LIB_PASSES_REWRITING_H
