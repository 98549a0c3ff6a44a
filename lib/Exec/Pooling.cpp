//===- Pooling.cpp - pools -----------------------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"
#include "Window.h"

#include <limits>

using namespace deepshare;
using namespace deepshare::exec;

static Window poolWindow(const OpContext &C) {
  const at::Tensor &X = C.input(0);
  TORCH_CHECK(X.dim() >= 3 && X.dim() <= 5, "expected 1 to 3 spatial dimensions, got ", X.dim() - 2);
  return readPaddedWindow(C.attributes(), {}, X.sizes().slice(2));
}

static Ints sum(const Ints &A, const Ints &B) {
  Ints Result = A;
  for (unsigned I = 0; I < A.size(); ++I)
    Result[I] += B[I];
  return Result;
}

//===----------------------------------------------------------------------===//
// Maximum
//===----------------------------------------------------------------------===//

/// ATen's positions count within the padded plane of one channel; ONNX's count within the whole unpadded input, along
/// the last axis first or, with \p ColumnMajor, along the first spatial axis first.
static at::Tensor wholeTensorIndices(at::Tensor Flat, at::IntArrayRef Padded, at::IntArrayRef Spatial,
                                     const Ints &Begin, bool ColumnMajor) {
  unsigned Rank = Spatial.size();
  at::Tensor Result = at::zeros_like(Flat);
  int64_t Plane = 1;
  Ints Steps(Rank, 1);
  for (unsigned I = 0; I < Rank; ++I) {
    unsigned Axis = ColumnMajor ? I : Rank - 1 - I;
    Steps[Axis] = Plane;
    Plane *= Spatial[Axis];
  }
  for (unsigned Axis = Rank; Axis-- > 0;) {
    Result = Result + (at::remainder(Flat, Padded[Axis]) - Begin[Axis]) * Steps[Axis];
    Flat = at::div(Flat, Padded[Axis], "floor");
  }
  Ints PlaneShape(Rank + 2, 1);
  PlaneShape[0] = Flat.size(0);
  PlaneShape[1] = Flat.size(1);
  at::Tensor Planes = at::arange(Flat.size(0) * Flat.size(1), Flat.options()).reshape(PlaneShape);
  return Result + Planes * Plane;
}

static Tensors maxPool(const OpContext &C) {
  Window W = poolWindow(C);
  at::Tensor X = C.input(0);
  at::ScalarType Type = X.scalar_type();
  // Exact: integers of ONNX's MaxPool have 8 bits.
  if (!at::isFloatingType(Type))
    X = X.to(at::kFloat);
  Ints Begin = W.Begin, End = sum(W.End, W.Overhang), Padding(W.rank(), 0);
  bool FitsATen = W.isSymmetric();
  for (unsigned I = 0; I < W.rank(); ++I)
    FitsATen &= 2 * Begin[I] <= W.Kernel[I];
  if (FitsATen)
    std::swap(Padding, Begin), End = Begin;
  X = padTrailing(X, Begin, End, -std::numeric_limits<double>::infinity());

  auto Pool = [&]() -> std::tuple<at::Tensor, at::Tensor> {
    if (W.rank() == 1)
      return at::max_pool1d_with_indices(X, W.Kernel, W.Strides, Padding, W.Dilations);
    if (W.rank() == 2)
      return at::max_pool2d_with_indices(X, W.Kernel, W.Strides, Padding, W.Dilations);
    return at::max_pool3d_with_indices(X, W.Kernel, W.Strides, Padding, W.Dilations);
  };
  // Without the indices ATen can use faster kernels where no gradient is asked for.
  if (!C.wantsOutput(1)) {
    if (W.rank() == 2)
      return {at::max_pool2d(X, W.Kernel, W.Strides, Padding, W.Dilations).to(Type)};
    return {std::get<0>(Pool()).to(Type)};
  }
  auto [Y, Indices] = Pool();
  return {Y.to(Type), wholeTensorIndices(Indices, X.sizes().slice(2), C.input(0).sizes().slice(2), Begin,
                                         C.attributes().getInt("storage_order", 0) != 0)};
}

//===----------------------------------------------------------------------===//
// Sums and averages
//===----------------------------------------------------------------------===//

