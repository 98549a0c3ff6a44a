//===- ds-tune.cpp - DeepShare's tuner ------------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Metrics.h"
#include "Options.h"

#include "../common/ProgressBar.h"

#include "deepshare/ONNX/ONNX.h"
#include "deepshare/Tune/Communicator.h"
#include "deepshare/Tune/Training.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/InitLLVM.h"

#include <fmt/format.h>

#include <algorithm>

using namespace deepshare;

static llvm::Error tune(TuneOptions &Options) {
  llvm::Expected<std::unique_ptr<Communicator>> Processes = Communicator::fromEnvironment();
  if (!Processes)
    return Processes.takeError();
  Options.Training.Processes = Processes->get();
  // The first process speaks for all.
  bool Speaks = !*Processes || (*Processes)->rank() == 0;
  llvm::Expected<std::unique_ptr<Model>> M = readModel(Options.Model);
  if (!M)
    return M.takeError();
  if (Options.RandomInit)
    if (llvm::Error E = initializeRandomly(**M, Options.Training.Seed))
      return llvm::createStringError(Options.Model + ": " + llvm::toString(std::move(E)));
  std::unique_ptr<Model> Teacher;
  if (!Options.Teacher.empty()) {
    llvm::Expected<std::unique_ptr<Model>> Read = readModel(Options.Teacher);
    if (!Read)
      return Read.takeError();
    Teacher = std::move(*Read);
  }
  llvm::Expected<std::unique_ptr<ImageSet>> Images = openImageSet(Options.Images, Options.Norm);
  if (!Images)
    return Images.takeError();
  std::unique_ptr<ImageSet> HeldOut;
  if (!Options.HeldOut.empty()) {
    llvm::Expected<std::unique_ptr<ImageSet>> Opened = openImageSet(Options.HeldOut, Options.Norm);
    if (!Opened)
      return Opened.takeError();
    HeldOut = std::move(*Opened);
    Options.Training.HeldOut = HeldOut.get();
  }
  if (Options.Epochs)
    Options.Training.Steps =
        Options.Epochs * ((*Images)->size() / (*Processes ? (*Processes)->size() : 1) / Options.Training.BatchSize);
  std::optional<MetricsWriter> Metrics;
  if (Speaks && !Options.Metrics.empty()) {
    llvm::Expected<MetricsWriter> Opened = MetricsWriter::open(Options.Metrics);
    if (!Opened)
      return Opened.takeError();
    Metrics = std::move(*Opened);
  }

  std::optional<ProgressBar> Bar;
  if (Speaks && !Options.Quiet)
    Bar.emplace();
  std::string Accuracy;
  auto Report = [&](const TrainingStep &Step) {
    if (Step.Accuracy)
      Accuracy = fmt::format(", held-out {:.2f} %", *Step.Accuracy * 100);
    if (Bar)
      Bar->update("tuning", Step.Step, Step.Steps,
                  fmt::format("loss {:.4f}, lr {:.2g}{}", Step.Loss, Step.LearningRate, Accuracy));
    if (Metrics)
      Metrics->write(Step);
  };
  llvm::Expected<TrainingResult> Result = trainModel(**M, Teacher.get(), **Images, Options.Training, Report);
  Bar.reset();
  if (!Result)
    return llvm::createStringError(Options.Model + ": " + llvm::toString(Result.takeError()));
  if (Metrics)
    if (llvm::Error E = Metrics->finish())
      return E;
  if (!Speaks)
    return llvm::Error::success();
  llvm::outs() << fmt::format("{} parameters, {} steps, loss {:.4f}", Result->Parameters, Options.Training.Steps,
                              Result->Loss);
  if (Result->ResumedAt)
    llvm::outs() << fmt::format(", resumed at step {}", Result->ResumedAt);
  if (Result->Accuracy)
    llvm::outs() << fmt::format(", held-out accuracy {:.2f} %", *Result->Accuracy * 100);
  llvm::outs() << '\n';
  if (llvm::Error E = writeModel(**M, Options.Output))
    return E;
  if (!Options.Training.Checkpoint.empty())
    llvm::sys::fs::remove(Options.Training.Checkpoint);
  return llvm::Error::success();
}

int main(int Argc, char **Argv) {
  llvm::InitLLVM Init(Argc, Argv);
  llvm::ExitOnError ExitOnErr("ds-tune: error: ");
  TuneOptions Options = ExitOnErr(parseCommandLine(Argc, Argv));
  ExitOnErr(tune(Options));
  return 0;
}
