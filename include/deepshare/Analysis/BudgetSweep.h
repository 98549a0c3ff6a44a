//===- BudgetSweep.h - plans of several budgets and strategies -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_ANALYSIS_BUDGETSWEEP_H
#define DEEPSHARE_ANALYSIS_BUDGETSWEEP_H

#include "deepshare/Analysis/Planner.h"
#include "deepshare/Cost/BudgetCurve.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <functional>
#include <vector>

namespace deepshare {

/// What to plan. Every strategy is planned at every budget.
struct SweepOptions {
  std::vector<Strategy> Strategies;
  std::vector<Budget> Budgets;
  PlannerOptions Planner; ///< Limit and Search are set for each plan
  /// Called after each plan with the plans tried and the plans in all; may be empty.
  std::function<void(uint64_t, uint64_t)> Progress;
};

/// The plans and what they cost.
struct BudgetSweep {
  BudgetCurve Curve;
  std::vector<SharePlan> Plans; ///< of Curve.Points, with an empty Model; without sites where there is no plan
};

/// Plans \p Sites from one observation. \p Steps, costSteps() of the same model, prices the plans; \p Connection gives
/// their times. A budget that one strategy cannot keep is a point without a plan; an error only if there is no plan at
/// all.
llvm::Expected<BudgetSweep> sweepBudgets(llvm::ArrayRef<GateSite> Sites, const GateStatistics &Statistics,
                                         llvm::ArrayRef<CostStep> Steps, std::optional<Network> Connection,
                                         SweepOptions Options);

} // namespace deepshare

#endif // DEEPSHARE_ANALYSIS_BUDGETSWEEP_H
