//===- PlanGates.h - decides which gates are computed -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_PASSES_PLANGATES_H
#define DEEPSHARE_PASSES_PLANGATES_H

#include "deepshare/passes/Pass.h"

namespace deepshare {

/// Searches the share plan of least loss under a budget, from the context's statistics and cost model, and leaves it
/// there.
PassInfo planGatesPass();

} // namespace deepshare

#endif // DEEPSHARE_PASSES_PLANGATES_H
