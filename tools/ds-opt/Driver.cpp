//===- Driver.cpp - what ds-opt does --------------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Driver.h"

#include "../common/ProgressBar.h"
#include "GateTable.h"
#include "MainJob.h"
#include "Opset.h"
#include "RoundTrip.h"
#include "Sweep.h"
#include "deepshare/Exec/Communicator.h"
#include "deepshare/IR/Verifier.h"
#include "deepshare/ONNX/ONNX.h"
#include "deepshare/Support/Error.h"
#include "deepshare/passes/Target.h"
#include "deepshare/passes/Validation.h"

#include <fmt/format.h>

using namespace deepshare;

static void printStatistics(const PassRun &Run, llvm::raw_ostream &Log) {
  Log << fmt::format("{} ({:.1f} ms){}\n", Run.Name.str(), Run.Seconds * 1e3, Run.Changed ? "" : ": no change");
  for (const auto &[Description, Number] : Run.Statistics)
    if (Number)
      Log << fmt::format("  {:8} {}\n", Number, Description.str());
}

/// \p Text as a word of a shell's command.
static std::string shellWord(llvm::StringRef Text) {
  if (Text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=./,%:+") ==
      llvm::StringRef::npos)
    return Text.str();
  std::string Word = "'";
  for (char C : Text)
    Word += C == '\'' ? "'\\''" : std::string(1, C);
  return Word + "'";
}

/// The command that runs one stage on the reproducer, with the inputs that passes take from the command line.
static std::string reproduction(const DriverOptions &Options, llvm::StringRef Stage) {
  std::string Command = "ds-opt " + shellWord(Options.Reproducer) + (Options.Verify ? " --verify" : " --verify-each");
  auto Add = [&](llvm::StringRef Flag, llvm::StringRef Value) {
    if (Options.Given.contains(Flag))
      Command += " " + shellWord(("--" + Flag + "=" + Value).str());
  };
  Add("calibrate", Options.Images);
  Add("mean", Options.Mean);
  Add("std", Options.Std);
  Add("plan", Options.Plan);
  Add("cost-model", Options.CostModel);
  Add("network", Options.Network);
  Add("seed", std::to_string(Options.Seed));
  return Command + " " + shellWord(("--passes=" + Stage).str());
}

/// The files that passes read: "model.onnx with plan plan.json and images images.npz".
static std::string inputNames(const DriverOptions &Options) {
  std::string Names = Options.inputName();
  llvm::StringRef Next = " with ";
  for (auto [What, Path] : {std::pair("plan ", &Options.Plan), std::pair("images ", &Options.Images)})
    if (!Path->empty()) {
      Names += (Next + What + *Path).str();
      Next = " and ";
    }
  return Names;
}

/// What --verify compared, in a line.
static void printSummary(const ValidationSummary &Summary, llvm::raw_ostream &Log) {
  Log << fmt::format("ds-opt: note: --verify: {} of {} changes compared", Summary.Compared,
                     Summary.Compared + Summary.Skipped);
  if (Summary.Skipped)
    Log << "; the others not: " << Summary.Reason;
  Log << '\n';
}

/// What the metadata of a model names the target under that it is in the forms of.
static constexpr llvm::StringLiteral TargetKey = "ai.deepshare.target";

/// The target whose importer is particular about forms, if the job ends in one.
static const Target *importerOf(const DriverOptions &Options) {
  const Target *T = findTarget(Options.Target);
  return T && !T->Operators.empty() ? T : nullptr;
}

/// Reads the model, with the images that its job needs.
static llvm::Expected<std::unique_ptr<Model>> readInput(const DriverOptions &Options, PassContext &Context,
                                                        std::unique_ptr<ImageSet> &Images, llvm::raw_ostream &Log) {
  llvm::Expected<std::unique_ptr<Model>> M = readModel(Options.Input);
  if (!M)
    return M.takeError();
  if (Options.VerifyRoundTrip)
    if (llvm::Error E = checkRoundTrip(**M))
      return E;
  if (std::string Earlier = metadataOf(**M, TargetKey); importerOf(Options) && !Earlier.empty())
    return makeError(
        fmt::format("{}: --target={}: the file is in the forms of target {} already, and constants that are "
                    "public there would become secret weights; give the file that it was made from",
                    Options.inputName(), Options.Target, Earlier));
  if (llvm::Error E = giveImages(Options, **M, Context, Images, Log))
    return E;
  return M;
}

/// The job of every process but the first: to observe with it. What comes after, files and words are the first one's.
static llvm::Error observeAlong(const DriverOptions &Options, Pipeline &Passes, PassContext &Context,
                                std::unique_ptr<ImageSet> &Images) {
  llvm::Expected<std::unique_ptr<Model>> M = readInput(Options, Context, Images, llvm::nulls());
  if (!M)
    return M.takeError();
  if (llvm::Error E = fitOpset(Options, *M, {}, llvm::nulls()))
    return E;
  Passes.endAfter("observe-gates");
  if (llvm::Expected<bool> Changed = Passes.run(**M, Context); !Changed)
    return makeError(inputNames(Options) + ": " + llvm::toString(Changed.takeError()));
  return llvm::Error::success();
}

