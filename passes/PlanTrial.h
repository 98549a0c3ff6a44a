//===- PlanTrial.h - measures what a plan leaves of a model -----*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_PASSES_PLANTRIAL_H
#define DEEPSHARE_PASSES_PLANTRIAL_H

#include "deepshare/Tune/Repair.h"
#include "deepshare/passes/Pass.h"

namespace deepshare {

/// Applies \p Plan to a copy of \p M, repairs the copy with \p Options, and returns by how much its outputs differ from
/// those of \p M on images that had no part in that (RepairResult::Divergence); nothing where there are no two batches
/// to fit and 64 images to measure, or no memory for them. \p M is observed and canonical. Errors: those of share-gates
/// and of repairModel().
llvm::Expected<std::optional<double>> tryPlan(const Model &M, const SharePlan &Plan, const ImageSet &Images,
                                              const RepairOptions &Options);

} // namespace deepshare

#endif // DEEPSHARE_PASSES_PLANTRIAL_H
