//===- Repair.h - re-fits a rewritten model in closed form -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_PASSES_REPAIR_H
#define DEEPSHARE_PASSES_REPAIR_H

#include "deepshare/passes/Pass.h"

namespace deepshare {

/// Re-fits linear layers and slopes of a rewritten model to the original on the context's images.
PassInfo repairPass();

} // namespace deepshare

#endif // DEEPSHARE_PASSES_REPAIR_H
