//===- PlanRemarks.h - says for each channel what became of it -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_ANALYSIS_PLANREMARKS_H
#define DEEPSHARE_ANALYSIS_PLANREMARKS_H

#include "deepshare/Analysis/GateSite.h"
#include "deepshare/Analysis/Planner.h"

#include "llvm/ADT/ArrayRef.h"

#include <optional>
#include <string>

namespace deepshare {

/// Lines that say for each of \p Sites, and for each channel of \p Plan (one of a model with these sites), what becomes
/// of it and why; docs/planner.md specifies them. \p Outcomes are PlanResult's; nothing where nothing was measured, and
/// then no losses are said.
std::string planRemarks(llvm::ArrayRef<GateSite> Sites, const SharePlan &Plan,
                        const std::optional<PlanOutcomes> &Outcomes);

} // namespace deepshare

#endif // DEEPSHARE_ANALYSIS_PLANREMARKS_H
