//===- Resize.cpp - interpolation ----------------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Interpolation is separable: each axis in turn becomes a weighted sum of a few elements of the old axis ("taps"),
// whose places and weights are worked out on the host in double.
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"

#include <cmath>
#include <numeric>

using namespace deepshare;
using namespace deepshare::exec;

namespace {
/// How one axis is resized.
struct AxisPlan {
  int64_t Axis;
  int64_t In, Out;
  double Scale;
  /// Of tf_crop_and_resize: the part of the axis that is kept, from 0 to 1.
  double RegionStart = 0, RegionEnd = 1;
};

/// Places and weights, [Out][Taps].
struct Taps {
  unsigned Count = 0;
  std::vector<int64_t> Places;
  std::vector<double> Weights;
  /// Whether each output lies outside of the input (tf_crop_and_resize).
  std::vector<char> Outside;
};

struct Method {
  std::string Mode, Coordinates, Nearest;
  double CubicCoefficient = -0.75;
  bool ExcludeOutside = false, Antialias = false;
};
} // namespace

static double sourceCoordinate(const Method &M, const AxisPlan &P, int64_t At) {
  // Not rounded to whole elements, as Out is.
  double Length = P.Scale * P.In;
  if (M.Coordinates == "half_pixel")
    return (At + 0.5) / P.Scale - 0.5;
  if (M.Coordinates == "half_pixel_symmetric") {
    // The scale may have been rounded to give Out: the input's centre stays the output's.
    double Adjustment = P.Out / (P.Scale * P.In), Centre = P.In / 2.0;
    return Centre * (1 - Adjustment) + (At + 0.5) / P.Scale - 0.5;
  }
  if (M.Coordinates == "pytorch_half_pixel")
    return P.Out > 1 ? (At + 0.5) / P.Scale - 0.5 : 0;
  if (M.Coordinates == "align_corners")
    return Length == 1 ? 0 : At * (P.In - 1.0) / (Length - 1);
  if (M.Coordinates == "asymmetric")
    return At / P.Scale;
  if (M.Coordinates == "tf_half_pixel_for_nn")
    return (At + 0.5) / P.Scale;
  TORCH_CHECK(M.Coordinates == "tf_crop_and_resize", "unknown coordinate_transformation_mode '", M.Coordinates, "'");
  if (P.Out == 1)
    return 0.5 * (P.RegionStart + P.RegionEnd) * (P.In - 1);
  return P.RegionStart * (P.In - 1) + At * (P.RegionEnd - P.RegionStart) * (P.In - 1) / (Length - 1);
}

static int64_t nearestPlace(const Method &M, const AxisPlan &P, double Coordinate) {
  if (M.Nearest == "opset10")
    return P.Scale < 1 ? std::ceil(Coordinate) : std::floor(Coordinate);
  if (M.Nearest == "round_prefer_floor")
    return std::ceil(Coordinate - 0.5);
  if (M.Nearest == "round_prefer_ceil")
    return std::floor(Coordinate + 0.5);
  if (M.Nearest == "floor")
    return std::floor(Coordinate);
  TORCH_CHECK(M.Nearest == "ceil", "unknown nearest_mode '", M.Nearest, "'");
  return std::ceil(Coordinate);
}

/// The interpolation kernel: weight of an element at \p Distance.
static double kernelWeight(const Method &M, double Distance) {
  double D = std::abs(Distance);
  if (M.Mode == "linear")
    return std::max(0.0, 1 - D);
  double A = M.CubicCoefficient; // Keys' cubic convolution
  if (D < 1)
    return ((A + 2) * D - (A + 3)) * D * D + 1;
  if (D < 2)
    return ((A * D - 5 * A) * D + 8 * A) * D - 4 * A;
  return 0;
}

