//===- Options.cpp - the command line of ds-tune --------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Options.h"

#include "../common/CommandLine.h"
#include "../common/ImageOptions.h"

#include "deepshare/Analysis/Planner.h"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/raw_ostream.h"

using namespace deepshare;
namespace cl = llvm::cl;

static constexpr llvm::StringLiteral Overview =
    "DeepShare's tuner: trains the weights of an ONNX model, by default so that a model with shared gates gives what "
    "the original (--teacher) gives, without labels; or from labels, from random weights too.";

static cl::OptionCategory &category() {
  static cl::OptionCategory Category("ds-tune options");
  return Category;
}

namespace {
/// An option that is kept where the training reads it, whose value there is the default.
template <typename T> struct Option : cl::opt<T, true> {
  Option(llvm::StringRef Name, T &At, llvm::StringRef Description, llvm::StringRef Value = "n")
      : cl::opt<T, true>(Name, cl::location(At), cl::init(T(At)), cl::desc(Description), cl::value_desc(Value),
                         cl::cat(category())) {}
};
struct Flag : cl::opt<bool, true> {
  Flag(llvm::StringRef Name, bool &At, llvm::StringRef Description)
      : cl::opt<bool, true>(Name, cl::location(At), cl::desc(Description), cl::cat(category())) {}
};
using Text = Option<std::string>;
} // namespace

/// Checks that each budget is one, and no more than the one before where the two can be compared.
static llvm::Error checkBudgets(const TuneOptions &Options) {
  std::optional<Budget> Before;
  for (const std::string &Text : Options.Budgets) {
    llvm::Expected<Budget> Parsed = parseBudget(Text);
    if (!Parsed)
      return llvm::createStringError("--budget-schedule: " + llvm::toString(Parsed.takeError()));
    if (Parsed->Unit == BudgetUnit::Seconds)
      return llvm::createStringError("--budget-schedule: budget " + Text +
                                     " is a time, which only a network tells; give DReLUs or bytes (50%, 12MB)");
    if (Options.Polarize && Parsed->Unit != BudgetUnit::DReLUs)
      return llvm::createStringError("--polarize: budget " + Text +
                                     ": gates polarise for a number of DReLUs only (50%, 94208)");
    if (Before && Before->Unit == Parsed->Unit && Before->IsFraction == Parsed->IsFraction &&
        Parsed->Amount > Before->Amount)
      return llvm::createStringError("--budget-schedule: budget " + Text + " is more than the one before");
    Before = *Parsed;
  }
  if (!Options.Budgets.empty() && Options.RandomInit)
    return llvm::createStringError("--budget-schedule starts from a trained model: leave --random-init out");
  return parseStrategy(Options.Strategy).takeError();
}

