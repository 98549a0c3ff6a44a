//===- InferShapes.h -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_PASSES_INFERSHAPES_H
#define DEEPSHARE_PASSES_INFERSHAPES_H

#include "deepshare/passes/Pass.h"

namespace deepshare {

/// Infers the types of all values.
PassInfo inferShapesPass();

} // namespace deepshare

#endif // DEEPSHARE_PASSES_INFERSHAPES_H
