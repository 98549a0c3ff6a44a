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
/// Of the price of all gates: what the first step allows, and at the most any.
static constexpr double FirstBudget = 0.98;
/// w in the last step; it is 1 in the first.
static constexpr double LastWidth = 0.05;

Polarizer::Polarizer(const Polarization &Gates, double ScoreScale, at::Device Device)
    : Target(Gates.Target), ScoreScale(ScoreScale) {
  for (const Polarization::Mask &Mask : Gates.Masks) {
    Names.push_back(Mask.Name);
    Offsets.push_back(static_cast<int64_t>(Costs.size()));
    llvm::append_range(Costs, Mask.Prices);
  }
  auto Count = static_cast<int64_t>(Costs.size());
  Offsets.push_back(Count);
  at::Tensor Given = at::tensor(Costs, at::kDouble);
  Prices = (Given / Given.mean()).to(at::kFloat).to(Device);
  Scores = at::zeros({Count}, at::TensorOptions(at::kFloat).device(Device));
  Levels = at::zeros_like(Scores);
}

std::optional<size_t> Polarizer::find(llvm::StringRef Mask) const {
  auto Found = llvm::find(Names, Mask);
  if (Found == Names.end())
    return std::nullopt;
  return Found - Names.begin();
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

/// tau for the scores \p Values and a budget in units of the mean price.
double Polarizer::solveForThreshold(const at::Tensor &Values, double Budget, double Width) const {
  at::Tensor S = Values.detach().to(at::kCPU, at::kDouble), C = Prices.to(at::kCPU, at::kDouble);
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
  double All = std::accumulate(Costs.begin(), Costs.end(), 0.0), First = FirstBudget * All;
  double Last = std::min(Target, First);
  double Budget = First + (Last - First) * std::min(1.0, Done / LoweringPart);
  double Width = std::pow(LastWidth, Done);
  at::Tensor S = Scores * ScoreScale;
  double Threshold = solveForThreshold(S, Budget / All * static_cast<double>(Costs.size()), Width);
  at::Tensor P = at::sigmoid((S.detach() - Threshold) / Width), Shares = Prices * P * (1 - P);
  Shares /= Shares.sum().clamp_min(1e-12);
  // Moved is 0: it only carries the gradient of tau.
  at::Tensor Moved = ((S - S.detach()) * Shares).sum();
  Kept = at::sigmoid((S - Threshold - Moved) / Width);
}

at::Tensor Polarizer::apply(size_t Mask, const at::Tensor &M) const {
  at::Tensor P = slice(Kept, Mask, M.dim()), Q = slice(Levels, Mask, M.dim());
  return at::addcmul(Q * (1 - P), M.to(P.scalar_type()), P);
}

std::vector<std::vector<PolarizedGate>> Polarizer::result() const {
  at::Tensor P = Kept.detach().to(at::kCPU).contiguous(), Q = Levels.detach().clamp(0, 1).to(at::kCPU).contiguous();
  std::vector<size_t> Order(Costs.size());
  std::iota(Order.begin(), Order.end(), 0);
  llvm::stable_sort(Order, [Values = P.data_ptr<float>()](size_t A, size_t B) { return Values[A] > Values[B]; });
  std::vector<std::vector<PolarizedGate>> Result(size());
  for (size_t Mask = 0; Mask < size(); ++Mask)
    for (int64_t Gate = Offsets[Mask]; Gate < Offsets[Mask + 1]; ++Gate)
      Result[Mask].push_back({false, Q.data_ptr<float>()[Gate]});
  double Spent = 0;
  for (size_t Gate : Order)
    if (Spent + Costs[Gate] <= Target) {
      Spent += Costs[Gate];
      size_t Mask = llvm::upper_bound(Offsets, static_cast<int64_t>(Gate)) - Offsets.begin() - 1;
      Result[Mask][Gate - Offsets[Mask]].Kept = true;
    }
  return Result;
}
