//===- LowerShareOps.h - share operators to standard ones -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_PASSES_LOWERSHAREOPS_H
#define DEEPSHARE_PASSES_LOWERSHAREOPS_H

#include "deepshare/passes/Pass.h"

namespace deepshare {

/// Replaces DReLU and DReLUShare by standard operators: Greater, boolean Gather and Concat, Where; channels without a
/// gate pay for none.
PassInfo lowerShareOpsPass();

} // namespace deepshare

#endif // DEEPSHARE_PASSES_LOWERSHAREOPS_H
