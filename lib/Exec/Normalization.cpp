//===- Normalization.cpp - normalisations --------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"

#include <numeric>

using namespace deepshare;
using namespace deepshare::exec;

/// A tensor of one element a channel, seen so that it broadcasts over \p X.
static at::Tensor perChannel(const at::Tensor &T, const at::Tensor &X) {
  Ints Dims(X.dim() - 1, 1);
  Dims[0] = -1;
  return T.reshape(Dims);
}

/// Inference only, as isInferenceNormalization() of lib/Analysis, here with the attributes that a call of a function
/// gives.
static bool isInference(const Attributes &A) {
  return A.getInt("training_mode", 0) == 0 && A.getInt("spatial", 1) == 1 && A.node().numOutputs() == 1;
}

static Tensors batchNormalization(const OpContext &C) {
  const at::Tensor &X = C.input(0);
  double Epsilon = C.attributes().getFloat("epsilon", 1e-5f);
  if (X.dim() < 2 || X.scalar_type() != C.input(1).scalar_type() || X.scalar_type() != C.input(3).scalar_type()) {
    at::Tensor Scale = C.input(1) / at::sqrt(C.input(4) + Epsilon);
    at::Tensor Shift = C.input(2) - C.input(3) * Scale;
    TORCH_CHECK(X.dim() >= 2 || Scale.numel() == 1, "expected a channel axis, got ", X.dim(), " dimensions");
    return {X.dim() < 2 ? X * Scale + Shift : X * perChannel(Scale, X) + perChannel(Shift, X)};
  }
  return {at::batch_norm(X, C.input(1), C.input(2), C.input(3), C.input(4), /*training=*/false, /*momentum=*/0, Epsilon,
                         /*cudnn_enabled=*/true)};
}

static Tensors instanceNormalization(const OpContext &C) {
  return {at::instance_norm(C.input(0), C.input(1), C.input(2), {}, {}, /*use_input_stats=*/true, /*momentum=*/0,
                            C.attributes().getFloat("epsilon", 1e-5f), /*cudnn_enabled=*/true)};
}

/// The axes from `axis` on.
static Ints normalizedAxes(const OpContext &C) {
  int64_t Rank = C.input(0).dim();
  Ints Axes(Rank - normalizeAxis(C.attributes().getInt("axis", -1), Rank));
  std::iota(Axes.begin(), Axes.end(), Rank - Axes.size());
  return Axes;
}

static Tensors layerNormalization(const OpContext &C) {
  const at::Tensor &X = C.input(0);
  Ints Shape;
  for (int64_t Axis : normalizedAxes(C))
    Shape.push_back(X.size(Axis));
  auto [Y, Mean, InverseDeviation] = at::native_layer_norm(X, Shape, {}, {}, C.attributes().getFloat("epsilon", 1e-5f));
  Y = Y * C.input(1);
  if (C.hasInput(2))
    Y = Y + C.input(2);
  return {Y, Mean, InverseDeviation};
}

static Tensors rmsNormalization(const OpContext &C) {
  const at::Tensor &X = C.input(0);
  at::Tensor MeanSquare = at::mean(X * X, normalizedAxes(C), /*keepdim=*/true);
  return {X * at::rsqrt(MeanSquare + C.attributes().getFloat("epsilon", 1e-5f)) * C.input(1)};
}

/// Scale and bias have one element a group up to opset 20, and one a channel later.
static Tensors groupNormalization(const OpContext &C) {
  const at::Tensor &X = C.input(0);
  int64_t Groups = C.attributes().getInt("num_groups", 0);
  TORCH_CHECK(Groups > 0 && X.dim() >= 2 && X.size(1) % Groups == 0, "cannot form ", Groups, " groups");
  auto Channels = [&](const at::Tensor &T) {
    return T.numel() == X.size(1) ? T : at::repeat_interleave(T, X.size(1) / Groups);
  };
  return {
      at::group_norm(X, Groups, Channels(C.input(1)), Channels(C.input(2)), C.attributes().getFloat("epsilon", 1e-5f))};
}

/// X / (bias + alpha/size * sum of squares of `size` neighbouring channels)^beta.
static Tensors localResponseNormalization(const OpContext &C) {
  const Attributes &A = C.attributes();
  const at::Tensor &X = C.input(0);
  int64_t Size = A.getInt("size", 0);
  TORCH_CHECK(Size > 0 && X.dim() >= 2, "cannot normalise over ", Size, " channels");
  at::Tensor Squares = (X * X).movedim(1, -1);
  at::Tensor Padded = at::constant_pad_nd(Squares, {(Size - 1) / 2, Size / 2});
  at::Tensor Sums = Padded.unfold(-1, Size, 1).sum(-1).movedim(-1, 1);
  double Alpha = A.getFloat("alpha", 1e-4f), Beta = A.getFloat("beta", 0.75f), Bias = A.getFloat("bias", 1.0f);
  return {X / at::pow(Sums * (Alpha / Size) + Bias, Beta)};
}

static Tensors lpNormalization(const OpContext &C) {
  const at::Tensor &X = C.input(0);
  int64_t Axis = normalizeAxis(C.attributes().getInt("axis", -1), X.dim());
  at::Tensor Norm = at::norm(X, at::Scalar(C.attributes().getInt("p", 2)), {Axis}, /*keepdim=*/true);
  // A vector of zeros stays one.
  return {at::where(Norm == 0, at::zeros({}, X.options()), X / Norm)};
}

static Tensors meanVarianceNormalization(const OpContext &C) {
  const at::Tensor &X = C.input(0);
  Ints Axes = C.attributes().getInts("axes", {0, 2, 3});
  at::Tensor Centred = X - at::mean(X, Axes, /*keepdim=*/true);
  at::Tensor Variance = at::mean(Centred * Centred, Axes, /*keepdim=*/true);
  return {Centred / (at::sqrt(Variance) + 1e-9)};
}

/// The mask says which elements stay: all of them.
static Tensors dropout(const OpContext &C) {
  const at::Tensor &X = C.input(0);
  bool IsTraining = C.hasInput(2) && C.input(2).item<bool>();
  double Ratio = C.hasInput(1) ? C.input(1).item<double>() : C.attributes().getFloat("ratio", 0.5f);
  TORCH_CHECK(!IsTraining || Ratio == 0, "training is not supported");
  return {X, at::ones(X.sizes(), X.options().dtype(C.opset() >= 10 ? at::kBool : X.scalar_type()))};
}

llvm::ArrayRef<Operator> exec::normalizationOperators() {
  static const Operator Table[] = {
      {"BatchNormalization", batchNormalization, isInference},
      {"Dropout", dropout},
      {"GroupNormalization", groupNormalization},
      {"InstanceNormalization", instanceNormalization},
      {"LRN", localResponseNormalization},
      {"LayerNormalization", layerNormalization},
      {"LpNormalization", lpNormalization},
      {"MeanVarianceNormalization", meanVarianceNormalization},
      {"RMSNormalization", rmsNormalization},
  };
  return Table;
}
