//===- ComparingKernels.cpp - operators that compare ----------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "ComparingKernels.h"

#include "Window.h"

#include "deepshare/IR/ShareOps.h"

using namespace deepshare;
using namespace deepshare::exec;

static at::Tensor scalar(double Value) { return at::scalar_tensor(Value, at::dtype(at::kDouble)); }

//===----------------------------------------------------------------------===//
// Gates
//===----------------------------------------------------------------------===//

static Tensors dRelu(const OpContext &C, NumberSystem &S) { return {S.isPositive(S.numbers(C.input(0)))}; }

static Tensors relu(const OpContext &C, NumberSystem &S) {
  at::Tensor X = S.numbers(C.input(0));
  return {at::where(S.isPositive(X), X, at::zeros({}, X.options()))};
}

static Tensors leakyRelu(const OpContext &C, NumberSystem &S) {
  at::Tensor X = S.numbers(C.input(0));
  return {at::where(S.isPositive(X), X, S.scale(X, scalar(C.attributes().getFloat("alpha", 0.01f))))};
}

static Tensors pRelu(const OpContext &C, NumberSystem &S) {
  at::Tensor X = S.numbers(C.input(0)), Slope = C.input(1);
  at::Tensor Scaled = S.isKnown(Slope) ? S.scale(X, Slope) : S.multiply(X, S.numbers(Slope));
  return {at::where(S.isPositive(X), X, Scaled)};
}

static Tensors thresholdedRelu(const OpContext &C, NumberSystem &S) {
  at::Tensor X = S.numbers(C.input(0));
  at::Tensor Open = S.isPositive(S.subtract(X, S.number(C.attributes().getFloat("alpha", 1.0f))));
  return {at::where(Open, X, at::zeros({}, X.options()))};
}

static Tensors absolute(const OpContext &C, NumberSystem &S) {
  at::Tensor X = S.numbers(C.input(0));
  return {at::where(S.isPositive(X), X, at::neg(X))};
}

//===----------------------------------------------------------------------===//
// Extremes
//===----------------------------------------------------------------------===//

static at::Tensor maximum(NumberSystem &S, const at::Tensor &A, const at::Tensor &B) {
  return at::where(S.isPositive(S.subtract(A, B)), A, B);
}

static at::Tensor minimum(NumberSystem &S, const at::Tensor &A, const at::Tensor &B) {
  return at::where(S.isPositive(S.subtract(B, A)), A, B);
}

template <at::Tensor (*Extreme)(NumberSystem &, const at::Tensor &, const at::Tensor &)>
static Tensors fold(const OpContext &C, NumberSystem &S) {
  at::Tensor Result = S.numbers(C.input(0));
  for (unsigned I = 1; I < C.numInputs(); ++I)
    Result = Extreme(S, Result, S.numbers(C.input(I)));
  return {Result};
}

/// A bound that no number reaches costs no comparison.
static bool isReachable(const at::Tensor &Bound, const NumberSystem &S) {
  if (!Bound.defined())
    return false;
  return !S.isKnown(Bound) || at::abs(Bound.to(at::kDouble)).lt(S.limit()).all().item<bool>();
}

static at::Tensor clipped(NumberSystem &S, at::Tensor X, const at::Tensor &Low, const at::Tensor &High) {
  if (isReachable(Low, S))
    X = maximum(S, X, S.numbers(Low));
  return isReachable(High, S) ? minimum(S, X, S.numbers(High)) : X;
}

static Tensors clip(const OpContext &C, NumberSystem &S) {
  at::Tensor Low = C.optionalInput(1), High = C.optionalInput(2);
  if (C.opset() < 11) {
    const float *Least = C.attributes().get<float>("min"), *Greatest = C.attributes().get<float>("max");
    Low = Least ? at::scalar_tensor(*Least) : at::Tensor();
    High = Greatest ? at::scalar_tensor(*Greatest) : at::Tensor();
  }
  return {clipped(S, S.numbers(C.input(0)), Low, High)};
}

