//===- EliminateDeadCode.h -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_PASSES_ELIMINATEDEADCODE_H
#define DEEPSHARE_PASSES_ELIMINATEDEADCODE_H

#include "deepshare/passes/Pass.h"

namespace deepshare {

/// Removes nodes, initialisers and functions whose results nothing uses.
PassInfo eliminateDeadCodePass();

} // namespace deepshare

#endif // DEEPSHARE_PASSES_ELIMINATEDEADCODE_H