static llvm::Error runPasses(const DriverOptions &Options, Pipeline &Passes, std::unique_ptr<Model> &M,
                             PassContext &Context, llvm::raw_ostream &Log) {
  ProgressBar Progress;
  Context.Progress = [&](llvm::StringRef Task, uint64_t Done, uint64_t Total) { Progress.update(Task, Done, Total); };
  PipelineOptions RunOptions;
  RunOptions.VerifyEach = Options.VerifyEach || Options.Verify;
  ValidationOptions What;
  What.Images = Context.Images;
  What.Seed = Options.Seed;
  Validator Checked(What);
  if (Options.Verify)
    RunOptions.Validate = [&](const PassChange &Change) { return Checked.check(Change); };
  if (Options.Statistics)
    RunOptions.AfterPass = [&](const PassRun &Run) { printStatistics(Run, Log); };
  if (!Options.Reproducer.empty())
    RunOptions.OnFailure = [&](llvm::StringRef Stage, const Model &Before) {
      if (llvm::Error E = writeModel(Before, Options.Reproducer))
        Log << "ds-opt: warning: no reproducer: " << llvm::toString(std::move(E)) << '\n';
      else
        Log << "ds-opt: note: reproduce with: " << reproduction(Options, Stage) << '\n';
    };
  if (llvm::Error E = fitOpset(Options, M, RunOptions, Log))
    return E;
  if (llvm::Expected<bool> Changed = Passes.run(*M, Context, RunOptions); !Changed)
    return makeError(inputNames(Options) + ": " + llvm::toString(Changed.takeError()));
  if (Options.Verify)
    printSummary(Checked.summary(), Log);
  // Never hand a broken model on, whether --verify-each was given or not.
  return verify(*M);
}

static llvm::Error writeResult(const DriverOptions &Options, const Model &M, OutputFiles &Files,
                               llvm::raw_ostream &Out) {
  bool ToStandardOutput = Options.Output == "-" || (Options.Output.empty() && !Options.Count && !isMainJob(Options));
  if (!ToStandardOutput)
    return Options.Output.empty() ? llvm::Error::success() : writeModel(M, Options.Output, Files);
  llvm::Expected<std::string> Text = printModelText(M);
  if (!Text)
    return Text.takeError();
  Out << *Text;
  return llvm::Error::success();
}

/// Counts the model as it is. Where that fails because exporters' shape arithmetic hides shapes, and nobody wants the
/// model itself, counts its canonical form, in which that is folded.
static llvm::Error printCount(const DriverOptions &Options, Model &M, llvm::raw_ostream &Out) {
  llvm::Error Failed = printGateTable(M, Out);
  auto Fail = [&](llvm::Error E) { return makeError(inputNames(Options) + ": " + llvm::toString(std::move(E))); };
  if (!Failed)
    return llvm::Error::success();
  if (jobOf(Options) != CopyJob || !Options.Output.empty())
    return Fail(std::move(Failed));
  llvm::consumeError(std::move(Failed));
  llvm::Expected<Pipeline> Folding = Pipeline::parse("canonicalize");
  if (!Folding)
    return Folding.takeError();
  PassContext Context;
  if (llvm::Expected<bool> Changed = Folding->run(M, Context, {}); !Changed)
    return Fail(Changed.takeError());
  if (llvm::Error E = printGateTable(M, Out))
    return Fail(std::move(E));
  return llvm::Error::success();
}

llvm::Error deepshare::runDriver(const DriverOptions &Options, llvm::raw_ostream &Out, llvm::raw_ostream &Log) {
  // A mistake in the pipeline, the plan or the cost model is reported before a large model is read; which arrays are
  // images depends on the model.
  std::optional<Pipeline> Passes;
  PassContext Context;
  std::unique_ptr<ImageSet> Images;
  std::unique_ptr<Communicator> Processes;
  if (std::string Text = pipelineFor(Options); !Text.empty()) {
    llvm::Expected<Pipeline> Parsed = Pipeline::parse(Text);
    if (!Parsed)
      return Parsed.takeError();
    Passes = std::move(*Parsed);
    if (!Passes->contains("plan-gates") && Options.Plan.empty() && jobOf(Options) != SweepJob)
      for (auto [Flag, Value] :
           {std::pair("save-plan", &Options.SavePlan), {"report", &Options.Report}, {"remarks", &Options.Remarks}})
        if (!Value->empty())
          return makeError(llvm::Twine("--") + Flag + ": there is no plan: no pass of '" + Text + "' is plan-gates");
    // Before files are opened, so that one which cannot be ends all processes.
    if (Passes->contains("observe-gates"))
      if (llvm::Error E = Communicator::fromEnvironment().moveInto(Processes))
        return E;
    Context.Processes = Processes.get();
    if (llvm::Error E = fillContext(Options, Context))
      return E;
    if (Processes && Processes->rank() != 0)
      return observeAlong(Options, *Passes, Context, Images);
  }
  if (llvm::Error E = checkOutputs(Options))
    return E;

  llvm::Expected<std::unique_ptr<Model>> M = readInput(Options, Context, Images, Log);
  if (!M)
    return M.takeError();
  if (Passes)
    if (llvm::Error E = runPasses(Options, *Passes, *M, Context, Log))
      return E;
  if (const Target *T = importerOf(Options))
    setMetadata(**M, TargetKey, T->Name);
  if (Options.VerifyRoundTrip)
    if (llvm::Error E = checkRoundTrip(**M))
      return E;
  if (jobOf(Options) == SweepJob)
    return runSweep(Options, **M, Context, Out);

  if (Options.Count)
    if (llvm::Error E = printCount(Options, **M, Out))
      return E;
  OutputFiles Files;
  if (llvm::Error E = writeResult(Options, **M, Files, Out))
    return E;
  if (llvm::Error E = writeReports(Options, **M, Context, Files, Out, Log))
    return E;
  return Files.publish();
}
