//===- BudgetSweep.cpp - plans of several budgets and strategies ----------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Analysis/BudgetSweep.h"

#include "deepshare/Support/Error.h"

#include <fmt/format.h>

using namespace deepshare;
using llvm::ArrayRef;
using llvm::Expected;

Expected<BudgetSweep> deepshare::sweepBudgets(ArrayRef<GateSite> Sites, const GateStatistics &Statistics,
                                              ArrayRef<CostStep> Steps, std::optional<Network> Connection,
                                              SweepOptions Options) {
  BudgetSweep Sweep;
  BudgetCurve &Curve = Sweep.Curve;
  Curve.Note = describe(Statistics, Options.Planner.Seed);
  Curve.Model = Options.Planner.Cost;
  Curve.Connection = Connection;
  Curve.Unchanged = makeCostReport(Steps, nullptr, Curve.Model).Before;
  Options.Planner.Connection = Connection.value_or(Network());
  bool HasPlan = false;
  for (Strategy Search : Options.Strategies)
    for (const Budget &Limit : Options.Budgets) {
      Options.Planner.Search = Search;
      Options.Planner.Limit = Limit;
      CurvePoint &Point = Curve.Points.emplace_back();
      SharePlan &Plan = Sweep.Plans.emplace_back();
      Point.Strategy = strategyName(Search).str();
      Point.Budget = budgetText(Limit);
      if (Expected<PlanResult> Result = planSharing(Sites, Statistics, Options.Planner)) {
        HasPlan = true;
        Plan = std::move(Result->Plan);
        Point.Loss = Result->Loss;
        Point.Cost = makeCostReport(Steps, &Plan, Curve.Model).After;
      } else {
        Point.Failure = llvm::toString(Result.takeError());
      }
      if (Options.Progress)
        Options.Progress(Curve.Points.size(), Options.Strategies.size() * Options.Budgets.size());
    }
  if (!HasPlan && !Curve.Points.empty())
    return makeError(Curve.Points.front().Failure);
  return Sweep;
}
