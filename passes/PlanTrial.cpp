//===- PlanTrial.cpp - measures what a plan leaves of a model -------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "PlanTrial.h"

using namespace deepshare;

llvm::Expected<std::optional<double>> deepshare::tryPlan(const Model &M, const SharePlan &Plan, const ImageSet &Images,
                                                         const RepairOptions &Options) {
  llvm::Expected<Pipeline> Share = Pipeline::parse("share-gates,eliminate-identity,eliminate-dead-code");
  if (!Share)
    return Share.takeError();
  std::unique_ptr<Model> Copy = M.clone();
  PassContext Context;
  Context.Plan = Plan;
  if (llvm::Expected<bool> Changed = Share->run(*Copy, Context); !Changed)
    return Changed.takeError();
  llvm::Expected<RepairBatches> Batches = repairBatches(*Copy, M, Images, Options);
  if (!Batches)
    return Batches.takeError();
  // Fewer images tell plans apart by chance.
  constexpr uint64_t FewestMeasured = 64;
  if (Batches->Fitted < 2 || Batches->Measured * Batches->Images < FewestMeasured)
    return std::nullopt;
  llvm::Expected<RepairResult> Repaired = repairModel(*Copy, M, Images, Options);
  if (!Repaired)
    return Repaired.takeError();
  return Repaired->Divergence;
}
