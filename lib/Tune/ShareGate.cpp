//===- ShareGate.cpp - shared gates that can be trained -------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "ShareGate.h"

#include "GateFunctions.h"

#include "deepshare/Plan/SharePlan.h"

#include <ATen/CPUGeneratorImpl.h>

using namespace deepshare;
using namespace deepshare::tune;

//===----------------------------------------------------------------------===//
// TrainedMask
//===----------------------------------------------------------------------===//

TrainedMask::TrainedMask(const Node &N) : Block(N.intsAttribute("block")) {}

at::Tensor TrainedMask::compared(const at::Tensor &X) const {
  // Tiles at the border are cut: the mean is over the elements that are there.
  switch (Block.size()) {
  case 0:
    return X;
  case 1:
    return at::avg_pool1d(X, Block, Block, {0}, /*ceil_mode=*/true, /*count_include_pad=*/false);
  case 2:
    return at::avg_pool2d(X, Block, Block, {0, 0}, /*ceil_mode=*/true, /*count_include_pad=*/false);
  default:
    return at::avg_pool3d(X, Block, Block, {0, 0, 0}, /*ceil_mode=*/true, /*count_include_pad=*/false);
  }
}

/// Gaussian noise where it may flip a bit of \p P, else 0. That is few elements, so that it costs little.
static at::Tensor noiseFor(const at::Tensor &P, const TrainedMask::Noise &N) {
  constexpr double Reach = 6; // in standard deviations: beyond, one in 10^9 would flip
  at::NoGradGuard NoGrad;
  at::Tensor Near = at::nonzero(at::lt(at::abs(P).flatten(), Reach * N.Deviation)).flatten();
  // Drawn on the CPU, so that devices see the same numbers.
  at::Generator Generator = at::detail::createCPUGenerator(N.Seed);
  at::Tensor Drawn = at::randn({Near.numel()}, Generator, at::dtype(P.scalar_type())).mul_(N.Deviation);
  at::Tensor All = at::zeros({P.numel()}, P.options());
  return All.index_copy_(0, Near, Drawn.to(P.device())).view(P.sizes());
}

at::Tensor TrainedMask::mask(const at::Tensor &X, double Sharpness, std::optional<Noise> OnX) const {
  at::Tensor P = compared(X);
  if (OnX)
    P = P + noiseFor(P, *OnX);
  if (Sharpness == 0)
    return P.gt(0);
  return smoothStep(P, Deviation, Sharpness);
}

void TrainedMask::measureDeviation(const at::Tensor &X) {
  at::NoGradGuard NoGrad;
  at::Tensor P = compared(X);
  std::vector<int64_t> Axes;
  for (int64_t Axis = 0; Axis < P.dim(); ++Axis)
    if (Axis != 1)
      Axes.push_back(Axis);
  // A channel that never moves gets some deviation that is not 0.
  Deviation = at::std(P, Axes, /*unbiased=*/false, /*keepdim=*/true).clamp_min(1e-4);
}

//===----------------------------------------------------------------------===//
// TrainedShare
//===----------------------------------------------------------------------===//

TrainedShare::TrainedShare(const Node &N, at::Device Device) {
  std::vector<int64_t> Mask = N.intsAttribute("mask");
  const auto *On = N.attributeAs<std::vector<float>>("on");
  const auto *Off = N.attributeAs<std::vector<float>>("off");
  TORCH_CHECK(On && Off && On->size() == Mask.size() && Off->size() == Mask.size(),
              "expected attributes mask, on and off of one length");
  int64_t Channels = static_cast<int64_t>(Mask.size());
  at::Tensor Given = at::empty({2, Channels}), IsFree = at::zeros({2, Channels}), IsLinear = at::zeros({Channels});
  at::Tensor Index = at::zeros({Channels}, at::kLong);
  for (int64_t C = 0; C < Channels; ++C) {
    bool HasMask = Mask[C] >= 0;
    Given.data_ptr<float>()[C] = (*On)[C];
    Given.data_ptr<float>()[Channels + C] = HasMask ? (*Off)[C] : 0;
    // Slopes that cost no truncation stay what they are.
    IsFree.data_ptr<float>()[C] = needsTruncation((*On)[C]);
    IsFree.data_ptr<float>()[Channels + C] = HasMask && needsTruncation((*Off)[C]);
    IsLinear.data_ptr<float>()[C] = !HasMask;
    Index.data_ptr<int64_t>()[C] = HasMask ? Mask[C] : 0;
  }
  Free = IsFree.to(Device);
  Slopes = (Given * IsFree).to(Device);
  Fixed = (Given * (1 - IsFree)).to(Device);
  Linear = IsLinear.to(Device);
  MaskIndex = Index.to(Device);
}

at::Tensor TrainedShare::effective() const {
  at::Tensor Both = at::addcmul(Fixed, Slopes, Free);
  at::Tensor On = Both[0];
  return at::stack({On, at::addcmul(Both[1], On, Linear)});
}

at::Tensor TrainedShare::apply(llvm::ArrayRef<at::Tensor> Inputs) const {
  const at::Tensor &X = Inputs.front();
  std::vector<at::Tensor> Masks(Inputs.begin() + 1, Inputs.end());
  at::Tensor Both = effective();
  return applyShare(X, Masks.size() == 1 ? Masks.front() : at::cat(Masks, 1), MaskIndex, Both[0], Both[1]);
}

uint64_t TrainedShare::numFree() const { return static_cast<uint64_t>(Free.sum().item<double>()); }

std::pair<std::vector<float>, std::vector<float>> TrainedShare::attributes() const {
  at::NoGradGuard NoGrad;
  at::Tensor Both = effective().to(at::kCPU, at::kFloat).contiguous();
  const float *First = Both.data_ptr<float>();
  int64_t Channels = Both.size(1);
  return {{First, First + Channels}, {First + Channels, First + 2 * Channels}};
}
