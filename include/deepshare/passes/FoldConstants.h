//===- FoldConstants.h -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_PASSES_FOLDCONSTANTS_H
#define DEEPSHARE_PASSES_FOLDCONSTANTS_H

#include "deepshare/passes/Pass.h"

namespace deepshare {

/// Evaluates what the file alone decides: nodes on constants, and the parts of shape arithmetic that a dynamic batch
/// leaves fixed.
PassInfo foldConstantsPass();

} // namespace deepshare

#endif // DEEPSHARE_PASSES_FOLDCONSTANTS_H
