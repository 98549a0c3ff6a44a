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

} // namespace deepshare

#endif // DEEPSHARE_PASSES_SHAREGATES_H
