//===- Schedule.cpp - planning and tuning in turn -------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Schedule.h"

#include "PolarizedPlan.h"

#include "deepshare/Exec/Communicator.h"
#include "deepshare/IR/Fingerprint.h"
#include "deepshare/ONNX/ONNX.h"
#include "deepshare/Tune/Transfer.h"
#include "deepshare/passes/Pass.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/SHA256.h"

#include <fmt/format.h>

#include <tuple>

using namespace deepshare;

namespace {

llvm::Error runPasses(llvm::StringRef Text, Model &M, PassContext &Context) {
  llvm::Expected<Pipeline> Passes = Pipeline::parse(Text);
  if (!Passes)
    return Passes.takeError();
  return Passes->run(M, Context).takeError();
}

/// Where a stage is kept: its state while it trains, then what it made.
struct StageFiles {
  std::string Checkpoint, Polarizing, Model, Plan;
  StageFiles(const TuneOptions &Options, size_t Stage)
      : Checkpoint(fmt::format("{}.stage{}", Options.Training.Checkpoint, Stage + 1)),
        Polarizing(Checkpoint + ".polarizing"), Model(Checkpoint + ".onnx"), Plan(Checkpoint + ".plan.json") {}
};

class Scheduler {
public:
  Scheduler(const Model &Original, const Model &Teacher, const ImageSet &Images, const TuneOptions &Options,
            const StageReport &Report)
      : Original(Original), Teacher(Teacher), Images(Images), Options(Options), Report(Report) {}

  llvm::Expected<Stages> run() {
    if (llvm::Error E = checkSteps())
      return E;
    Canonical = Original.clone();
    PassContext Context;
    if (llvm::Error E = loadCostModel(Options.CostModel).moveInto(Cost))
      return E;
    if (llvm::Error E = runPasses("canonicalize", *Canonical, Context))
      return E;
    for (size_t Stage = 0; Stage < Options.Budgets.size(); ++Stage) {
      llvm::Expected<bool> Kept = takeUp(Stage);
      if (!Kept)
        return Kept.takeError();
      if (*Kept)
        continue;
      llvm::Expected<uint64_t> Start = Options.Polarize && Stage ? polarize(Stage) : plan(Stage);
      if (!Start)
        return Start.takeError();
      StageFiles Files(Options, Stage);
      if (llvm::Error E = train(*Result.Tuned, *Start, stepsBefore(Stage + 1), Files.Checkpoint))
        return E;
      if (llvm::Error E = keep(Stage))
        return E;
    }
    return std::move(Result);
  }

private:
  uint64_t stepsBefore(size_t Stage) const { return Options.Training.Steps * Stage / Options.Budgets.size(); }
  /// Where gates polarise, half of the stage's steps are for that.
  uint64_t polarizingUntil(size_t Stage) const { return (stepsBefore(Stage) + stepsBefore(Stage + 1)) / 2; }

  /// Checks that every training of the schedule has more steps than it warms up, before the first of them starts.
  llvm::Error checkSteps() const {
    for (size_t Stage = 0; Stage < Options.Budgets.size(); ++Stage) {
      uint64_t Steps = Options.Polarize && Stage ? polarizingUntil(Stage) - stepsBefore(Stage)
                                                 : stepsBefore(Stage + 1) - stepsBefore(Stage);
      if (Steps <= Options.Training.WarmupSteps)
        return llvm::createStringError(fmt::format(
            "{} steps over {} budgets{} leave a training of {} steps, {} of them for warm-up", Options.Training.Steps,
            Options.Budgets.size(), Options.Polarize ? ", in halves where gates polarise," : "", Steps,
            Options.Training.WarmupSteps));
    }
    return llvm::Error::success();
  }

  /// Takes over what an interrupted run left of \p Stage; returns whether there was anything.
  llvm::Expected<bool> takeUp(size_t Stage) {
    StageFiles Files(Options, Stage);
    if (Options.Training.Checkpoint.empty() || !llvm::sys::fs::exists(Files.Plan))
      return false;
    llvm::Expected<std::unique_ptr<Model>> Tuned = readModel(Files.Model);
    if (!Tuned)
      return Tuned.takeError();
    llvm::Expected<SharePlan> Plan = readSharePlan(Files.Plan);
    if (!Plan)
      return Plan.takeError();
    // The note tells one run's stages from another's.
    if (Plan->Note != note(Stage))
      return llvm::createStringError(
          fmt::format("{}: is a stage of a training with another model, teacher or cost model, or other images or "
                      "options; remove it to start anew, or give another checkpoint file",
                      Files.Plan));
    Result.Tuned = std::move(*Tuned);
    Result.Plan = std::move(*Plan);
    return true;
  }

