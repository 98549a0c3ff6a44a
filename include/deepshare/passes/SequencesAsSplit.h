//===- SequencesAsSplit.h -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_PASSES_SEQUENCESASSPLIT_H
#define DEEPSHARE_PASSES_SEQUENCESASSPLIT_H

#include "deepshare/passes/Pass.h"

namespace deepshare {

/// Turns a SplitToSequence whose parts are taken by constant indices into a Split.
PassInfo sequencesAsSplitPass();

} // namespace deepshare

#endif // DEEPSHARE_PASSES_SEQUENCESASSPLIT_H
