//===- PolarizedPlan.h - a plan whose gates a training chooses --*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Between a plan and a training that gives up some of its gates (Polarization): what the gates of the plan cost, and
// the plan without those that were given up, whose users become linear.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_TOOLS_DS_TUNE_POLARIZEDPLAN_H
#define DEEPSHARE_TOOLS_DS_TUNE_POLARIZEDPLAN_H

#include "deepshare/Analysis/Planner.h"
#include "deepshare/IR/Model.h"
#include "deepshare/Plan/SharePlan.h"
#include "deepshare/Tune/Training.h"

namespace deepshare {

/// The gates of \p Plan, which share-gates{all=1} wrote into a model, and how many DReLUs \p Limit leaves to them. \p
/// Original: the model that the plan is for; its sites that the plan leaves alone cost what they do. The budget is one
/// in DReLUs; error if it is less than those sites need.
llvm::Expected<Polarization> polarizationOf(const SharePlan &Plan, Model &Original, const Budget &Limit);

/// What all gates of \p Gates cost.
double priceOf(const Polarization &Gates);

/// Gives \p Plan the slopes that the sites have in \p Tuned, a model rewritten by it and trained. Error: as
/// findGateSites().
llvm::Error takeSlopes(Model &Tuned, SharePlan &Plan);

/// Takes out of \p Plan the gates that are not kept, by mask and channel of polarizationOf(): y = x * (off + (on - off)
/// * level) without a gate.
void giveUpGates(SharePlan &Plan, llvm::ArrayRef<std::vector<PolarizedGate>> Gates);

} // namespace deepshare

#endif // DEEPSHARE_TOOLS_DS_TUNE_POLARIZEDPLAN_H
