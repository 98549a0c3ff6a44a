//===- Slicing.cpp - operators that cut and join tensors -----------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"

#include "llvm/Support/MathExtras.h"

#include <numeric>

using namespace deepshare;
using namespace deepshare::exec;

static Tensors concat(const OpContext &C) {
  TORCH_CHECK(C.numInputs() > 0, "there is no input");
  std::vector<at::Tensor> Parts(C.inputs().begin(), C.inputs().end());
  return {at::cat(Parts, normalizeAxis(C.attributes().getInt("axis", 1), C.input(0).dim()))};
}

/// The sizes are an attribute up to opset 12, an input later; equal parts if neither is there, the last one smaller
/// from opset 18 on.
static Tensors split(const OpContext &C) {
  const at::Tensor &X = C.input(0);
  int64_t Axis = normalizeAxis(C.attributes().getInt("axis", 0), X.dim());
  std::optional<Ints> Sizes = C.intsArgument("split", 1);
  if (!Sizes) {
    int64_t Parts = C.attributes().getInt("num_outputs", C.numOutputs());
    TORCH_CHECK(Parts > 0, "expected a positive number of outputs, got ", Parts);
    int64_t Whole = llvm::divideCeil(X.size(Axis), Parts);
    Sizes = Ints(Parts, Whole);
    Sizes->back() = X.size(Axis) - Whole * (Parts - 1);
    TORCH_CHECK(Sizes->back() >= 0 && (C.opset() >= 18 || Sizes->back() == Whole), "cannot split size ", X.size(Axis),
                " into ", Parts, " parts");
  }
  std::vector<at::Tensor> Parts = at::split_with_sizes(X, *Sizes, Axis);
  return Tensors(Parts.begin(), Parts.end());
}

/// Bounds are clamped as numpy does it; a negative step runs from the end to the start.
static at::Tensor sliceAxis(const at::Tensor &X, int64_t Axis, int64_t Start, int64_t End, int64_t Step) {
  TORCH_CHECK(Step != 0, "the step is 0");
  int64_t Size = X.size(Axis);
  int64_t Low = Step > 0 ? 0 : -1, High = Step > 0 ? Size : Size - 1;
  Start = std::clamp(Start < 0 ? Start + Size : Start, Low, High);
  End = std::clamp(End < 0 ? End + Size : End, Low, High);
  if (Step > 0)
    return at::slice(X, Axis, Start, std::max(Start, End), Step);
  if (End >= Start)
    return at::slice(X, Axis, 0, 0);
  // The distance is below the size, so that a large step may be cut to it.
  int64_t Stride = -std::max(Step, -Size);
  int64_t Last = Start - (Start - End - 1) / Stride * Stride;
  return at::slice(X, Axis, Last, Start + 1, Stride).flip(Axis);
}

static Tensors slice(const OpContext &C) {
  at::Tensor X = C.input(0);
  std::optional<Ints> Starts = C.intsArgument("starts", 1), Ends = C.intsArgument("ends", 2);
  TORCH_CHECK(Starts && Ends && Starts->size() == Ends->size(), "expected as many ends as starts");
  Ints Axes(Starts->size());
  std::iota(Axes.begin(), Axes.end(), 0);
  Axes = normalizeAxes(C.intsArgument("axes", 3).value_or(Axes), X.dim());
  Ints Steps = C.hasInput(4) ? C.ints(4) : Ints(Starts->size(), 1);
  TORCH_CHECK(Axes.size() == Starts->size() && Steps.size() == Starts->size(), "expected ", Starts->size(),
              " axes and steps, got ", Axes.size(), " and ", Steps.size());
  for (size_t I = 0; I < Axes.size(); ++I)
    X = sliceAxis(X, Axes[I], (*Starts)[I], (*Ends)[I], Steps[I]);
  return {X};
}

//===----------------------------------------------------------------------===//
// Pad
//===----------------------------------------------------------------------===//

