//===- DistinctNames.h -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_PASSES_DISTINCTNAMES_H
#define DEEPSHARE_PASSES_DISTINCTNAMES_H

#include "deepshare/passes/Pass.h"

namespace deepshare {

/// Gives values of subgraphs that hide a value of a graph around them names of their own.
PassInfo distinctNamesPass();

} // namespace deepshare

#endif // DEEPSHARE_PASSES_DISTINCTNAMES_H
