//===- ContractGates.h -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_PASSES_CONTRACTGATES_H
#define DEEPSHARE_PASSES_CONTRACTGATES_H

#include "deepshare/passes/Pass.h"

namespace deepshare {

/// Puts gates that expand-gates took apart together again where no comparison of theirs is shared.
PassInfo contractGatesPass();

} // namespace deepshare

#endif // DEEPSHARE_PASSES_CONTRACTGATES_H
