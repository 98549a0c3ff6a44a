//===- Loss.cpp - what training makes small -------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Loss.h"

using namespace deepshare;
using namespace deepshare::tune;

at::Tensor tune::divergence(const at::Tensor &Model, const at::Tensor &Teacher, double Temperature) {
  TORCH_CHECK(Model.sizes() == Teacher.sizes(), "the model's output is ", Model.sizes(), " but the teacher's ",
              Teacher.sizes());
  at::Tensor Log = at::log_softmax(Model / Temperature, 1);
  at::Tensor TeacherLog = at::log_softmax(Teacher / Temperature, 1);
  return (TeacherLog.exp() * (TeacherLog - Log)).sum(1).mean() * (Temperature * Temperature);
}

at::Tensor tune::relativeError(const at::Tensor &Model, const at::Tensor &Target) {
  return at::mse_loss(Model, Target) / Target.var(/*unbiased=*/false).clamp_min(1e-12);
}

static at::Tensor activationError(const NetworkOutput &Model, const NetworkOutput &Teacher) {
  at::Tensor Sum;
  for (size_t Index = 0; Index < Model.Watched.size(); ++Index) {
    at::Tensor Relative = relativeError(Model.Watched[Index], Teacher.Watched[Index]);
    Sum = Sum.defined() ? Sum + Relative : Relative;
  }
  return Sum / static_cast<double>(Model.Watched.size());
}

/// \p Labels, as many as \p Logits has predictions, in their shape.
static at::Tensor likePredictions(llvm::ArrayRef<int64_t> Labels, const at::Tensor &Logits) {
  std::vector<int64_t> Shape = Logits.sizes().vec();
  Shape.erase(Shape.begin() + 1);
  at::Tensor All = at::tensor(at::ArrayRef(Labels.data(), Labels.size()), at::kLong);
  TORCH_CHECK(All.numel() == c10::multiply_integers(Shape), "the output ", Logits.sizes(), " has ",
              c10::multiply_integers(Shape), " predictions, but the images have ", All.numel(), " labels");
  return All.view(Shape).to(Logits.device());
}

static at::Tensor labelError(const at::Tensor &Logits, const Batch &Images, double Smoothing) {
  at::Tensor Labels = likePredictions(Images.Labels, Logits);
  size_t Each = Images.Labels.size() / Images.Indices.size();
  for (auto [At, Label] : llvm::enumerate(Images.Labels))
    TORCH_CHECK(Label < Logits.size(1) && (Label >= 0 || (Each > 1 && Label == ImageSet::NoLabel)), "image ",
                Images.Indices[At / Each], " has label ", Label, " but the model has outputs for ", Logits.size(1),
                " classes");
  auto Error = [&](const at::Tensor &Wanted) {
    if (!Wanted.ge(0).any().item<bool>())
      return Logits.sum() * 0;
    return at::cross_entropy_loss(Logits, Wanted, {}, at::Reduction::Mean, ImageSet::NoLabel, Smoothing);
  };
  if (Images.MixWeight == 1)
    return Error(Labels);
  return Error(Labels) * Images.MixWeight + Error(Labels.roll(-1, 0)) * (1 - Images.MixWeight);
}

at::Tensor tune::trainingLoss(const NetworkOutput &Model, const NetworkOutput *Teacher, const Batch &Images,
                              const TrainingOptions &Options) {
  at::Tensor Loss = at::zeros({}, Model.Logits.options());
  if (Teacher && Options.TeacherWeight > 0)
    Loss = Loss + divergence(Model.Logits, Teacher->Logits, Options.Temperature) * Options.TeacherWeight;
  if (Teacher && Options.ActivationWeight > 0 && !Model.Watched.empty())
    Loss = Loss + activationError(Model, *Teacher) * Options.ActivationWeight;
  if (Options.LabelWeight > 0)
    Loss = Loss + labelError(Model.Logits, Images, Options.LabelSmoothing) * Options.LabelWeight;
  return Loss;
}

std::pair<uint64_t, uint64_t> tune::countCorrect(const at::Tensor &Logits, const at::Tensor &Expected) {
  at::Tensor Wanted = Expected.dim() == Logits.dim() ? Expected.argmax(1) : Expected;
  at::Tensor Choice = Logits.argmax(1);
  TORCH_CHECK(Choice.sizes() == Wanted.sizes(), "the predictions are ", Choice.sizes(), " but the labels ",
              Wanted.sizes());
  return {static_cast<uint64_t>(Choice.eq(Wanted).sum().item<int64_t>()),
          static_cast<uint64_t>(Wanted.ge(0).sum().item<int64_t>())};
}
