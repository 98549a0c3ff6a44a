//===- MergeComparisons.h -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_PASSES_MERGECOMPARISONS_H
#define DEEPSHARE_PASSES_MERGECOMPARISONS_H

#include "deepshare/passes/Pass.h"

namespace deepshare {

/// Merges the DReLUs of one site, of single positions and of tiles, into one comparison.
PassInfo mergeComparisonsPass();

} // namespace deepshare

#endif // DEEPSHARE_PASSES_MERGECOMPARISONS_H
