//===- ExplicitShapes.h -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_PASSES_EXPLICITSHAPES_H
#define DEEPSHARE_PASSES_EXPLICITSHAPES_H

#include "deepshare/passes/Pass.h"

namespace deepshare {

/// Gives Reshape a constant shape without zeros, and turns Squeeze by an operand into Reshape.
PassInfo explicitShapesPass();

} // namespace deepshare

#endif // DEEPSHARE_PASSES_EXPLICITSHAPES_H
