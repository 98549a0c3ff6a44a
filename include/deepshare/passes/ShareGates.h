//===- ShareGates.h - rewrites gates by a share plan -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_PASSES_SHAREGATES_H
#define DEEPSHARE_PASSES_SHAREGATES_H

#include "deepshare/passes/Pass.h"

namespace deepshare {

/// Replaces the gates that the context's share plan names by DReLU and DReLUShare nodes, so that each gate of the plan
/// is computed once and nothing else is compared. Leaves the model as it was in the context.
PassInfo shareGatesPass();

/// The name that the pass gives the mask of the gates of a site, one an element (\p Block 1) or a tile, if no value of
/// the model has it already.
std::string maskName(llvm::StringRef Site, unsigned Block);

} // namespace deepshare

#endif // DEEPSHARE_PASSES_SHAREGATES_H
