//===- InlineFunctions.h -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_PASSES_INLINEFUNCTIONS_H
#define DEEPSHARE_PASSES_INLINEFUNCTIONS_H

#include "deepshare/passes/Pass.h"

namespace deepshare {

/// Replaces calls of functions of the model by the functions' bodies.
PassInfo inlineFunctionsPass();

} // namespace deepshare

#endif // DEEPSHARE_PASSES_INLINEFUNCTIONS_H
