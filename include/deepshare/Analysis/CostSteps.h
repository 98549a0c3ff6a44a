//===- CostSteps.h - what of a graph costs communication -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_ANALYSIS_COSTSTEPS_H
#define DEEPSHARE_ANALYSIS_COSTSTEPS_H

#include "deepshare/Analysis/GateSite.h"
#include "deepshare/Cost/CostReport.h"

namespace deepshare {

/// The gate sites of \p M (findGateSites(M)'s), its linear layers (Conv, ConvTranspose, Gemm, MatMul) and its products
/// by constants that cost truncations (Mul), in graph order, with the steps that each waits for. Layers whose sizes are
/// not known, and products of two constants, are left out. Sites of subgraphs and functions wait for nothing.
std::vector<CostStep> costSteps(Model &M, llvm::ArrayRef<GateSite> Sites);

} // namespace deepshare

#endif // DEEPSHARE_ANALYSIS_COSTSTEPS_H
