//===- Activation.cpp - activation functions -----------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"

using namespace deepshare;
using namespace deepshare::exec;

static Tensors relu(const OpContext &C) { return {at::relu(C.input(0))}; }

static Tensors leakyRelu(const OpContext &C) {
  return {at::leaky_relu(C.input(0), C.attributes().getFloat("alpha", 0.01f))};
}

static Tensors pRelu(const OpContext &C) {
  const at::Tensor &X = C.input(0);
  return {at::where(X < 0, X * C.input(1), X)};
}

static Tensors elu(const OpContext &C) { return {at::elu(C.input(0), C.attributes().getFloat("alpha", 1.0f))}; }

static Tensors selu(const OpContext &C) {
  double Alpha = C.attributes().getFloat("alpha", 1.67326319217681884765625f);
  double Gamma = C.attributes().getFloat("gamma", 1.05070102214813232421875f);
  return {at::elu(C.input(0), Alpha, Gamma)};
}

static Tensors celu(const OpContext &C) { return {at::celu(C.input(0), C.attributes().getFloat("alpha", 1.0f))}; }

static Tensors thresholdedRelu(const OpContext &C) {
  const at::Tensor &X = C.input(0);
  return {at::where(X > C.attributes().getFloat("alpha", 1.0f), X, at::zeros({}, X.options()))};
}

static Tensors shrink(const OpContext &C) {
  const at::Tensor &X = C.input(0);
  double Bias = C.attributes().getFloat("bias", 0.0f), Bound = C.attributes().getFloat("lambd", 0.5f);
  at::Tensor Zero = at::zeros({}, X.options());
  return {at::where(X < -Bound, X + Bias, at::where(X > Bound, X - Bias, Zero)).to(X.scalar_type())};
}

static Tensors sigmoid(const OpContext &C) { return {at::sigmoid(C.input(0))}; }

static Tensors hardSigmoid(const OpContext &C) {
  double Alpha = C.attributes().getFloat("alpha", 0.2f), Beta = C.attributes().getFloat("beta", 0.5f);
  return {at::clamp(C.input(0) * Alpha + Beta, 0, 1)};
}

static Tensors hardSwish(const OpContext &C) {
  const at::Tensor &X = C.input(0);
  return {X * at::clamp(X / 6 + 0.5, 0, 1)};
}

static Tensors softplus(const OpContext &C) {
  const at::Tensor &X = C.input(0);
  return {at::logaddexp(X, at::zeros({}, X.options()))};
}

static Tensors softsign(const OpContext &C) {
  const at::Tensor &X = C.input(0);
  return {X / (1 + at::abs(X))};
}

static Tensors gelu(const OpContext &C) {
  return {at::gelu(C.input(0), C.attributes().getString("approximate", "none"))};
}

static Tensors mish(const OpContext &C) { return {at::mish(C.input(0))}; }

static Tensors swish(const OpContext &C) {
  const at::Tensor &X = C.input(0);
  return {X * at::sigmoid(X * C.attributes().getFloat("alpha", 1.0f))};
}

/// Up to opset 12 the input is seen as a matrix whose columns are the axes from `axis` on; later, `axis` is the only
/// one. \p Function maps a tensor and an axis.
template <typename Fn> static at::Tensor alongAxis(const OpContext &C, Fn Function) {
  const at::Tensor &X = C.input(0);
  if (C.opset() >= 13)
    return Function(X, normalizeAxis(C.attributes().getInt("axis", -1), X.dim()));
  int64_t Axis = C.attributes().getInt("axis", 1);
  // The axis may also be the rank: rows of one column.
  if (Axis != X.dim())
    Axis = normalizeAxis(Axis, X.dim());
  int64_t Rows = 1;
  for (int64_t I = 0; I < Axis; ++I)
    Rows *= X.size(I);
  int64_t Columns = X.numel() == 0 ? 0 : X.numel() / Rows;
  return Function(X.reshape({Rows, Columns}), 1).reshape(X.sizes());
}

static Tensors softmax(const OpContext &C) {
  return {alongAxis(C, [](const at::Tensor &X, int64_t Axis) { return at::softmax(X, Axis); })};
}

static Tensors logSoftmax(const OpContext &C) {
  return {alongAxis(C, [](const at::Tensor &X, int64_t Axis) { return at::log_softmax(X, Axis); })};
}

/// One at the first maximum along the axis, zero elsewhere.
static Tensors hardmax(const OpContext &C) {
  return {alongAxis(C, [](const at::Tensor &X, int64_t Axis) {
    at::Tensor Where = at::argmax(X, Axis, /*keepdim=*/true);
    return at::zeros_like(X).scatter(Axis, Where, 1);
  })};
}

llvm::ArrayRef<Operator> exec::activationOperators() {
  static const Operator Table[] = {
      {"Celu", celu},
      {"Elu", elu},
      {"Gelu", gelu},
      {"HardSigmoid", hardSigmoid},
      {"HardSwish", hardSwish},
      {"Hardmax", hardmax},
      {"LeakyRelu", leakyRelu},
      {"LogSoftmax", logSoftmax},
      {"Mish", mish},
      {"PRelu", pRelu},
      {"Relu", relu},
      {"Selu", selu},
      {"Shrink", shrink},
      {"Sigmoid", sigmoid},
      {"Softmax", softmax},
      {"Softplus", softplus},
      {"Softsign", softsign},
      {"Swish", swish},
      {"ThresholdedRelu", thresholdedRelu},
  };
  return Table;
}