static Taps makeTaps(const Method &M, const AxisPlan &P) {
  Taps T;
  // When shrinking, antialiasing widens the kernel to cover what an output stands for.
  double Stretch = M.Antialias && P.Scale < 1 ? P.Scale : 1;
  double Support = (M.Mode == "linear" ? 1 : 2) / Stretch;
  T.Count = M.Mode == "nearest" ? 1 : static_cast<unsigned>(2 * std::ceil(Support));
  auto Clamped = [&](int64_t Place) { return std::clamp<int64_t>(Place, 0, P.In - 1); };
  for (int64_t At = 0; At < P.Out; ++At) {
    double Coordinate = sourceCoordinate(M, P, At);
    T.Outside.push_back(Coordinate < 0 || Coordinate > P.In - 1);
    if (M.Mode == "nearest") {
      T.Places.push_back(Clamped(nearestPlace(M, P, Coordinate)));
      T.Weights.push_back(1);
      continue;
    }
    int64_t First = static_cast<int64_t>(std::floor(Coordinate)) - T.Count / 2 + 1;
    double Sum = 0;
    for (int64_t Place = First; Place < First + T.Count; ++Place) {
      bool IsInside = Place >= 0 && Place < P.In;
      double Weight = kernelWeight(M, (Place - Coordinate) * Stretch);
      if (!IsInside && M.ExcludeOutside)
        Weight = 0;
      T.Places.push_back(Clamped(Place));
      T.Weights.push_back(Weight);
      Sum += Weight;
    }
    if ((M.ExcludeOutside || M.Antialias) && Sum != 0)
      for (double &Weight : llvm::MutableArrayRef(T.Weights).take_back(T.Count))
        Weight /= Sum;
  }
  return T;
}

static at::Tensor applyTaps(const at::Tensor &X, const AxisPlan &P, const Taps &T) {
  at::Tensor Places = at::tensor(T.Places).reshape({P.Out, T.Count}).to(X.device());
  if (T.Count == 1)
    return at::index_select(X, P.Axis, Places.select(1, 0));
  at::Tensor Weights = at::tensor(T.Weights).reshape({P.Out, T.Count}).to(X.options());
  Ints Dims(X.dim(), 1);
  Dims[P.Axis] = P.Out;
  at::Tensor Y;
  for (unsigned Tap = 0; Tap < T.Count; ++Tap) {
    at::Tensor Term = at::index_select(X, P.Axis, Places.select(1, Tap)) * Weights.select(1, Tap).reshape(Dims);
    Y = Y.defined() ? Y + Term : Term;
  }
  return Y;
}

static at::Tensor resizeAxes(const at::Tensor &X, const Method &M, llvm::ArrayRef<AxisPlan> Axes,
                             double Extrapolation) {
  at::ScalarType Type = X.scalar_type();
  at::Tensor Y = M.Mode == "nearest" || at::isFloatingType(Type) ? X : X.to(at::kFloat);
  at::Tensor Outside;
  for (const AxisPlan &P : Axes) {
    bool IsCrop = M.Coordinates == "tf_crop_and_resize";
    if (P.In == P.Out && P.Scale == 1 && !IsCrop)
      continue;
    TORCH_CHECK(P.In > 0 || P.Out == 0, "axis ", P.Axis, " is empty");
    Taps T = makeTaps(M, P);
    Y = applyTaps(Y, P, T);
    if (!IsCrop)
      continue;
    Ints Dims(X.dim(), 1);
    Dims[P.Axis] = P.Out;
    at::Tensor Mask = at::tensor(std::vector<int64_t>(T.Outside.begin(), T.Outside.end())).ne(0).reshape(Dims);
    Mask = Mask.to(X.device());
    Outside = Outside.defined() ? at::logical_or(Outside, Mask) : Mask;
  }
  if (Outside.defined())
    Y = at::where(Outside, at::scalar_tensor(Extrapolation, Y.options()), Y);
  return Y.scalar_type() == Type ? Y : Y.to(Type);
}

static std::vector<double> doubles(const at::Tensor &T) {
  at::Tensor Host = T.to(at::TensorOptions(at::kCPU).dtype(at::kDouble)).contiguous();
  const double *Data = Host.data_ptr<double>();
  return std::vector<double>(Data, Data + Host.numel());
}

static void setScales(std::vector<AxisPlan> &Axes, llvm::ArrayRef<double> Scales) {
  TORCH_CHECK(Scales.size() == Axes.size(), "expected ", Axes.size(), " scales, got ", Scales.size());
  for (auto [P, Scale] : llvm::zip(Axes, Scales)) {
    TORCH_CHECK(Scale > 0, "expected a positive scale, got ", Scale);
    P.Scale = Scale;
    // In the precision of the scales: 10 * 0.7f is 7.
    P.Out = static_cast<int64_t>(std::floor(static_cast<float>(P.In) * static_cast<float>(Scale)));
  }
}

