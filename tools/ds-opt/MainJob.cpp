//===- MainJob.cpp - from a budget or a plan to a pipeline ----------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "MainJob.h"

#include "../common/CommandLine.h"
#include "deepshare/Analysis/CostSteps.h"
#include "deepshare/Analysis/PlanRemarks.h"
#include "deepshare/Analysis/UnpricedOperators.h"
#include "deepshare/Cost/CostReport.h"
#include "deepshare/Data/Random.h"
#include "deepshare/Exec/ImageInputs.h"
#include "deepshare/Support/Error.h"
#include "deepshare/passes/Target.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <fmt/format.h>

using namespace deepshare;

bool deepshare::isMainJob(const DriverOptions &Options) { return jobOf(Options) & (PlanJob | ApplyJob); }

/// Calibration images of a job, all passes together.
static constexpr uint64_t DefaultImageCount = 1024;

/// The job's own pipeline. Its passes share the images that giveImages() draws.
static std::string jobPipeline(const DriverOptions &Options) {
  if (jobOf(Options) == TargetJob)
    return "canonicalize,infer-shapes";
  if (!isMainJob(Options) && jobOf(Options) != SweepJob)
    return Options.Passes;
  std::string Memory = fmt::format("memory={}", Options.Memory);
  std::string All = Memory + " images=0";
  std::string Pipeline = "canonicalize,expand-gates,channels-first";
  if (Options.Plan.empty())
    Pipeline += fmt::format(",observe-gates{{{} weights='{}' average-pools={}}}", Options.ImageCount ? All : Memory,
                            Options.Weights, Options.AllowAveragePool ? "on" : "off");
  if (jobOf(Options) == SweepJob)
    return Pipeline;
  if (Options.Plan.empty())
    Pipeline += fmt::format(",plan-gates{{budget='{}' strategy='{}' {}}}", Options.Budget, Options.Strategy, All);
  Pipeline += ",share-gates,eliminate-identity,eliminate-dead-code";
  if (Options.Repair && !Options.Images.empty())
    Pipeline += fmt::format(",repair{{{}}}", All);
  // Repair compares layers with the original's, before which scales must not have moved.
  Pipeline += ",fold-scales,contract-gates";
  return Pipeline + ",infer-shapes";
}

std::string deepshare::pipelineFor(const DriverOptions &Options) {
  std::string Pipeline = jobPipeline(Options);
  if (const Target *T = findTarget(Options.Target))
    Pipeline += fmt::format(",{},infer-shapes,check-target{{target={}}}", T->Pipeline.str(), T->Name.str());
  return Pipeline;
}

/// \p Given, or for a main job a file beside the output: out.onnx has out.plan.json and out.report.json.
static std::string pathOr(const DriverOptions &Options, llvm::StringRef Given, llvm::StringRef Extension) {
  if (!Given.empty() || !isMainJob(Options) || Options.Output.empty() || Options.Output == "-")
    return Given.str();
  llvm::SmallString<128> Path(Options.Output);
  llvm::sys::path::replace_extension(Path, Extension);
  return std::string(Path);
}

/// Where the plan goes; empty: nowhere, as where it is the one that was read. With --sweep plans go to a folder.
static std::string planPath(const DriverOptions &Options) {
  std::string Path = pathOr(Options, Options.SavePlan, "plan.json");
  return jobOf(Options) == SweepJob || Path == Options.Plan ? "" : Path;
}

/// Where the report goes; empty: nowhere.
static std::string reportPath(const DriverOptions &Options) { return pathOr(Options, Options.Report, "report.json"); }

llvm::Error deepshare::checkOutputs(const DriverOptions &Options) {
  const std::string Written[] = {Options.Output,  planPath(Options), reportPath(Options),
                                 Options.Remarks, Options.Plot,      Options.Reproducer};
  const llvm::StringRef Read[] = {Options.Plan, Options.Images, Options.CostModel};
  llvm::StringSet<> Taken;
  for (const std::string &Path : Written) {
    if (Path.empty() || Path == "-")
      continue;
    for (llvm::StringRef Input : Read)
      if (!Input.empty() && llvm::sys::fs::equivalent(Path, Input))
        return makeError("cannot write '" + Path + "': it is an input");
    if (!Taken.insert(Path).second)
      return makeError("cannot write '" + Path + "': two outputs go there");
    if (llvm::Error E = checkWritable(Path))
      return E;
  }
  return llvm::Error::success();
}

llvm::Error deepshare::fillContext(const DriverOptions &Options, PassContext &Context) {
  Context.Seed = Options.Seed;
  Context.Explain = !Options.Remarks.empty();
  llvm::Expected<CostModel> Cost = loadCostModel(Options.CostModel);
  if (!Cost)
    return Cost.takeError();
  Context.Cost = std::move(*Cost);
  if (!Options.Network.empty()) {
    llvm::Expected<Network> Connection = parseNetwork(Options.Network);
    if (!Connection)
      return Connection.takeError();
    Context.Connection = *Connection;
  }
  if (!Options.Plan.empty()) {
    llvm::Expected<SharePlan> Plan = readSharePlan(Options.Plan);
    if (!Plan)
      return Plan.takeError();
    Context.Plan = std::move(*Plan);
  }
  return llvm::Error::success();
}

