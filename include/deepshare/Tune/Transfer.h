//===- Transfer.h - weights from one model to another -----------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_TUNE_TRANSFER_H
#define DEEPSHARE_TUNE_TRANSFER_H

#include "deepshare/IR/Model.h"

#include "llvm/Support/Error.h"

namespace deepshare {

/// Gives \p To the trained parameters of \p From: those of every layer whose output has the same name and whose
/// operator is the same. A layer of \p To that lacks a bias which its counterpart has is given one. Slopes of shared
/// gates stay behind. Made for a model and its rewritten, tuned version. Error if a parameter has another shape.
llvm::Error transferParameters(Model &From, Model &To);

} // namespace deepshare

#endif // DEEPSHARE_TUNE_TRANSFER_H
