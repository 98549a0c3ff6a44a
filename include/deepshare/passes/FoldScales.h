//===- FoldScales.h - folds scales of slopes into weights -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_PASSES_FOLDSCALES_H
#define DEEPSHARE_PASSES_FOLDSCALES_H

#include "deepshare/passes/Pass.h"

namespace deepshare {

/// Moves scales of shared gates' and linear channels' slopes into the weights of the linear layers beside them, so that
/// the slopes that are left are 0, 1 and -1.
PassInfo foldScalesPass();

} // namespace deepshare

#endif // DEEPSHARE_PASSES_FOLDSCALES_H