  PassContext makeContext() {
    PassContext Context;
    Context.Images = &Images;
    Context.Seed = Options.Training.Seed;
    Context.Processes = Options.Training.Processes;
    Context.Progress = Report.Planning;
    Context.Cost = Cost;
    return Context;
  }

  /// Makes Result.Tuned the model that the stage's training starts from. Returns the first step of that training.
  llvm::Expected<uint64_t> plan(size_t Stage) {
    std::unique_ptr<Model> Before = std::move(Result.Tuned);
    Result.Tuned = Canonical->clone();
    if (Before)
      if (llvm::Error E = transferParameters(*Before, *Result.Tuned))
        return E;
    PassContext Context = makeContext();
    std::string Text = fmt::format("observe-gates,plan-gates{{budget='{}' strategy='{}'}},share-gates",
                                   Options.Budgets[Stage], Options.Strategy);
    if (llvm::Error E = runPasses(Text, *Result.Tuned, Context))
      return E;
    if (llvm::Error E = finish(std::move(Before), Context, Stage))
      return E;
    return stepsBefore(Stage);
  }

  /// Makes the plan of \p Context, by which Result.Tuned is rewritten, the stage's, and re-fits the model to \p Before,
  /// what the stage before made; null: to the original.
  llvm::Error finish(std::unique_ptr<Model> Before, PassContext &Context, size_t Stage) {
    std::shared_ptr<Model> Unshared = Context.Original;
    if (Before)
      Context.Original = std::move(Before);
    if (llvm::Error E = runPasses("eliminate-dead-code,repair,infer-shapes", *Result.Tuned, Context))
      return E;
    // Slopes whose scale is folded are not trained, so that they stay free. Only at the end: the weights that a later
    // stage takes over are those without scales.
    Context.Original = std::move(Unshared);
    if (Stage + 1 == Options.Budgets.size())
      if (llvm::Error E = runPasses("fold-scales", *Result.Tuned, Context))
        return E;
    Result.Plan = std::move(*Context.Plan);
    Result.Plan.Model = structureFingerprint(*Canonical);
    Result.Plan.Note = note(Stage);
    // Each process plans by itself from what all observed; the gradients that they add up must be of one model.
    return Options.Training.Processes ? Options.Training.Processes->agree("the plan", printSharePlan(Result.Plan))
                                      : llvm::Error::success();
  }

  /// As plan(), but the model is the one before, without the gates that a training learns to do without.
  llvm::Expected<uint64_t> polarize(size_t Stage) {
    std::unique_ptr<Model> Before = std::move(Result.Tuned), Open;
    SharePlan Plan = std::move(Result.Plan);
    if (llvm::Error E = takeSlopes(*Before, Plan))
      return E;
    llvm::Expected<Polarization> Gates =
        polarizationOf(Plan, *Canonical, llvm::cantFail(parseBudget(Options.Budgets[Stage])));
    if (!Gates)
      return Gates.takeError();
    PassContext Context = makeContext();
    uint64_t Start = stepsBefore(Stage);
    if (priceOf(*Gates) > Gates->Target) {
      Start = polarizingUntil(Stage);
      if (llvm::Error E =
              rewrite(*Before, Plan, "share-gates{all=1},eliminate-dead-code,infer-shapes", Context).moveInto(Open))
        return E;
      if (llvm::Error E =
              train(*Open, stepsBefore(Stage), Start, StageFiles(Options, Stage).Polarizing, std::move(*Gates)))
        return E;
      if (llvm::Error E = takeSlopes(*Open, Plan))
        return E;
      giveUpGates(Plan, Result.Result.Gates);
    }
    if (llvm::Error E = rewrite(Open ? *Open : *Before, Plan, "share-gates", Context).moveInto(Result.Tuned))
      return E;
    if (llvm::Error E = finish(std::move(Before), Context, Stage))
      return E;
    return Start;
  }

