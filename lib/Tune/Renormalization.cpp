//===- Renormalization.cpp - folded normalisation, opened again -----------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Renormalization.h"

#include "deepshare/Exec/Exec.h"

using namespace deepshare;
using namespace deepshare::tune;

static constexpr double Epsilon = 1e-5;
/// Share of a batch in the running statistics.
static constexpr double Momentum = 0.1;

bool OpenNormalization::fits(const Node &N) {
  auto IsOwn = [](const Value *V) {
    return V && V->constant() && V->constant()->elementType() == ElementType::Float32 && V->uses().size() == 1 &&
           !V->isGraphOutput();
  };
  if (!N.is("Conv") || !IsOwn(N.input(1)) || (N.input(2) && !IsOwn(N.input(2))))
    return false;
  return llvm::none_of(N.output()->uses(), [](const Use &U) { return U.User->is("BatchNormalization"); });
}

OpenNormalization::OpenNormalization(Node &N, at::Device Device) : N(N) {
  int64_t Channels = N.input(1)->constant()->dims().front();
  at::TensorOptions Kind = at::TensorOptions(at::kFloat).device(Device);
  Bias = at::zeros({Channels}, Kind);
  if (N.input(2))
    Bias.copy_(at::tensor(N.input(2)->constant()->toVector<float>()));
  Gamma = at::ones({Channels}, Kind);
  Beta = at::zeros({Channels}, Kind);
  Mean = at::zeros({Channels}, Kind);
  Variance = at::ones({Channels}, Kind);
}

void OpenNormalization::start(const at::Tensor &Z) {
  std::vector<int64_t> Axes;
  for (int64_t Axis = 0; Axis < Z.dim(); ++Axis)
    if (Axis != 1)
      Axes.push_back(Axis);
  Mean.copy_(Z.mean(Axes));
  Variance.copy_(Z.var(Axes, /*unbiased=*/false));
  Gamma.copy_(Variance.add(Epsilon).sqrt());
  Beta.copy_(Mean);
}

at::Tensor OpenNormalization::apply(const at::Tensor &Z, bool Training) const {
  return at::batch_norm(Z, Gamma, Beta, Mean, Variance, Training, Momentum, Epsilon, /*cudnn_enabled=*/true);
}

std::pair<at::Tensor, at::Tensor> OpenNormalization::folded(const at::Tensor &Weight) const {
  at::Tensor Factor = Gamma / Variance.add(Epsilon).sqrt();
  std::vector<int64_t> Shape(Weight.dim(), 1);
  Shape.front() = Weight.size(0);
  return {Weight * Factor.view(Shape), (Bias - Mean) * Factor + Beta};
}