static void setSizes(std::vector<AxisPlan> &Axes, const Ints &Sizes, llvm::StringRef Policy) {
  TORCH_CHECK(Sizes.size() == Axes.size(), "expected ", Axes.size(), " sizes, got ", Sizes.size());
  for (auto [P, Size] : llvm::zip(Axes, Sizes)) {
    P.Out = Size;
    P.Scale = static_cast<double>(Size) / P.In;
  }
  if (Policy == "stretch" || Axes.empty())
    return;
  auto Compare = [](const AxisPlan &A, const AxisPlan &B) { return A.Scale < B.Scale; };
  double Scale =
      Policy == "not_larger" ? llvm::min_element(Axes, Compare)->Scale : llvm::max_element(Axes, Compare)->Scale;
  for (AxisPlan &P : Axes) {
    P.Scale = Scale;
    P.Out = static_cast<int64_t>(std::floor(P.In * Scale + 0.5));
  }
}

static std::vector<AxisPlan> allAxes(const at::Tensor &X, const Ints &Axes) {
  std::vector<AxisPlan> Plans;
  for (int64_t Axis : Axes)
    Plans.push_back({Axis, X.size(Axis), X.size(Axis), 1});
  return Plans;
}

static Tensors resize(const OpContext &C) {
  const Attributes &A = C.attributes();
  const at::Tensor &X = C.input(0);
  Method M;
  M.Mode = A.getString("mode", "nearest");
  TORCH_CHECK(M.Mode == "nearest" || M.Mode == "linear" || M.Mode == "cubic", "unknown mode '", M.Mode, "'");
  // Opset 10 had neither sizes nor modes.
  bool IsOld = C.opset() < 11;
  M.Coordinates = A.getString("coordinate_transformation_mode", IsOld ? "asymmetric" : "half_pixel");
  M.Nearest = A.getString("nearest_mode", IsOld ? "opset10" : "round_prefer_floor");
  M.CubicCoefficient = A.getFloat("cubic_coeff_a", -0.75f);
  M.ExcludeOutside = A.getInt("exclude_outside", 0) != 0;
  M.Antialias = A.getInt("antialias", 0) != 0;

  Ints AxisList(X.dim());
  std::iota(AxisList.begin(), AxisList.end(), 0);
  std::vector<AxisPlan> Axes = allAxes(X, normalizeAxes(A.getInts("axes", AxisList), X.dim()));
  unsigned ScalesAt = IsOld ? 1 : 2;
  if (C.hasInput(3) && C.input(3).numel() > 0)
    setSizes(Axes, C.ints(3), A.getString("keep_aspect_ratio_policy", "stretch"));
  else
    setScales(Axes, doubles(C.input(ScalesAt)));
  if (M.Coordinates == "tf_crop_and_resize") {
    std::vector<double> Region = doubles(C.input(1));
    TORCH_CHECK(Region.size() == 2 * Axes.size(), "expected ", 2 * Axes.size(), " bounds of the region, got ",
                Region.size());
    for (size_t I = 0; I < Axes.size(); ++I) {
      Axes[I].RegionStart = Region[I];
      Axes[I].RegionEnd = Region[I + Axes.size()];
    }
  }
  return {resizeAxes(X, M, Axes, A.getFloat("extrapolation_value", 0.0f))};
}

/// Opsets 7 and 9: the scales are an attribute, then an input.
static Tensors upsample(const OpContext &C) {
  const at::Tensor &X = C.input(0);
  Method M;
  M.Mode = C.attributes().getString("mode", "nearest");
  TORCH_CHECK(M.Mode == "nearest" || M.Mode == "linear", "unknown mode '", M.Mode, "'");
  M.Coordinates = "asymmetric";
  M.Nearest = "floor";
  Ints AxisList(X.dim());
  std::iota(AxisList.begin(), AxisList.end(), 0);
  std::vector<AxisPlan> Axes = allAxes(X, AxisList);
  if (C.hasInput(1)) {
    setScales(Axes, doubles(C.input(1)));
  } else {
    const auto *Scales = C.attributes().get<std::vector<float>>("scales");
    TORCH_CHECK(Scales, "attribute 'scales' is missing");
    setScales(Axes, std::vector<double>(Scales->begin(), Scales->end()));
  }
  return {resizeAxes(X, M, Axes, 0)};
}

llvm::ArrayRef<Operator> exec::resizeOperators() {
  static const Operator Table[] = {
      {"Resize", resize},
      {"Upsample", upsample},
  };
  return Table;
}
