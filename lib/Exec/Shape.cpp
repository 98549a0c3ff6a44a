//===- Shape.cpp - operators that change or give shapes ------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"

#include <numeric>

using namespace deepshare;
using namespace deepshare::exec;

static Tensors identity(const OpContext &C) { return {C.input(0)}; }

static Tensors shapeOf(const OpContext &C) {
  const at::Tensor &X = C.input(0);
  // Out-of-range bounds are clamped.
  auto Bound = [&](llvm::StringRef Name, int64_t Default) {
    int64_t Value = C.attributes().getInt(Name, Default);
    return std::clamp<int64_t>(Value < 0 ? Value + X.dim() : Value, 0, X.dim());
  };
  int64_t Start = Bound("start", 0), End = std::max(Start, Bound("end", X.dim()));
  return {at::tensor(X.sizes().slice(Start, End - Start), at::dtype(at::kLong)).to(C.device())};
}

static Tensors size(const OpContext &C) { return {at::scalar_tensor(C.input(0).numel(), at::dtype(at::kLong))}; }

/// 0 copies the input's dimension (unless `allowzero`), -1 is what remains.
static Tensors reshape(const OpContext &C) {
  const at::Tensor &X = C.input(0);
  Ints Dims = C.ints(1);
  if (!C.attributes().getInt("allowzero", 0))
    for (size_t I = 0; I < Dims.size(); ++I)
      if (Dims[I] == 0) {
        TORCH_CHECK(static_cast<int64_t>(I) < X.dim(), "dimension ", I, " is 0, but the input has only ", X.dim());
        Dims[I] = X.size(I);
      }
  return {X.reshape(Dims)};
}

static Tensors flatten(const OpContext &C) {
  const at::Tensor &X = C.input(0);
  int64_t Axis = C.attributes().getInt("axis", 1);
  TORCH_CHECK(Axis >= -X.dim() && Axis <= X.dim(), "axis ", Axis, " is out of range for ", X.dim(), " dimensions");
  Axis = Axis < 0 ? Axis + X.dim() : Axis;
  auto Product = [](at::IntArrayRef Dims) {
    return std::accumulate(Dims.begin(), Dims.end(), int64_t(1), std::multiplies<>());
  };
  return {X.reshape({Product(X.sizes().slice(0, Axis)), Product(X.sizes().slice(Axis))})};
}

static Tensors squeeze(const OpContext &C) {
  const at::Tensor &X = C.input(0);
  std::optional<Ints> Axes = C.intsArgument("axes", 1);
  if (!Axes)
    return {X.squeeze()};
  Ints Dims = X.sizes().vec(), Dropped = normalizeAxes(*Axes, X.dim());
  llvm::sort(Dropped, std::greater<>());
  for (int64_t Axis : Dropped) {
    TORCH_CHECK(X.size(Axis) == 1, "axis ", Axis, ": expected size 1, got ", X.size(Axis));
    Dims.erase(Dims.begin() + Axis);
  }
  return {X.reshape(Dims)};
}

static Tensors unsqueeze(const OpContext &C) {
  at::Tensor X = C.input(0);
  std::optional<Ints> Axes = C.intsArgument("axes", 1);
  TORCH_CHECK(Axes, "axes are missing");
  Ints Added = normalizeAxes(*Axes, X.dim() + Axes->size());
  llvm::sort(Added);
  for (int64_t Axis : Added)
    X = X.unsqueeze(Axis);
  return {X};
}

/// Laid out anew: a sum over a view is added up in another order, and gates that are shared (which copies channels)
/// would change the last bits of what follows.
static Tensors transpose(const OpContext &C) {
  const at::Tensor &X = C.input(0);
  Ints Order(X.dim());
  std::iota(Order.rbegin(), Order.rend(), 0);
  return {X.permute(C.attributes().getInts("perm", Order)).contiguous()};
}

/// Broadcasting goes both ways.
static Tensors expand(const OpContext &C) {
  const at::Tensor &X = C.input(0);
  Ints Dims = C.ints(1);
  return {X.expand(at::infer_size(X.sizes(), Dims))};
}

static Tensors tile(const OpContext &C) {
  Ints Repeats = C.ints(1);
  TORCH_CHECK(static_cast<int64_t>(Repeats.size()) == C.input(0).dim(), "expected ", C.input(0).dim(), " repeats, got ",
              Repeats.size());
  return {C.input(0).repeat(Repeats)};
}

/// The size of a block of an image batch.
static int64_t blockSize(const OpContext &C) {
  TORCH_CHECK(C.input(0).dim() == 4, "expected 4 dimensions, got ", C.input(0).dim());
  int64_t Block = C.attributes().getInt("blocksize", 0);
  TORCH_CHECK(Block > 0, "expected a positive blocksize, got ", Block);
  return Block;
}

static Tensors depthToSpace(const OpContext &C) {
  const at::Tensor &X = C.input(0);
  int64_t B = blockSize(C);
  int64_t N = X.size(0), Channels = X.size(1) / (B * B), H = X.size(2), W = X.size(3);
  at::Tensor Y = C.attributes().getString("mode", "DCR") == "DCR"
                     ? X.reshape({N, B, B, Channels, H, W}).permute({0, 3, 4, 1, 5, 2})
                     : X.reshape({N, Channels, B, B, H, W}).permute({0, 1, 4, 2, 5, 3});
  return {Y.reshape({N, Channels, H * B, W * B})};
}

static Tensors spaceToDepth(const OpContext &C) {
  const at::Tensor &X = C.input(0);
  int64_t B = blockSize(C);
  int64_t N = X.size(0), Channels = X.size(1), H = X.size(2) / B, W = X.size(3) / B;
  at::Tensor Blocks = X.reshape({N, Channels, H, B, W, B});
  Blocks = C.attributes().getString("mode", "DCR") == "DCR" ? Blocks.permute({0, 3, 5, 1, 2, 4})
                                                            : Blocks.permute({0, 1, 3, 5, 2, 4});
  return {Blocks.reshape({N, Channels * B * B, H, W})};
}

llvm::ArrayRef<Operator> exec::shapeOperators() {
  static const Operator Table[] = {
      {"DepthToSpace", depthToSpace, nullptr, true},
      {"Expand", expand, nullptr, true},
      {"Flatten", flatten, nullptr, true},
      {"Identity", identity, nullptr, true},
      {"Reshape", reshape, nullptr, true},
      {"Shape", shapeOf, nullptr, true},
      {"Size", size, nullptr, true},
      {"SpaceToDepth", spaceToDepth, nullptr, true},
      {"Squeeze", squeeze, nullptr, true},
      {"Tile", tile, nullptr, true},
      {"Transpose", transpose, nullptr, true},
      {"Unsqueeze", unsqueeze, nullptr, true},
  };
  return Table;
}
