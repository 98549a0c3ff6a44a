//===- EliminateCommonSubexpressions.h -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_PASSES_ELIMINATECOMMONSUBEXPRESSIONS_H
#define DEEPSHARE_PASSES_ELIMINATECOMMONSUBEXPRESSIONS_H

#include "deepshare/passes/Pass.h"

namespace deepshare {

/// Keeps one of several nodes, or of several small constants, that are the same.
PassInfo eliminateCommonSubexpressionsPass();

} // namespace deepshare

#endif // DEEPSHARE_PASSES_ELIMINATECOMMONSUBEXPRESSIONS_H