llvm::Expected<TuneOptions> deepshare::parseCommandLine(int Argc, const char *const *Argv) {
  removeForeignOptions();
  TuneOptions Result;
  TrainingOptions &T = Result.Training;
  cl::opt<std::string, true> Model(cl::Positional, cl::desc("<model.onnx>"), cl::location(Result.Model), cl::Required,
                                   cl::cat(category()));
  Text Output("o", Result.Output, "Write the tuned model here: ONNX text for .onnxtxt, else binary", "file");
  Text Teacher("teacher", Result.Teacher, "The model to follow: the one before gates were shared", "file");
  std::string TrainingImages = std::string("Training images: ") + ImageFormats;
  Text Images("images", Result.Images, TrainingImages, "path");
  Text HeldOut("held-out", Result.HeldOut, "Images to measure accuracy on; never trained on", "path");
  NormalizationOptions Norm(category());
  cl::opt<bool> RandomInit("random-init", cl::desc("Start from random weights; inputs after the first are parameters"),
                           cl::cat(category()));

  cl::list<std::string, std::vector<std::string>> Budgets(
      "budget-schedule", cl::CommaSeparated, cl::location(Result.Budgets), cl::value_desc("50%,25%"),
      cl::desc("Plan and tune the model in turn, to less and less; --steps are spread evenly"), cl::cat(category()));
  Flag Polarize(
      "polarize", Result.Polarize,
      "After the first budget of the schedule do not plan anew: learn, in half of a stage's steps, which gates of "
      "the stage before to give up");
  Text Strategy("strategy", Result.Strategy, "How to plan: full, own, uniform, linear, kmedoids, blocks, random",
                "name");
  Text CostModel("cost-model", Result.CostModel, "For budgets in bytes: a name or a file", "name");

  Option<uint64_t> Steps("steps", T.Steps, "Steps of training");
  Option<uint64_t> Epochs("epochs", Result.Epochs, "Rounds over the images, in place of --steps");
  Option<uint64_t> Batch("batch", T.BatchSize, "Images a step");
  Option<uint64_t> Seed("seed", T.Seed, "Of all random choices");
  Text Device("device", T.Device, "Where to compute: cpu, cuda, or cuda:n for GPU number n", "name");
  Option<unsigned> Threads("loader-threads", T.LoaderThreads, "Background threads that read images");
  cl::opt<OptimizerKind, true> Optimizer(
      "optimizer", cl::location(T.Optimizer), cl::init(T.Optimizer), cl::desc("How weights move"),
      cl::values(clEnumValN(OptimizerKind::AdamW, "adamw", "Adam with decoupled weight decay (default)"),
                 clEnumValN(OptimizerKind::Sgd, "sgd", "stochastic gradient descent with momentum")),
      cl::cat(category()));
  Option<double> LearningRate("lr", T.LearningRate, "The highest learning rate; falls to 0 as a half cosine", "x");
  Option<uint64_t> Warmup("warmup", T.WarmupSteps, "First steps, in which the learning rate rises");
  Option<double> Momentum("momentum", T.Momentum, "Of SGD", "x");
  Option<double> WeightDecay("weight-decay", T.WeightDecay, "Of weights; biases, scales and slopes do not decay", "x");
  Option<double> Clip("clip", T.ClipNorm, "Scale gradients down to this norm; 0: never", "x");
  Option<double> Ema("ema", T.EmaDecay, "Keep a moving average of the weights with this decay; 0: the last weights",
                     "x");
  cl::opt<TrainedPart, true> Train("train", cl::location(T.Train), cl::init(T.Train), cl::desc("What moves"),
                                   cl::values(clEnumValN(TrainedPart::All, "all", "weights and slopes (default)"),
                                              clEnumValN(TrainedPart::Slopes, "slopes", "slopes of shared gates only")),
                                   cl::cat(category()));

  Flag Renormalize(
      "renormalize", T.Renormalize,
      "Normalise convolutions' outputs by the batch while training, folded in at the end (the default with a "
      "teacher; =0: do not)");

  Flag Flip("flip", T.Augment.Flip, "Mirror half of the images");
  Option<unsigned> Crop("crop", T.Augment.CropPadding, "Shift images by up to this many pixels");
  Option<unsigned> Cutout("cutout", T.Augment.Cutout, "Clear a square of this side in each image");
  Option<double> Mixup("mixup", T.Augment.MixupAlpha, "Mix pairs of images with weights of Beta(x, x)", "x");

  Option<double> TeacherWeight("teacher-weight", T.TeacherWeight, "Weight of the divergence from the teacher", "x");
  Option<double> Temperature("temperature", T.Temperature, "That logits are divided by for it", "x");
  Option<double> Activations("activation-weight", T.ActivationWeight,
                             "Weight of the squared error of what gates compare", "x");
  Option<double> Labels("label-weight", T.LabelWeight, "Weight of the labels' cross entropy (1 without a teacher)",
                        "x");
  Option<double> Smoothing("label-smoothing", T.LabelSmoothing, "Probability spread over all classes", "x");
  Option<double> SmoothPart("smooth-part", T.SmoothPart, "Fraction of the steps with smooth gates", "x");
  Option<double> FirstSharpness("first-sharpness", T.FirstSharpness, "Of the gates, at the start", "x");
  Option<double> LastSharpness("last-sharpness", T.LastSharpness, "Where the smooth part ends", "x");
  Option<double> GateNoise("gate-noise", T.GateNoise,
                           "Add noise of standard deviation 2^-bits to what gates compare in training, for fixed point "
                           "that is right to so many bits; 0: none",
                           "bits");

  Option<uint64_t> EvaluateEvery("evaluate-every", T.EvaluateEvery,
                                 "Steps between measurements on the held-out images; 0: only at the end");
  Text Checkpoint("checkpoint", T.Checkpoint, "Keep the state here, and go on from it if it is there", "file");
  Option<uint64_t> CheckpointEvery("checkpoint-every", T.CheckpointEvery, "Steps between checkpoints");
  Text Metrics("metrics", Result.Metrics, "Write a JSON line for each step here", "file");
  Flag Quiet("quiet", Result.Quiet, "No progress bar");

  cl::SetVersionPrinter([](llvm::raw_ostream &Out) { Out << "ds-tune " DEEPSHARE_VERSION "\n"; });
  if (llvm::Error E = parseOptions("ds-tune", Overview, Argc, Argv))
    return E;
  Result.RandomInit = RandomInit;
  if (llvm::Error E = checkBudgets(Result))
    return E;
  if (Result.Polarize && Result.Budgets.size() < 2)
    return llvm::createStringError("--polarize: give a --budget-schedule of two budgets or more");
  if (Result.Budgets.empty() && (Strategy.getNumOccurrences() || CostModel.getNumOccurrences()))
    return llvm::createStringError("--strategy and --cost-model plan: give --budget-schedule");
  // The model is its own teacher before gates are shared.
  if (!Result.Budgets.empty() && Result.Teacher.empty())
    Result.Teacher = Result.Model;
  llvm::Expected<Normalization> Read = Norm.normalization();
  if (!Read)
    return Read.takeError();
  Result.Norm = std::move(*Read);
  if (Result.Images.empty())
    return llvm::createStringError("no training images: give --images");
  if (Result.Output.empty())
    return llvm::createStringError("nowhere to write the tuned model: give -o");
  if (Epochs.getNumOccurrences() && Steps.getNumOccurrences())
    return llvm::createStringError("give --steps or --epochs, not both");
  if (T.BatchSize == 0)
    return llvm::createStringError("--batch: expected 1 or more, got 0");
  if (Result.Teacher.empty() && !Labels.getNumOccurrences())
    T.LabelWeight = 1;
  if (!Result.Teacher.empty() && !Renormalize.getNumOccurrences())
    T.Renormalize = true;
  return Result;
}
