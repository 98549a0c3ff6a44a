//===- Inlining.h - a function's body in place of its call -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_PASSES_INLINING_H
#define DEEPSHARE_LIB_PASSES_INLINING_H

#include "deepshare/IR/Model.h"

#include <string>

namespace deepshare {

/// Why the body of \p F cannot stand in the place of \p Caller; empty if it can. It cannot where an operator of the
/// body means something else in the opset that the model imports, and where the call gives more inputs or outputs than
/// the function has.
std::string refuseInlining(const Node &Caller, const Function &F);

/// Why an operator of \p F means something else in the opset that \p M imports; empty if none does. A part of the
/// above.
std::string refuseOpsets(const Model &M, const Function &F);

/// Given: a node \p Caller that \p F, a function of its model or of another, defines, and that refuseInlining takes.
/// Execute: a copy of the body stands in its place. An input that the caller leaves out is left out; an attribute that
/// refers to one of the caller's is that, else the function's default, else absent. Names are made unique. The opsets
/// that the body needs beyond the model's are imported. Result: Caller is erased, its outputs' names, types and uses go
/// to what replaces them. Returns an iterator to the first node of the copy, or to what followed the caller.
Graph::iterator inlineCall(Node &Caller, const Function &F);

} // namespace deepshare

#endif // DEEPSHARE_LIB_PASSES_INLINING_H
