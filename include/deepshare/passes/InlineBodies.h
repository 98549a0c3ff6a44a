//===- InlineBodies.h -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_PASSES_INLINEBODIES_H
#define DEEPSHARE_PASSES_INLINEBODIES_H

#include "deepshare/passes/Pass.h"

namespace deepshare {

/// Writes out If whose condition, and Loop whose number of trips, is constant.
PassInfo inlineBodiesPass();

} // namespace deepshare

#endif // DEEPSHARE_PASSES_INLINEBODIES_H
