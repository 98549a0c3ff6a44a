//===- Polarizer.cpp - gates that a training gives up ---------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Polarizer.h"

#include "llvm/ADT/STLExtras.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numeric>

using namespace deepshare;
using namespace deepshare::tune;

/// Of the steps: when the budget has come down to its target.
static constexpr double LoweringPart = 0.7;
/// The first step's budget, of the price of all gates: with all of it every p would be 1, where scores learn nothing.
static constexpr double FirstBudget = 0.98;
/// w falls from 1 to this.
static constexpr double LastWidth = 0.05;

Polarizer::Polarizer(const Polarization &Gates, at::Device Device) : Target(Gates.Target) {
  for (const Polarization::Mask &Mask : Gates.Masks) {
    Names.push_back(Mask.Name);
    Offsets.push_back(static_cast<int64_t>(Prices.size()));
    llvm::append_range(Prices, Mask.Prices);
  }
  auto Count = static_cast<int64_t>(Prices.size());
  Offsets.push_back(Count);
  at::Tensor Given = at::tensor(Prices, at::kDouble);
  RelativePrices = (Given / Given.mean()).to(at::kFloat).to(Device);
  Scores = at::zeros({Count}, at::TensorOptions(at::kFloat).device(Device));
  Levels = at::zeros_like(Scores);
}

/// The gates of a mask, as a tensor of \p Rank axes with the channels on axis 1.
at::Tensor Polarizer::slice(const at::Tensor &Of, size_t Mask, int64_t Rank) const {
  std::vector<int64_t> Shape(Rank, 1);
  Shape[1] = Offsets[Mask + 1] - Offsets[Mask];
  return Of.slice(0, Offsets[Mask], Offsets[Mask + 1]).view(Shape);
}

void Polarizer::measureLevels(size_t Mask, const at::Tensor &M) {
  at::NoGradGuard NoGrad;
  TORCH_CHECK(M.size(1) == Offsets[Mask + 1] - Offsets[Mask], "mask '", Names[Mask], "' has ", M.size(1),
              " gates, but there are ", Offsets[Mask + 1] - Offsets[Mask], " prices");
  std::vector<int64_t> Axes(M.dim() - 1);
  std::iota(Axes.begin() + 1, Axes.end(), 2); // all but axis 1; Axes[0] is 0
  Levels.slice(0, Offsets[Mask], Offsets[Mask + 1]).copy_(M.to(at::kFloat).mean(Axes));
}

/// tau, for a budget in units of the mean price.
double Polarizer::solveForThreshold(double Budget, double Width) const {
  at::Tensor S = Scores.detach().to(at::kCPU, at::kDouble), C = RelativePrices.to(at::kCPU, at::kDouble);
  constexpr double Saturated = 40; // sigmoid(40) is 1 in double precision
  double Low = S.min().item<double>() - Saturated * Width, High = S.max().item<double>() + Saturated * Width;
  // What gates cost falls with tau.
  for (int Round = 0; Round < 60; ++Round) {
    double Middle = (Low + High) / 2;
    double Spent = at::sigmoid((S - Middle) / Width).mul_(C).sum().item<double>();
    (Spent > Budget ? Low : High) = Middle;
  }
  return High;
}

void Polarizer::setProgress(double Done) {
  double All = std::accumulate(Prices.begin(), Prices.end(), 0.0), First = FirstBudget * All;
  double Last = std::min(Target, First);
  double Budget = First + (Last - First) * std::min(1.0, Done / LoweringPart);
  double Width = std::pow(LastWidth, Done);
  double Threshold = solveForThreshold(Budget / All * static_cast<double>(Prices.size()), Width);
  at::Tensor P = at::sigmoid((Scores.detach() - Threshold) / Width), Shares = RelativePrices * P * (1 - P);
  Shares /= Shares.sum().clamp_min(1e-12);
  // Moved is 0: it only carries the gradient of tau.
  at::Tensor Moved = ((Scores - Scores.detach()) * Shares).sum();
  Kept = at::sigmoid((Scores - Threshold - Moved) / Width);
}

at::Tensor Polarizer::apply(size_t Mask, const at::Tensor &M) const {
  at::Tensor P = slice(Kept, Mask, M.dim()), Q = slice(Levels, Mask, M.dim());
  return at::addcmul(Q * (1 - P), M.to(P.scalar_type()), P);
}

std::vector<std::vector<PolarizedGate>> Polarizer::result() const {
  at::Tensor S = Scores.detach().to(at::kCPU).contiguous(), Q = Levels.detach().to(at::kCPU).contiguous();
  std::vector<size_t> Order(Prices.size());
  std::iota(Order.begin(), Order.end(), 0);
  llvm::stable_sort(Order, [Values = S.data_ptr<float>()](size_t A, size_t B) { return Values[A] > Values[B]; });
  std::vector<bool> Kept(Prices.size());
  double Left = Target * (1 + 1e-9); // a fraction of a number of DReLUs may be a rounding error below it
  for (size_t Gate : Order)
    if (Prices[Gate] <= Left) {
      Left -= Prices[Gate];
      Kept[Gate] = true;
    }
  std::vector<std::vector<PolarizedGate>> Result(Names.size());
  for (size_t Mask = 0; Mask < Names.size(); ++Mask)
    for (int64_t Gate = Offsets[Mask]; Gate < Offsets[Mask + 1]; ++Gate)
      Result[Mask].push_back({Kept[Gate], Q.data_ptr<float>()[Gate]});
  return Result;
}
