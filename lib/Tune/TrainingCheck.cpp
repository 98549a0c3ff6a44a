//===- TrainingCheck.cpp - whether a training can be run ------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "TrainingCheck.h"

#include "deepshare/Exec/ImageInputs.h"

#include "llvm/ADT/StringSet.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>

using namespace deepshare;
using namespace deepshare::tune;

static llvm::Error checkGates(const Polarization &Gates) {
  auto Fail = [](const std::string &Reason) { return llvm::createStringError(Reason); };
  if (Gates.Masks.empty())
    return Fail("there is no gate to give up");
  if (!std::isfinite(Gates.Target) || Gates.Target < 0)
    return Fail(fmt::format("expected a price of the gates that stay of 0 or more, got {}", Gates.Target));
  llvm::StringSet<> Names;
  for (const Polarization::Mask &Mask : Gates.Masks) {
    if (!Names.insert(Mask.Name).second)
      return Fail(fmt::format("mask '{}' is there twice", Mask.Name));
    if (Mask.Prices.empty())
      return Fail(fmt::format("mask '{}' has no gates", Mask.Name));
    for (double Price : Mask.Prices)
      if (!std::isfinite(Price) || Price <= 0)
        return Fail(fmt::format("mask '{}': expected prices of gates above 0, got {}", Mask.Name, Price));
  }
  return llvm::Error::success();
}

static llvm::Error checkNumbers(const TrainingOptions &O) {
  auto Fail = [](const std::string &Reason) { return llvm::createStringError(Reason); };
  if (O.Steps == 0 || O.WarmupSteps >= O.Steps)
    return Fail(fmt::format("{} steps with {} for warm-up leave nothing to train", O.Steps, O.WarmupSteps));
  if (O.BatchSize == 0)
    return Fail("expected a batch of 1 image or more, got 0");
  if (!O.Checkpoint.empty() && O.CheckpointEvery == 0)
    return Fail("expected 1 step or more between checkpoints, got 0");
  struct {
    const char *Name;
    double Value, Least, Most;
  } const Ranges[] = {
      {"learning rate", O.LearningRate, 0, INFINITY},
      {"momentum", O.Momentum, 0, 0.9999},
      {"weight decay", O.WeightDecay, 0, INFINITY},
      {"clipping norm", O.ClipNorm, 0, INFINITY},
      {"decay of the moving average", O.EmaDecay, 0, 0.999999},
      {"temperature", O.Temperature, 1e-3, 1e3},
      {"weight of the teacher", O.TeacherWeight, 0, INFINITY},
      {"weight of the activations", O.ActivationWeight, 0, INFINITY},
      {"weight of the labels", O.LabelWeight, 0, INFINITY},
      {"label smoothing", O.LabelSmoothing, 0, 1},
      {"smooth part", O.SmoothPart, 0, 1},
      {"first sharpness", O.FirstSharpness, 1e-3, 1e6},
      {"last sharpness", O.LastSharpness, 1e-3, 1e6},
      {"number of bits of gate noise", O.GateNoise, 0, 62},
  };
  for (const auto &R : Ranges)
    if (!std::isfinite(R.Value) || R.Value < R.Least || R.Value > R.Most)
      return Fail(fmt::format("expected a {} from {} to {}, got {}", R.Name, R.Least, R.Most, R.Value));
  return O.Polarize ? checkGates(*O.Polarize) : llvm::Error::success();
}

/// Whether \p M, whose name in messages is \p What, takes batches of the images.
static llvm::Error checkInput(const Model &M, llvm::StringRef What, const ImageSet &Images, const TrainingOptions &O) {
  llvm::Expected<ImageInputs> Inputs = ImageInputs::find(M.graph(), Images);
  if (!Inputs)
    return llvm::createStringError(fmt::format("{}{}", What.str(), llvm::toString(Inputs.takeError())));
  if (Inputs->batch() && *Inputs->batch() != O.BatchSize)
    return llvm::createStringError(
        fmt::format("{}the model's input '{}' takes {} images at a time, but batches have {}; "
                    "give a model whose batch is a symbol",
                    What.str(), Inputs->batchInput()->name().str(), *Inputs->batch(), O.BatchSize));
  return llvm::Error::success();
}

llvm::Error tune::checkTraining(const Model &M, const Model *Teacher, const ImageSet &Images,
                                const TrainingOptions &O) {
  if (llvm::Error E = checkNumbers(O))
    return E;
  if (Images.size() == 0)
    return llvm::createStringError("there is no image to train on");
  if (llvm::Error E = checkInput(M, "", Images, O))
    return E;
  if (Teacher)
    if (llvm::Error E = checkInput(*Teacher, "teacher: ", Images, O))
      return E;
  bool UsesTeacher = Teacher && (O.TeacherWeight > 0 || O.ActivationWeight > 0);
  if (!UsesTeacher && O.LabelWeight == 0)
    return llvm::createStringError("nothing to train for: give a teacher, or labels and a weight for them");
  if (O.LabelWeight > 0 && !Images.hasLabels())
    return llvm::createStringError("training for labels needs images with labels");
  if (!O.HeldOut)
    return llvm::Error::success();
  if (O.HeldOut->size() == 0)
    return llvm::createStringError("there is no held-out image");
  if (O.HeldOut->shape() != Images.shape())
    return llvm::createStringError(fmt::format("held-out images are [{}], but the training's are [{}]",
                                               fmt::join(O.HeldOut->shape(), ","), fmt::join(Images.shape(), ",")));
  if (O.HeldOut->parts() != Images.parts())
    return llvm::createStringError("held-out images have other arrays for the model's inputs than the training's, in "
                                   "shape or order");
  if (!O.HeldOut->hasLabels() && !Teacher)
    return llvm::createStringError("held-out images without labels need a teacher");
  return llvm::Error::success();
}
