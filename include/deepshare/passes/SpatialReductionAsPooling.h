//===- SpatialReductionAsPooling.h -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_PASSES_SPATIALREDUCTIONASPOOLING_H
#define DEEPSHARE_PASSES_SPATIALREDUCTIONASPOOLING_H

#include "deepshare/passes/Pass.h"

namespace deepshare {

/// Turns ReduceMean over all spatial axes into GlobalAveragePool.
PassInfo spatialReductionAsPoolingPass();

} // namespace deepshare

#endif // DEEPSHARE_PASSES_SPATIALREDUCTIONASPOOLING_H
