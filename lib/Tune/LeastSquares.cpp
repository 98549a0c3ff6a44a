//===- LeastSquares.cpp - ridge regression from normal equations ----------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "LeastSquares.h"

using namespace deepshare;

NormalEquations::NormalEquations(int64_t Features, int64_t Outputs)
    : Gram(at::zeros({Features, Features}, at::kDouble)), Cross(at::zeros({Features, Outputs}, at::kDouble)),
      Targets(at::zeros({Outputs}, at::kDouble)) {}

void NormalEquations::add(const at::Tensor &A, const at::Tensor &T) {
  // Products in float, sums over batches in double: a batch has too few rows to lose digits that matter.
  at::Tensor Transposed = A.t();
  Gram += at::mm(Transposed, A).to(at::kDouble);
  Cross += at::mm(Transposed, T).to(at::kDouble);
  at::Tensor InDouble = T.to(at::kDouble);
  Targets += InDouble.sum(0);
  SquaredTargets += InDouble.square().sum().item<double>();
  Rows += static_cast<double>(A.size(0));
}

NormalEquations NormalEquations::operator+(const NormalEquations &Other) const {
  NormalEquations Sum = *this;
  Sum.Gram = Gram + Other.Gram;
  Sum.Cross = Cross + Other.Cross;
  Sum.Targets = Targets + Other.Targets;
  Sum.SquaredTargets += Other.SquaredTargets;
  Sum.Rows += Other.Rows;
  return Sum;
}

double NormalEquations::error(const at::Tensor &W) const {
  at::Tensor InDouble = W.to(at::kDouble);
  double Quadratic = (InDouble * at::mm(Gram, InDouble)).sum().item<double>();
  double Mixed = (InDouble * Cross).sum().item<double>();
  return std::max(0.0, Quadratic - 2 * Mixed + SquaredTargets);
}

double NormalEquations::variance() const {
  return std::max(1e-30, SquaredTargets - Targets.square().sum().item<double>() / std::max(1.0, Rows));
}

/// The weights that minimise the penalised error, or an undefined tensor where the equations have no stable solution.
static at::Tensor solve(const NormalEquations &Of, const at::Tensor &Current, double Ridge, bool HasBias) {
  at::Tensor InDouble = Current.to(at::kDouble);
  at::Tensor Penalty = at::full({Of.Gram.size(0)}, Ridge * Of.Gram.diagonal().mean().item<double>(), at::kDouble);
  if (HasBias)
    Penalty[-1] = 0;
  auto [Factor, Info] = at::linalg_cholesky_ex(Of.Gram + at::diag(Penalty));
  if (Info.item<int64_t>() != 0)
    return {};
  return InDouble + at::cholesky_solve(Of.Cross - at::mm(Of.Gram, InDouble), Factor);
}

RidgeFit deepshare::fitRidge(const NormalEquations &Train, const NormalEquations &HeldOut, const at::Tensor &Current,
                             bool HasBias) {
  double Variance = HeldOut.variance();
  double Before = HeldOut.error(Current) / Variance;
  RidgeFit Best{Current, Before, Before, 0};
  for (double Ridge : {1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0}) {
    at::Tensor W = solve(Train, Current, Ridge, HasBias);
    if (!W.defined())
      continue;
    double Error = HeldOut.error(W) / Variance;
    if (!(Error < Best.ErrorAfter))
      continue;
    Best.ErrorAfter = Error;
    Best.Ridge = Ridge;
  }
  if (Best.Ridge == 0)
    return Best;
  if (at::Tensor W = solve(Train + HeldOut, Current, Best.Ridge, HasBias); W.defined())
    Best.Weights = W.to(at::kFloat);
  return Best;
}
