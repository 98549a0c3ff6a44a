//===- BudgetCurve.h - what plans of several budgets lose and cost -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_COST_BUDGETCURVE_H
#define DEEPSHARE_COST_BUDGETCURVE_H

#include "deepshare/Cost/CostReport.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/raw_ostream.h"

#include <optional>
#include <string>
#include <vector>

namespace deepshare {

/// One plan: a strategy at a budget.
struct CurvePoint {
  std::string Strategy; ///< "full"
  std::string Budget;   ///< "25%"
  double Loss = 0;      ///< the loss that the planner predicts
  CostTotals Cost;      ///< of the whole model, for one image
  std::string Failure;  ///< why there is no plan, and then nothing above counts; empty: there is one
};

/// Plans from the same observations, so that their losses compare.
struct BudgetCurve {
  std::string Note; ///< what was observed, for people ("512 images, seed 0")
  CostModel Model;
  std::optional<Network> Connection; ///< for times, if there is one
  CostTotals Unchanged;              ///< of the model without a plan
  std::vector<CurvePoint> Points;    ///< strategy by strategy
};

/// Prints a line for each point, of at most 100 columns (but for the reason why there is no plan).
void printBudgetCurve(const BudgetCurve &Curve, llvm::raw_ostream &OS);
/// The curve as JSON, the same bytes for equal curves.
std::string budgetCurveJson(const BudgetCurve &Curve);
/// The curve as an SVG image under \p Title: loss (a logarithmic axis, with a place for 0) against DReLUs, bytes,
/// rounds and, with a network, seconds; a line for each strategy.
std::string budgetCurveSvg(const BudgetCurve &Curve, llvm::StringRef Title);

} // namespace deepshare

#endif // DEEPSHARE_COST_BUDGETCURVE_H
