//===- Verifier.h - checks the invariants of the IR -------------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_IR_VERIFIER_H
#define DEEPSHARE_IR_VERIFIER_H

#include "deepshare/IR/Model.h"

#include "llvm/Support/Error.h"

namespace deepshare {

/// Checks every invariant of the IR: use lists and inputs mirror each other, producers and parents are right, nodes
/// stand after what they use, names are unique where the file format needs it, tensors have as many bytes as their
/// type and dimensions say. The error names the first node or value that breaks one.
llvm::Error verify(const Model &M);

} // namespace deepshare

#endif // DEEPSHARE_IR_VERIFIER_H