/// Noise for \p M, with a warning on \p Log.
static llvm::Expected<std::unique_ptr<ImageSet>> drawImages(const DriverOptions &Options, const Model &M,
                                                            llvm::raw_ostream &Log) {
  // Of noise there is no "all".
  uint64_t Count = Options.ImageCount.value_or(0);
  std::vector<std::pair<std::string, std::unique_ptr<ImageSet>>> Sets;
  for (const Value *Input : freeInputs(M.graph())) {
    const std::optional<TensorType> &Type = Input->type();
    bool IsScalar = Type && Type->Dims && Type->Dims->empty();
    if (IsScalar || !Type || !Type->isStatic(/*FreeLeading=*/1))
      return makeError(Options.Input + ": --calibrate random: the model's input '" + Input->name() + "' is " +
                       (Type ? Type->str() : std::string("of unknown type")) +
                       (IsScalar ? ", expected a first axis along which images are counted"
                                 : ", expected all sizes but the batch to be known"));
    llvm::SmallVector<int64_t, 3> Shape;
    for (const Dim &Size : llvm::drop_begin(*Type->Dims))
      Shape.push_back(Size.size());
    if (!numElements(Shape))
      return makeError(Options.Input + ": --calibrate random: the model's input '" + Input->name() + "' is " +
                       Type->str() + ", which no memory holds");
    // Inputs have noise of their own.
    uint64_t Seed = Sets.empty() ? Options.Seed : Random({Options.Seed, Sets.size()}).next();
    Sets.emplace_back(Input->name().str(), makeRandomImages(Shape, Count ? Count : DefaultImageCount, Seed));
  }
  if (Sets.empty())
    return makeError(Options.Input + ": --calibrate random: the model has no input");
  Log << "ds-opt: warning: --calibrate random: the plan and the weights are fitted to noise; give images of the kind "
         "that the network will see where there are any\n";
  return Sets.size() == 1 ? std::move(Sets.front().second) : joinImages(std::move(Sets));
}

static llvm::Expected<std::unique_ptr<ImageSet>> openImages(const DriverOptions &Options, const Model &M) {
  llvm::Expected<std::vector<float>> Mean = parseNumbers("mean", Options.Mean);
  if (!Mean)
    return Mean.takeError();
  llvm::Expected<std::vector<float>> Std = parseNumbers("std", Options.Std);
  if (!Std)
    return Std.takeError();
  llvm::Expected<std::unique_ptr<ImageSet>> Opened = openImagesFor(M.graph(), Options.Images, {*Mean, *Std});
  if (!Opened)
    return Opened.takeError();
  // A pipeline of the user's says in its passes how many images each takes.
  return Options.Passes.empty()
             ? sampleImages(std::move(*Opened), Options.ImageCount.value_or(DefaultImageCount), Options.Seed)
             : std::move(*Opened);
}

llvm::Error deepshare::giveImages(const DriverOptions &Options, const Model &M, PassContext &Context,
                                  std::unique_ptr<ImageSet> &Images, llvm::raw_ostream &Log) {
  if (Options.Images.empty())
    return llvm::Error::success();
  llvm::Expected<std::unique_ptr<ImageSet>> Given =
      Options.Images == RandomImages ? drawImages(Options, M, Log) : openImages(Options, M);
  if (!Given)
    return Given.takeError();
  Images = std::move(*Given);
  Context.Images = Images.get();
  return llvm::Error::success();
}

llvm::Error deepshare::writeReports(const DriverOptions &Options, Model &M, const PassContext &Context,
                                    OutputFiles &Files, llvm::raw_ostream &Out, llvm::raw_ostream &Log) {
  if (!Context.Plan)
    return llvm::Error::success();
  if (std::string PlanPath = planPath(Options); !PlanPath.empty())
    if (llvm::Error E = Files.writeText(PlanPath, printSharePlan(*Context.Plan)))
      return E;
  if (!Context.Original && Options.Remarks.empty())
    return llvm::Error::success();
  Model &Planned = Context.Original ? *Context.Original : M;
  llvm::Expected<std::vector<GateSite>> Sites = findGateSites(Planned);
  if (!Sites)
    return Sites.takeError();
  if (Options.Remarks == "-")
    Log << planRemarks(*Sites, *Context.Plan, Context.Outcomes);
  else if (!Options.Remarks.empty())
    if (llvm::Error E = Files.writeText(Options.Remarks, planRemarks(*Sites, *Context.Plan, Context.Outcomes)))
      return E;
  if (!Context.Original)
    return llvm::Error::success();
  CostReport Report = makeCostReport(costSteps(Planned, *Sites), &*Context.Plan, Context.Cost, Context.Connection);
  Report.Unpriced = findUnpricedOperators(Planned, *Sites);
  if (Options.Output != "-")
    printCostReport(Report, Out);
  std::string ReportPath = reportPath(Options);
  if (ReportPath.empty())
    return llvm::Error::success();
  return Files.writeText(ReportPath, costReportJson(Report));
}
