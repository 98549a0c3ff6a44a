//===- PlanPrices.h - what gates cost in a budget's unit --------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_ANALYSIS_PLANPRICES_H
#define DEEPSHARE_LIB_ANALYSIS_PLANPRICES_H

#include "deepshare/Analysis/Planner.h"

namespace deepshare {

/// Prices in the unit of a budget.
struct PlanPrices {
  double DReLU = 0, Mux = 0, Truncation = 0;                   ///< an element
  double DReLURounds = 0, MuxRounds = 0, TruncationRounds = 0; ///< a site

  /// Prices of \p Options.Cost, over \p Options.Connection, in the unit of \p Options.Limit.
  explicit PlanPrices(const PlannerOptions &Options);

  /// Rounds of a site with such ops, its comparisons \p Depth in a row.
  double rounds(bool HasDReLUs, bool HasMuxes, bool HasTruncations, unsigned Depth) const;
  /// A site as it is in the model.
  double unchanged(const GateSite &Site) const;
  /// The sites of \p Plan, which \p Sites are.
  double plan(const SharePlan &Plan, llvm::ArrayRef<const GateSite *> Sites) const;
};

/// True if channel \p Channel costs a truncation as it is in the model.
bool keepsTruncation(const GateSite &Site, unsigned Channel);

} // namespace deepshare

#endif // DEEPSHARE_LIB_ANALYSIS_PLANPRICES_H
