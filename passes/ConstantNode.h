//===- ConstantNode.h - constants as nodes -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_PASSES_CONSTANTNODE_H
#define DEEPSHARE_PASSES_CONSTANTNODE_H

#include "deepshare/Analysis/GateForms.h"

namespace deepshare {

/// Inserts a Constant node that holds \p T before \p Before; returns its output, named from \p Name. The targets for
/// private inference take such a value for public, and floating-point initialisers for secret weights.
inline Value *insertConstant(Graph &G, Graph::iterator Before, Tensor T, const llvm::Twine &Name) {
  std::optional<TensorType> Type = T.type();
  Value *V = G.insert(Before, "Constant", {}, Name);
  V->setType(std::move(Type));
  V->producer()->setAttribute("value", std::move(T));
  return V;
}

} // namespace deepshare

#endif // DEEPSHARE_PASSES_CONSTANTNODE_H