/// Sums over the windows of \p X, which is padded already: a convolution with ones, each channel by itself.
static at::Tensor windowSums(const at::Tensor &X, const Window &W) {
  Ints Single = X.sizes().vec();
  Single[0] *= Single[1];
  Single[1] = 1;
  Ints WeightShape = W.Kernel;
  WeightShape.insert(WeightShape.begin(), {1, 1});
  Ints Zeros(W.rank(), 0);
  at::Tensor Y = at::convolution(X.reshape(Single), at::ones(WeightShape, X.options()), {}, W.Strides, Zeros,
                                 W.Dilations, /*transposed=*/false, Zeros, /*groups=*/1);
  Ints Shape = Y.sizes().vec();
  Shape[0] = X.size(0);
  Shape[1] = X.size(1);
  return Y.reshape(Shape);
}

static at::Tensor averageByATen(const at::Tensor &X, const Window &W, bool CountPadding) {
  if (W.rank() == 1)
    return at::avg_pool1d(X, W.Kernel, W.Strides, W.Begin, /*ceil_mode=*/false, CountPadding);
  if (W.rank() == 2)
    return at::avg_pool2d(X, W.Kernel, W.Strides, W.Begin, /*ceil_mode=*/false, CountPadding);
  return at::avg_pool3d(X, W.Kernel, W.Strides, W.Begin, /*ceil_mode=*/false, CountPadding);
}

/// With `count_include_pad` the padding counts as elements; what windows read past the padding never does.
static Tensors averagePool(const OpContext &C) {
  Window W = poolWindow(C);
  const at::Tensor &X = C.input(0);
  bool CountPadding = C.attributes().getInt("count_include_pad", 0) != 0;
  bool FitsATen = W.isSymmetric();
  for (unsigned I = 0; I < W.rank(); ++I)
    FitsATen &= 2 * W.Begin[I] <= W.Kernel[I] && W.Dilations[I] == 1;
  if (FitsATen)
    return {averageByATen(X, W, CountPadding)};

  Ints Zeros(W.rank(), 0), End = sum(W.End, W.Overhang);
  Ints PlaneShape = X.sizes().vec();
  PlaneShape[0] = PlaneShape[1] = 1;
  at::Tensor Counted = at::ones(PlaneShape, X.options());
  Counted = CountPadding ? padTrailing(padTrailing(Counted, W.Begin, W.End, 1), Zeros, W.Overhang, 0)
                         : padTrailing(Counted, W.Begin, End, 0);
  return {windowSums(padTrailing(X, W.Begin, End, 0), W) / windowSums(Counted, W)};
}

static Tensors lpPool(const OpContext &C) {
  Window W = poolWindow(C);
  double P = C.attributes().getInt("p", 2);
  at::Tensor Powers = at::pow(at::abs(C.input(0)), P);
  return {at::pow(windowSums(padTrailing(Powers, W.Begin, sum(W.End, W.Overhang), 0), W), 1 / P)};
}

//===----------------------------------------------------------------------===//
// Global pools
//===----------------------------------------------------------------------===//

static Ints spatialAxes(const at::Tensor &X) {
  TORCH_CHECK(X.dim() >= 3, "expected at least one spatial dimension, got ", X.dim(), " dimensions");
  Ints Axes;
  for (int64_t Axis = 2; Axis < X.dim(); ++Axis)
    Axes.push_back(Axis);
  return Axes;
}

static Tensors globalAveragePool(const OpContext &C) {
  return {at::mean(C.input(0), spatialAxes(C.input(0)), /*keepdim=*/true)};
}

static Tensors globalMaxPool(const OpContext &C) {
  return {at::amax(C.input(0), spatialAxes(C.input(0)), /*keepdim=*/true)};
}

static Tensors globalLpPool(const OpContext &C) {
  double P = C.attributes().getInt("p", 2);
  const at::Tensor &X = C.input(0);
  return {at::pow(at::sum(at::pow(at::abs(X), P), spatialAxes(X), /*keepdim=*/true), 1 / P)};
}

llvm::ArrayRef<Operator> exec::poolingOperators() {
  static const Operator Table[] = {
      {"AveragePool", averagePool},
      {"GlobalAveragePool", globalAveragePool},
      {"GlobalLpPool", globalLpPool},
      {"GlobalMaxPool", globalMaxPool},
      {"LpPool", lpPool},
      {"MaxPool", maxPool},
  };
  return Table;
}
