//===- Indexing.cpp - operators that pick and place elements -------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"

#include <numeric>

using namespace deepshare;
using namespace deepshare::exec;

/// Indices counted from 0: negative ones count from the end of \p Size. ATen raises for those out of range.
static at::Tensor normalizeIndices(const at::Tensor &Indices, int64_t Size) {
  at::Tensor Wide = Indices.to(at::kLong);
  return at::where(Wide < 0, Wide + Size, Wide);
}

static Tensors gather(const OpContext &C) {
  const at::Tensor &X = C.input(0), &Indices = C.input(1);
  int64_t Axis = normalizeAxis(C.attributes().getInt("axis", 0), X.dim());
  Ints Dims = X.sizes().slice(0, Axis).vec();
  Dims.insert(Dims.end(), Indices.sizes().begin(), Indices.sizes().end());
  Dims.insert(Dims.end(), X.sizes().begin() + Axis + 1, X.sizes().end());
  return {at::index_select(X, Axis, normalizeIndices(Indices, X.size(Axis)).reshape(-1)).reshape(Dims)};
}

static Tensors gatherElements(const OpContext &C) {
  const at::Tensor &X = C.input(0);
  int64_t Axis = normalizeAxis(C.attributes().getInt("axis", 0), X.dim());
  return {at::gather(X, Axis, normalizeIndices(C.input(1), X.size(Axis)))};
}

/// The position in a tensor of \p Dims, flattened, of each index tuple in the last axis of \p Indices.
static at::Tensor linearPositions(const at::Tensor &Indices, at::IntArrayRef Dims) {
  at::Tensor Positions = at::zeros(Indices.sizes().slice(0, Indices.dim() - 1), Indices.options().dtype(at::kLong));
  for (size_t I = 0; I < Dims.size(); ++I) {
    at::Tensor Index = normalizeIndices(Indices.select(-1, I), Dims[I]);
    TORCH_CHECK(Index.numel() == 0 || at::logical_and(Index >= 0, Index < Dims[I]).all().item<bool>(),
                "an index is out of range for size ", Dims[I]);
    Positions = Positions * Dims[I] + Index;
  }
  return Positions;
}

static int64_t product(at::IntArrayRef Dims) {
  return std::accumulate(Dims.begin(), Dims.end(), int64_t(1), std::multiplies<>());
}

static Tensors gatherND(const OpContext &C) {
  const at::Tensor &X = C.input(0), &Indices = C.input(1);
  int64_t Batch = C.attributes().getInt("batch_dims", 0);
  TORCH_CHECK(Indices.dim() > 0, "the indices have no dimension");
  int64_t Depth = Indices.size(-1);
  TORCH_CHECK(Batch >= 0 && Batch < Indices.dim() && Batch + Depth <= X.dim(), "cannot index ", X.dim(),
              " dimensions by ", Depth, " after ", Batch, " of batch");
  at::IntArrayRef BatchDims = X.sizes().slice(0, Batch), Indexed = X.sizes().slice(Batch, Depth),
                  Rest = X.sizes().slice(Batch + Depth);
  at::Tensor Positions = linearPositions(Indices, Indexed);
  Ints Dims = Positions.sizes().vec();
  Dims.insert(Dims.end(), Rest.begin(), Rest.end());
  int64_t Batches = product(BatchDims);
  Positions = Positions.reshape({Batches, Batches ? Positions.numel() / Batches : 0, 1});
  Positions = Positions.expand({Positions.size(0), Positions.size(1), product(Rest)});
  return {at::gather(X.reshape({Batches, product(Indexed), product(Rest)}), 1, Positions).reshape(Dims)};
}

/// ATen's name for a reduction of ONNX's scatter operators.
static std::string scatterReduction(const OpContext &C) {
  std::string Name = C.attributes().getString("reduction", "none");
  for (auto [Onnx, ATen] : {std::pair("add", "sum"), {"mul", "prod"}, {"max", "amax"}, {"min", "amin"}})
    if (Name == Onnx)
      return ATen;
  TORCH_CHECK(Name == "none", "unknown reduction '", Name, "'");
  return "";
}

