//===- EliminateIdentity.h -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_PASSES_ELIMINATEIDENTITY_H
#define DEEPSHARE_PASSES_ELIMINATEIDENTITY_H

#include "deepshare/passes/Pass.h"

namespace deepshare {

/// Removes nodes that hand an input on unchanged.
PassInfo eliminateIdentityPass();

} // namespace deepshare

#endif // DEEPSHARE_PASSES_ELIMINATEIDENTITY_H