  /// The original rewritten by \p Plan, with the weights of \p Weights.
  llvm::Expected<std::unique_ptr<Model>> rewrite(Model &Weights, const SharePlan &Plan, llvm::StringRef Passes,
                                                 PassContext &Context) {
    std::unique_ptr<Model> Made = Canonical->clone();
    if (llvm::Error E = transferParameters(Weights, *Made))
      return E;
    Context.Plan = Plan;
    // Layers that were given a bias make another structure.
    Context.Plan->Model.clear();
    if (llvm::Error E = runPasses(Passes, *Made, Context))
      return E;
    return Made;
  }

  /// Trains \p M in the steps from \p First to \p End, with warm-up, learning rate and sharpness from their start.
  llvm::Error train(Model &M, uint64_t First, uint64_t End, llvm::StringRef Checkpoint,
                    std::optional<Polarization> Gates = std::nullopt) {
    TrainingOptions Training = Options.Training;
    Training.Steps = End - First;
    Training.Polarize = std::move(Gates);
    if (!Training.Checkpoint.empty())
      Training.Checkpoint = Checkpoint;
    llvm::Expected<TrainingResult> Trained = trainModel(M, &Teacher, Images, Training, [&](TrainingStep Step) {
      Step.Step += First;
      Step.Steps = Options.Training.Steps;
      if (Report.Training)
        Report.Training(Step);
    });
    if (!Trained)
      return Trained.takeError();
    Result.Result = std::move(*Trained);
    Result.Result.ResumedAt += Result.Result.ResumedAt ? First : 0;
    return llvm::Error::success();
  }

  /// Leaves the stage's model for a run that is interrupted later. The plan, written last, says that it is whole.
  llvm::Error keep(size_t Stage) {
    if (Options.Training.Checkpoint.empty() || (Options.Training.Processes && Options.Training.Processes->rank() != 0))
      return llvm::Error::success();
    StageFiles Files(Options, Stage);
    if (llvm::Error E = writeModel(*Result.Tuned, Files.Model))
      return E;
    if (llvm::Error E = writeSharePlan(Result.Plan, Files.Plan))
      return E;
    std::ignore = llvm::sys::fs::remove(Files.Checkpoint);
    std::ignore = llvm::sys::fs::remove(Files.Polarizing);
    return llvm::Error::success();
  }

  std::string note(size_t Stage) {
    if (Identity.empty()) {
      llvm::SHA256 Hash;
      Hash.update(trainingIdentity(*Canonical, &Teacher, Images, Options.Training));
      Hash.update(costModelText(Cost));
      Identity = llvm::toHex(Hash.final(), /*LowerCase=*/true);
    }
    std::string Budgets;
    for (const std::string &Budget : llvm::ArrayRef(Options.Budgets).take_front(Stage + 1))
      Budgets += (Budgets.empty() ? "" : ", ") + Budget;
    return fmt::format("strategy {}, budgets {} of {} in turn{}, seed {}, training {:.16}", Options.Strategy, Budgets,
                       Options.Budgets.size(), Options.Polarize ? ", polarised" : "", Options.Training.Seed, Identity);
  }

  const Model &Original, &Teacher;
  const ImageSet &Images;
  const TuneOptions &Options;
  const StageReport &Report;
  CostModel Cost;
  std::unique_ptr<Model> Canonical;
  std::string Identity;
  Stages Result;
};

} // namespace

llvm::Expected<Stages> deepshare::tuneInStages(const Model &Original, const Model &Teacher, const ImageSet &Images,
                                               const TuneOptions &Options, const StageReport &Report) {
  return Scheduler(Original, Teacher, Images, Options, Report).run();
}

void deepshare::removeStages(const TuneOptions &Options) {
  for (size_t Stage = 0; Stage < Options.Budgets.size(); ++Stage) {
    StageFiles Files(Options, Stage);
    std::ignore = llvm::sys::fs::remove(Files.Checkpoint);
    std::ignore = llvm::sys::fs::remove(Files.Polarizing);
    std::ignore = llvm::sys::fs::remove(Files.Plan);
    std::ignore = llvm::sys::fs::remove(Files.Model);
  }
}