static at::Tensor scatterAlong(const at::Tensor &X, int64_t Axis, const at::Tensor &Indices, const at::Tensor &Updates,
                               const std::string &Reduction) {
  if (Reduction.empty())
    return at::scatter(X, Axis, Indices, Updates);
  return at::scatter_reduce(X, Axis, Indices, Updates, Reduction);
}

static Tensors scatterElements(const OpContext &C) {
  const at::Tensor &X = C.input(0);
  int64_t Axis = normalizeAxis(C.attributes().getInt("axis", 0), X.dim());
  return {scatterAlong(X, Axis, normalizeIndices(C.input(1), X.size(Axis)), C.input(2), scatterReduction(C))};
}

static Tensors scatterND(const OpContext &C) {
  const at::Tensor &X = C.input(0), &Indices = C.input(1), &Updates = C.input(2);
  TORCH_CHECK(Indices.dim() > 0 && Indices.size(-1) <= X.dim(), "the indices do not fit ", X.dim(), " dimensions");
  at::IntArrayRef Indexed = X.sizes().slice(0, Indices.size(-1)), Rest = X.sizes().slice(Indices.size(-1));
  at::Tensor Positions = linearPositions(Indices, Indexed).reshape({-1, 1});
  Positions = Positions.expand({Positions.size(0), product(Rest)});
  at::Tensor Rows = X.reshape({product(Indexed), product(Rest)});
  return {scatterAlong(Rows, 0, Positions, Updates.reshape(Positions.sizes()), scatterReduction(C)).reshape(X.sizes())};
}

static Tensors oneHot(const OpContext &C) {
  const at::Tensor &Values = C.input(2);
  int64_t Depth = C.input(1).item<int64_t>();
  TORCH_CHECK(Depth > 0 && Values.numel() == 2, "expected a positive depth and two values");
  at::Tensor Indices = normalizeIndices(C.input(0), Depth);
  int64_t Axis = normalizeAxis(C.attributes().getInt("axis", -1), Indices.dim() + 1);
  Ints Dims(Indices.dim() + 1, 1);
  Dims[Axis] = Depth;
  at::Tensor IsHot = Indices.unsqueeze(Axis) == at::arange(Depth, Indices.options()).reshape(Dims);
  at::Tensor Flat = Values.reshape(-1);
  return {at::where(IsHot, Flat[1], Flat[0])};
}

static Tensors nonZero(const OpContext &C) { return {at::nonzero(C.input(0)).t()}; }

static Tensors compress(const OpContext &C) {
  const at::Tensor Condition = C.input(1).reshape(-1);
  at::Tensor X = C.input(0);
  bool HasAxis = C.attributes().has("axis");
  if (!HasAxis)
    X = X.reshape(-1);
  int64_t Axis = HasAxis ? normalizeAxis(C.attributes().getInt("axis", 0), X.dim()) : 0;
  return {at::index_select(X, Axis, at::nonzero(Condition).reshape(-1))};
}

/// Of equal elements the one with the smaller index comes first, which at::topk does not promise.
static Tensors topK(const OpContext &C) {
  const at::Tensor &X = C.input(0);
  int64_t Axis = normalizeAxis(C.attributes().getInt("axis", -1), X.dim());
  int64_t K = C.hasInput(1) ? C.integer(1) : C.attributes().getInt("k", -1);
  TORCH_CHECK(K >= 0 && K <= X.size(Axis), "cannot take ", K, " of ", X.size(Axis), " elements");
  bool Largest = C.attributes().getInt("largest", 1) != 0;
  auto [Values, Indices] = at::sort(X, /*stable=*/true, Axis, /*descending=*/Largest);
  return {Values.narrow(Axis, 0, K), Indices.narrow(Axis, 0, K)};
}

llvm::ArrayRef<Operator> exec::indexingOperators() {
  static const Operator Table[] = {
      {"Compress", compress, nullptr, true},
      {"Gather", gather, nullptr, true},
      {"GatherElements", gatherElements, nullptr, true},
      {"GatherND", gatherND, nullptr, true},
      {"NonZero", nonZero, nullptr, true},
      {"OneHot", oneHot, nullptr, true},
      {"Scatter", scatterElements},
      {"ScatterElements", scatterElements},
      {"ScatterND", scatterND},
      {"TopK", topK},
  };
  return Table;
}
