//===- ExpandGates.h -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_PASSES_EXPANDGATES_H
#define DEEPSHARE_PASSES_EXPANDGATES_H

#include "deepshare/passes/Pass.h"

namespace deepshare {

/// Rewrites gates of several comparisons, and gates in disguise, into Relu and its relatives, so that every comparison
/// takes part in sharing.
PassInfo expandGatesPass();

} // namespace deepshare

#endif // DEEPSHARE_PASSES_EXPANDGATES_H