static at::Tensor hardSigmoidOf(NumberSystem &S, const at::Tensor &X, double Alpha, double Beta) {
  return clipped(S, S.add(S.scale(X, scalar(Alpha)), S.number(Beta)), at::scalar_tensor(0.0), at::scalar_tensor(1.0));
}

static Tensors hardSigmoid(const OpContext &C, NumberSystem &S) {
  const Attributes &A = C.attributes();
  return {hardSigmoidOf(S, S.numbers(C.input(0)), A.getFloat("alpha", 0.2f), A.getFloat("beta", 0.5f))};
}

static Tensors hardSwish(const OpContext &C, NumberSystem &S) {
  at::Tensor X = S.numbers(C.input(0));
  return {S.multiply(X, hardSigmoidOf(S, X, 1.0 / 6, 0.5))};
}

/// The elements of each window one after the other. Padding is the least element: it changes no maximum, and its
/// differences are no larger than others.
static Tensors maxPool(const OpContext &C, NumberSystem &S) {
  at::Tensor X = S.numbers(C.input(0));
  Window W = readPaddedWindow(C.attributes(), {}, X.sizes().slice(2));
  Ints End = W.End;
  for (unsigned I = 0; I < W.rank(); ++I)
    End[I] += W.Overhang[I];
  if (X.numel() > 0)
    X = padTrailing(X, W.Begin, End, at::min(X).item());
  std::vector<at::Tensor> Elements = windowElements(X, W);
  at::Tensor Result = Elements.front();
  for (const at::Tensor &Next : llvm::drop_begin(Elements))
    Result = maximum(S, Result, Next);
  return {Result};
}

static Tensors globalMaxPool(const OpContext &C, NumberSystem &S) {
  at::Tensor X = S.numbers(C.input(0));
  std::vector<at::Tensor> Elements = X.flatten(2).unbind(2);
  at::Tensor Result = Elements.front();
  for (const at::Tensor &Next : llvm::drop_begin(Elements))
    Result = maximum(S, Result, Next);
  Ints Dims(X.dim(), 1);
  Dims[0] = X.size(0);
  Dims[1] = X.size(1);
  return {Result.reshape(Dims)};
}

//===----------------------------------------------------------------------===//
// Comparisons
//===----------------------------------------------------------------------===//

/// Input \p Left > input \p Right.
template <unsigned Left, unsigned Right> static Tensors isAbove(const OpContext &C, NumberSystem &S) {
  return {S.isPositive(S.subtract(S.numbers(C.input(Left)), S.numbers(C.input(Right))))};
}

template <unsigned Left, unsigned Right> static Tensors isNotAbove(const OpContext &C, NumberSystem &S) {
  return {at::logical_not(isAbove<Left, Right>(C, S).front())};
}

ComparingKernel exec::findComparingKernel(const Node &N) {
  if (isDReLU(N))
    return dRelu;
  if (!N.domain().empty() || N.numOutputs() != 1)
    return nullptr;
  static constexpr std::pair<llvm::StringLiteral, ComparingKernel> Table[] = {
      {"Abs", absolute},
      {"Clip", clip},
      {"GlobalMaxPool", globalMaxPool},
      {"Greater", isAbove<0, 1>},
      {"GreaterOrEqual", isNotAbove<1, 0>},
      {"HardSigmoid", hardSigmoid},
      {"HardSwish", hardSwish},
      {"LeakyRelu", leakyRelu},
      {"Less", isAbove<1, 0>},
      {"LessOrEqual", isNotAbove<0, 1>},
      {"Max", fold<maximum>},
      {"MaxPool", maxPool},
      {"Min", fold<minimum>},
      {"PRelu", pRelu},
      {"Relu", relu},
      {"ThresholdedRelu", thresholdedRelu},
  };
  for (const auto &[Name, Kernel] : Table)
    if (N.opType() == Name)
      return Kernel;
  return nullptr;
}
