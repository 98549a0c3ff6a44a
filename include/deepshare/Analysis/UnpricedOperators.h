//===- UnpricedOperators.h - what no cost model has a price for -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_ANALYSIS_UNPRICEDOPERATORS_H
#define DEEPSHARE_ANALYSIS_UNPRICEDOPERATORS_H

#include "deepshare/Analysis/GateSite.h"
#include "deepshare/Cost/CostReport.h"

namespace deepshare {

/// The operators of \p M, its subgraphs and functions that are not linear and that neither \p Sites nor linear layers
/// price, in the order in which they come first.
std::vector<UnpricedOperator> findUnpricedOperators(const Model &M, llvm::ArrayRef<GateSite> Sites);

} // namespace deepshare

#endif // DEEPSHARE_ANALYSIS_UNPRICEDOPERATORS_H