/// Which element of an axis of \p Size stands at position \p At, counted from its first and possibly outside of it.
static int64_t sourcePosition(int64_t At, int64_t Size, llvm::StringRef Mode) {
  auto Wrapped = [](int64_t Position, int64_t Period) { return ((Position % Period) + Period) % Period; };
  if (Mode == "edge")
    return std::clamp<int64_t>(At, 0, Size - 1);
  if (Mode == "wrap")
    return Wrapped(At, Size);
  if (Size == 1)
    return 0;
  int64_t Position = Wrapped(At, 2 * (Size - 1));
  return Position < Size ? Position : 2 * (Size - 1) - Position;
}

static Tensors pad(const OpContext &C) {
  at::Tensor X = C.input(0);
  std::optional<Ints> Pads = C.intsArgument("pads", 1);
  Ints Axes(X.dim());
  std::iota(Axes.begin(), Axes.end(), 0);
  if (C.hasInput(3))
    Axes = normalizeAxes(C.ints(3), X.dim());
  TORCH_CHECK(Pads && Pads->size() == 2 * Axes.size(), "expected ", 2 * Axes.size(), " pads, got ",
              Pads ? Pads->size() : 0);
  Ints Begin(X.dim(), 0), End(X.dim(), 0);
  for (size_t I = 0; I < Axes.size(); ++I) {
    Begin[Axes[I]] = (*Pads)[I];
    End[Axes[I]] = (*Pads)[I + Axes.size()];
    TORCH_CHECK(X.size(Axes[I]) + Begin[Axes[I]] + End[Axes[I]] >= 0, "axis ", Axes[I], " of size ", X.size(Axes[I]),
                " cannot lose more than it has");
  }

  std::string Mode = C.attributes().getString("mode", "constant");
  if (Mode == "constant") {
    at::Scalar Fill = C.hasInput(2) ? C.input(2).item() : at::Scalar(C.attributes().getFloat("value", 0.0f));
    Ints Flat; // ATen's order: last axis first, before and after in turn
    for (int64_t Axis = X.dim(); Axis-- > 0;) {
      Flat.push_back(Begin[Axis]);
      Flat.push_back(End[Axis]);
    }
    return {at::constant_pad_nd(X, Flat, Fill)};
  }
  TORCH_CHECK(Mode == "reflect" || Mode == "edge" || Mode == "wrap", "unknown mode '", Mode, "'");
  for (int64_t Axis = 0; Axis < X.dim(); ++Axis) {
    if (!Begin[Axis] && !End[Axis])
      continue;
    // Cutting comes first: what is cut off does not come back by reflection.
    int64_t CutBegin = std::max<int64_t>(-Begin[Axis], 0), CutEnd = std::max<int64_t>(-End[Axis], 0);
    X = at::slice(X, Axis, CutBegin, X.size(Axis) - CutEnd);
    int64_t Size = X.size(Axis);
    TORCH_CHECK(Size > 0, "axis ", Axis, " is empty");
    Ints Sources;
    for (int64_t At = -std::max<int64_t>(Begin[Axis], 0); At < Size + std::max<int64_t>(End[Axis], 0); ++At)
      Sources.push_back(sourcePosition(At, Size, Mode));
    X = at::index_select(X, Axis, at::tensor(Sources).to(X.device()));
  }
  return {X};
}

static Tensors trilu(const OpContext &C) {
  int64_t Diagonal = C.hasInput(1) ? C.integer(1) : 0;
  return {C.attributes().getInt("upper", 1) ? at::triu(C.input(0), Diagonal) : at::tril(C.input(0), Diagonal)};
}

llvm::ArrayRef<Operator> exec::slicingOperators() {
  static const Operator Table[] = {
      {"Concat", concat, nullptr, true}, {"Pad", pad, nullptr, true},     {"Slice", slice, nullptr, true},
      {"Split", split, nullptr, true},   {"Trilu", trilu, nullptr, true},
  };
  return Table;
}
