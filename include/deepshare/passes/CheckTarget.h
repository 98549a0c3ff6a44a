//===- CheckTarget.h -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_PASSES_CHECKTARGET_H
#define DEEPSHARE_PASSES_CHECKTARGET_H

#include "deepshare/passes/Pass.h"

namespace deepshare {

/// Fails at the first node that a target's importer does not take, and says why.
PassInfo checkTargetPass();

} // namespace deepshare

#endif // DEEPSHARE_PASSES_CHECKTARGET_H
