//===- Canonicalize.h -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_PASSES_CANONICALIZE_H
#define DEEPSHARE_PASSES_CANONICALIZE_H

#include "deepshare/passes/Pass.h"

namespace deepshare {

/// Brings a model into the form that the analyses expect: shapes known, constants and shape arithmetic evaluated,
/// batch normalisation folded, nothing that computes nothing. An alias of the passes that do it.
PassInfo canonicalizePass();

} // namespace deepshare

#endif // DEEPSHARE_PASSES_CANONICALIZE_H
