//===- ds-tune.cpp - DeepShare's tuner ------------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Metrics.h"
#include "Options.h"
#include "Schedule.h"

#include "../common/ProgressBar.h"

#include "deepshare/Exec/Communicator.h"
#include "deepshare/Exec/Exec.h"
#include "deepshare/Exec/ImageInputs.h"
#include "deepshare/ONNX/ONNX.h"
#include "deepshare/Support/AtomicFile.h"
#include "deepshare/Tune/Training.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/Path.h"

#include <fmt/format.h>

#include <tuple>

using namespace deepshare;

namespace {

/// The models and images of a run.
struct Inputs {
  std::unique_ptr<Model> M, Teacher; ///< no teacher: null
  std::unique_ptr<ImageSet> Images, HeldOut;
};

/// What a run made. Plan: with a schedule only.
struct Outcome {
  std::unique_ptr<Model> M;
  std::optional<SharePlan> Plan;
  TrainingResult Result;
};

/// Shows the course of a run, and writes it down.
struct Progress {
  std::optional<ProgressBar> Bar;
  std::optional<MetricsWriter> Metrics;
  std::string Accuracy;

  void operator()(const TrainingStep &Step) {
    if (Step.Accuracy)
      Accuracy = fmt::format(", held-out {:.2f} %", *Step.Accuracy * 100);
    if (Bar)
      Bar->update("tuning", Step.Step, Step.Steps,
                  fmt::format("loss {:.4f}, lr {:.2g}{}", Step.Loss, Step.LearningRate, Accuracy));
    if (Metrics)
      Metrics->write(Step);
  }
};

} // namespace

static llvm::Expected<Inputs> readInputs(TuneOptions &Options) {
  Inputs Result;
  if (llvm::Error E = readModel(Options.Model).moveInto(Result.M))
    return E;
  if (Options.RandomInit)
    if (llvm::Error E = initializeRandomly(*Result.M, Options.Training.Seed))
      return llvm::createStringError(Options.Model + ": " + llvm::toString(std::move(E)));
  if (!Options.Teacher.empty())
    if (llvm::Error E = readModel(Options.Teacher).moveInto(Result.Teacher))
      return E;
  if (llvm::Error E = openImagesFor(Result.M->graph(), Options.Images, Options.Norm).moveInto(Result.Images))
    return E;
  if (!Options.HeldOut.empty())
    if (llvm::Error E = openImagesFor(Result.M->graph(), Options.HeldOut, Options.Norm).moveInto(Result.HeldOut))
      return E;
  Options.Training.HeldOut = Result.HeldOut.get();
  return Result;
}

static llvm::Expected<Outcome> run(Inputs In, const TuneOptions &Options, Progress &Shown) {
  auto Report = [&](const TrainingStep &Step) { Shown(Step); };
  if (!Options.Budgets.empty()) {
    auto Planning = [&](llvm::StringRef Task, uint64_t Done, uint64_t Total) {
      if (Shown.Bar)
        Shown.Bar->update(Task, Done, Total);
    };
    llvm::Expected<Stages> Staged = tuneInStages(*In.M, *In.Teacher, *In.Images, Options, {Planning, Report});
    if (!Staged)
      return Staged.takeError();
    return Outcome{std::move(Staged->Tuned), std::move(Staged->Plan), Staged->Result};
  }
  llvm::Expected<TrainingResult> Trained = trainModel(*In.M, In.Teacher.get(), *In.Images, Options.Training, Report);
  if (!Trained)
    return Trained.takeError();
  return Outcome{std::move(In.M), std::nullopt, *Trained};
}

/// Writes the model and its plan, then removes what was kept in case the run had been interrupted.
static llvm::Error writeOutcome(const Outcome &Made, const TuneOptions &Options) {
  const TrainingResult &Result = Made.Result;
  llvm::outs() << fmt::format("{} parameters, {} steps, loss {:.4f}", Result.Parameters, Options.Training.Steps,
                              Result.Loss);
  if (Result.ResumedAt)
    llvm::outs() << fmt::format(", resumed at step {}", Result.ResumedAt);
  if (Result.Accuracy)
    llvm::outs() << fmt::format(", held-out accuracy {:.2f} %", *Result.Accuracy * 100);
  llvm::outs() << '\n';
  OutputFiles Files;
  if (llvm::Error E = writeModel(*Made.M, Options.Output, Files))
    return E;
  if (Made.Plan) {
    // As ds-opt does: out.onnx has out.plan.json.
    llvm::SmallString<128> Path(Options.Output);
    llvm::sys::path::replace_extension(Path, "plan.json");
    if (llvm::Error E = Files.writeText(Path, printSharePlan(*Made.Plan)))
      return E;
  }
  if (llvm::Error E = Files.publish())
    return E;
  if (!Options.Training.Checkpoint.empty()) {
    std::ignore = llvm::sys::fs::remove(Options.Training.Checkpoint);
    removeStages(Options);
  }
  return llvm::Error::success();
}

static llvm::Error tune(TuneOptions &Options) {
  llvm::Expected<std::unique_ptr<Communicator>> Processes = Communicator::fromEnvironment();
  if (!Processes)
    return Processes.takeError();
  Options.Training.Processes = Processes->get();
  // The first process speaks for all.
  bool Speaks = !*Processes || (*Processes)->rank() == 0;
  llvm::Expected<Inputs> In = readInputs(Options);
  if (!In)
    return In.takeError();
  if (Options.Epochs)
    Options.Training.Steps =
        Options.Epochs * (In->Images->size() / (*Processes ? (*Processes)->size() : 1) / Options.Training.BatchSize);

  Progress Shown;
  if (Speaks && !Options.Metrics.empty()) {
    llvm::Expected<MetricsWriter> Opened = MetricsWriter::open(Options.Metrics);
    if (!Opened)
      return Opened.takeError();
    Shown.Metrics = std::move(*Opened);
  }
  if (Speaks && !Options.Quiet)
    Shown.Bar.emplace();
  llvm::Expected<Outcome> Made = run(std::move(*In), Options, Shown);
  Shown.Bar.reset();
  if (!Made)
    return llvm::createStringError(Options.Model + ": " + llvm::toString(Made.takeError()));
  if (Shown.Metrics)
    if (llvm::Error E = Shown.Metrics->finish())
      return E;
  return Speaks ? writeOutcome(*Made, Options) : llvm::Error::success();
}

int main(int Argc, char **Argv) {
  llvm::InitLLVM Init(Argc, Argv);
  llvm::ExitOnError ExitOnErr("ds-tune: error: ");
  TuneOptions Options = ExitOnErr(parseCommandLine(Argc, Argv));
  useAllProcessors();
  useOneBlasThread();
  ExitOnErr(tune(Options));
  return 0;
}
