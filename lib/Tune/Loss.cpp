//===- Loss.cpp - what training makes small -------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Loss.h"

using namespace deepshare;
using namespace deepshare::tune;

/// T^2 * KL(teacher || model), summed over axis 1 and a mean over the rest.
static at::Tensor divergence(const at::Tensor &Model, const at::Tensor &Teacher, double Temperature) {
  TORCH_CHECK(Model.sizes() == Teacher.sizes(), "the model's output is ", Model.sizes(), " but the teacher's ",
              Teacher.sizes());
  at::Tensor Log = at::log_softmax(Model / Temperature, 1);
  at::Tensor TeacherLog = at::log_softmax(Teacher / Temperature, 1);
  return (TeacherLog.exp() * (TeacherLog - Log)).sum(1).mean() * (Temperature * Temperature);
}

static at::Tensor activationError(const NetworkOutput &Model, const NetworkOutput &Teacher) {
  at::Tensor Sum;
  for (size_t Index = 0; Index < Model.Watched.size(); ++Index) {
    const at::Tensor &Target = Teacher.Watched[Index];
    at::Tensor Relative = at::mse_loss(Model.Watched[Index], Target) / Target.var(/*unbiased=*/false).clamp_min(1e-12);
    Sum = Sum.defined() ? Sum + Relative : Relative;
  }
  return Sum / static_cast<double>(Model.Watched.size());
}

static at::Tensor labelError(const at::Tensor &Logits, const Batch &Images, double Smoothing) {
  TORCH_CHECK(Logits.dim() == 2, "labels of whole images need an output [N, classes], got ", Logits.sizes());
  for (auto [Label, Index] : llvm::zip_equal(Images.Labels, Images.Indices))
    TORCH_CHECK(Label >= 0 && Label < Logits.size(1), "image ", Index, " has label ", Label,
                " but the model has outputs for ", Logits.size(1), " classes");
  at::Tensor Labels = at::tensor(Images.Labels, at::kLong).to(Logits.device());
  auto Error = [&](const at::Tensor &Wanted) {
    return at::cross_entropy_loss(Logits, Wanted, {}, at::Reduction::Mean, -100, Smoothing);
  };
  if (Images.MixWeight == 1)
    return Error(Labels);
  return Error(Labels) * Images.MixWeight + Error(Labels.roll(-1)) * (1 - Images.MixWeight);
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
  at::Tensor Choice = Logits.argmax(1);
  at::Tensor Right = Choice.eq(Expected.dim() == Logits.dim() ? Expected.argmax(1) : Expected);
  return {static_cast<uint64_t>(Right.sum().item<int64_t>()), static_cast<uint64_t>(Right.numel())};
}
