//===- Schedule.h - planning and tuning in turn -----------------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// A budget far below what the network computes is reached in stages, each with less than the one before:
//   original weights -> observe, plan, share, repair, train at 50 %
//   those weights    -> observe, plan, share, repair, train at 25 %, and so on.
// A stage starts from the original graph with the weights that the stage before left: its gates are all open to the
// planner again, which now measures what they are worth to these weights. Repair then re-fits to the model that the
// stage before made, so that what was learned stays; the training's teacher is the original throughout.
//
// With Options.Polarize only the first stage is planned. Half of the steps of each other one learn which gates of the
// stage before to give up, the other half train without them.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_TOOLS_DS_TUNE_SCHEDULE_H
#define DEEPSHARE_TOOLS_DS_TUNE_SCHEDULE_H

#include "Options.h"

#include "deepshare/IR/Model.h"
#include "deepshare/Plan/SharePlan.h"

#include <functional>
#include <memory>

namespace deepshare {

struct Stages {
  std::unique_ptr<Model> Tuned;
  /// The last stage's plan, for the canonical original.
  SharePlan Plan;
  /// Of the last stage.
  TrainingResult Result;
};

/// What the caller shows of the work; either may be empty.
struct StageReport {
  std::function<void(llvm::StringRef Task, uint64_t Done, uint64_t Total)> Planning;
  /// Steps count over all stages.
  std::function<void(const TrainingStep &)> Training;
};

/// Tunes \p Original to Options.Budgets, one after the other; Options.Training.Steps are spread over the stages. With a
/// checkpoint each finished stage's model stays beside it until removeStages(), so that an interrupted run goes on.
llvm::Expected<Stages> tuneInStages(const Model &Original, const Model &Teacher, const ImageSet &Images,
                                    const TuneOptions &Options, const StageReport &Report);

/// Removes what tuneInStages() left beside the checkpoint.
void removeStages(const TuneOptions &Options);

} // namespace deepshare

#endif // DEEPSHARE_TOOLS_DS_TUNE_SCHEDULE_H
