//===- CheckOptions.cpp - which flags go together -------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// A flag that would do nothing is an error, which says what it goes with, and so is a value that only a later step
// would refuse: calibration takes a while.
//
//===----------------------------------------------------------------------===//

#include "Options.h"
#include "Sweep.h"

#include "deepshare/Analysis/Observation.h"
#include "deepshare/Analysis/Planner.h"
#include "deepshare/Support/Error.h"
#include "deepshare/passes/Target.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"

using namespace deepshare;
using llvm::Error;
using llvm::StringRef;

namespace {

/// Flags and the jobs that they mean something to.
struct FlagUse {
  StringRef Flag;
  unsigned Jobs;
  StringRef InPipeline; ///< what says the same in a pipeline; may be empty
};

} // namespace

/// Whatever runs passes.
static constexpr unsigned AnyPass = PlanJob | ApplyJob | PipelineJob | SweepJob | TargetJob;

/// Whatever may plan or report.
static constexpr unsigned AnyPricing = PlanJob | ApplyJob | PipelineJob | SweepJob;

/// Whatever ends in a model.
static constexpr unsigned AnyModel = PlanJob | ApplyJob | PipelineJob | CopyJob | TargetJob;

static constexpr FlagUse Uses[] = {
    {"calibrate-count", PlanJob | ApplyJob | SweepJob, "observe-gates{images=n}"},
    {"budget", PlanJob, "plan-gates{budget=...}"},
    {"strategy", PlanJob | SweepJob, "plan-gates{strategy=...}"},
    {"weights", PlanJob | SweepJob, "observe-gates{weights=...}"},
    {"allow-average-pool", PlanJob | SweepJob, "observe-gates{average-pools=on}"},
    {"memory", PlanJob | ApplyJob | SweepJob, "observe-gates{memory=n},repair{memory=n}"},
    {"sweep", SweepJob, ""},
    {"plot", SweepJob, ""},
    {"plan", ApplyJob | PipelineJob, ""},
    {"o", AnyModel, ""},
    {"count", AnyModel, ""},
    {"remarks", PlanJob | ApplyJob | PipelineJob, ""},
    {"repair", PlanJob | ApplyJob, "repair"},
    {"target", AnyModel, ""},
    {"save-plan", AnyPricing, ""},
    {"report", AnyPricing, ""},
    {"cost-model", AnyPricing, ""},
    {"network", AnyPricing, ""},
    {"seed", AnyPass, ""},
    {"verify", AnyPass, ""},
    {"verify-each", AnyPass, ""},
    {"stats", AnyPass, ""},
    {"reproducer", AnyPass, ""},
    {"debug-only", AnyPass, ""},
};

/// The flags that ask for each job, as messages name them.
static constexpr std::pair<Job, StringRef> JobFlags[] = {{PlanJob, "--calibrate"},
                                                         {ApplyJob, "--plan"},
                                                         {PipelineJob, "--passes"},
                                                         {SweepJob, "--sweep"},
                                                         {TargetJob, "--target"}};

Job deepshare::jobOf(const DriverOptions &Options) {
  if (!Options.Passes.empty())
    return PipelineJob;
  if (Options.Given.contains("sweep"))
    return SweepJob;
  if (!Options.Plan.empty())
    return ApplyJob;
  if (!Options.Images.empty())
    return PlanJob;
  return Options.Target.empty() ? CopyJob : TargetJob;
}

static Error checkUse(const FlagUse &Use, Job Asked) {
  std::string Message = ((Use.Flag.size() == 1 ? "-" : "--") + Use.Flag + " does nothing ").str();
  if (Asked == CopyJob || Use.Flag == "plot") {
    llvm::SmallVector<StringRef, 4> Names;
    for (auto [Other, Name] : JobFlags)
      if (Use.Jobs & Other)
        Names.push_back(Name);
    return makeError(Message + "without " + llvm::join(Names, " or "));
  }
  for (auto [Other, Name] : JobFlags)
    if (Other == Asked)
      Message += ("with " + Name).str();
  if (Asked == SweepJob)
    Message += ", which only plans: --save-plan keeps its plans, and --plan applies one";
  if (Asked == PipelineJob && !Use.InPipeline.empty())
    Message += ("; the pipeline says it: " + Use.InPipeline).str();
  return makeError(Message);
}

/// Values that passes would refuse as well, but with the text of a pipeline that the user did not write.
static Error checkValues(const DriverOptions &Options) {
  if (jobOf(Options) == SweepJob) {
    if (llvm::Expected<SweepOptions> Sweep = parseSweep(Options); !Sweep)
      return Sweep.takeError();
    if (llvm::sys::fs::exists(Options.SavePlan) && !llvm::sys::fs::is_directory(Options.SavePlan))
      return makeError("--save-plan " + Options.SavePlan + ": with --sweep this is a folder, and a file is there");
  } else {
    llvm::Expected<Budget> Limit = parseBudget(Options.Budget);
    if (!Limit)
      return Limit.takeError();
    if (Limit->Unit == BudgetUnit::Seconds && Options.Network.empty())
      return makeError("--budget " + Options.Budget + " needs a network: give --network lan, wan or RTT,bandwidth");
    if (Options.Strategy == "all" || StringRef(Options.Strategy).contains(','))
      return makeError("--strategy " + Options.Strategy + ": several strategies go with --sweep");
    if (llvm::Expected<Strategy> Search = parseStrategy(Options.Strategy); !Search)
      return Search.takeError();
  }
  if (llvm::Expected<Weighting> Weights = parseWeighting(Options.Weights); !Weights)
    return Weights.takeError();
  if (Options.Memory == 0)
    return makeError("--memory 0: expected a number of MiB");
  if (Options.Given.contains("target") && !findTarget(Options.Target))
    return makeError("--target: unknown target '" + Options.Target + "' (there are " + targetNames() + ")");
  return Error::success();
}

Error deepshare::checkOptions(const DriverOptions &Options) {
  Job Asked = jobOf(Options);
  if (Options.Images.empty()) {
    for (StringRef Flag : {"mean", "std", "calibrate-count", "memory", "repair"})
      if (Options.Given.contains(Flag))
        return makeError("--" + Flag + " does nothing without --calibrate");
    if (Asked == ApplyJob && Options.Given.contains("seed") && !Options.Verify)
      return makeError("--seed does nothing with --plan, unless --calibrate is there to repair, or --verify");
  }
  if (Options.Images == RandomImages)
    for (StringRef Flag : {"mean", "std"})
      if (Options.Given.contains(Flag))
        return makeError("--" + Flag +
                         " does nothing with --calibrate random, which is noise of mean 0 and deviation 1");
  if (Asked == SweepJob && Options.Images.empty())
    return makeError("--sweep needs calibration images: give --calibrate");
  for (const FlagUse &Use : Uses)
    if (Options.Given.contains(Use.Flag) && !(Use.Jobs & Asked))
      return checkUse(Use, Asked);
  if (Asked == ApplyJob && !Options.Images.empty() && !Options.Repair)
    return makeError("--calibrate does nothing with --plan and --repair=off");
  if (Asked == CopyJob && Options.Output.empty() && !Options.Count)
    return makeError("nothing to do: give --calibrate, --plan, --passes, --target, --count or -o");
  return checkValues(Options);
}
