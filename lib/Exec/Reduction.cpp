//===- Reduction.cpp - reductions ----------------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"

#include <limits>
#include <numeric>

using namespace deepshare;
using namespace deepshare::exec;

/// Reduces over axes, which are normalised and may be none; sizes are kept as 1 if KeepDims.
using ReduceFunction = at::Tensor(const at::Tensor &X, const Ints &Axes, bool KeepDims);

static Ints reducedAxes(const OpContext &C) {
  int64_t Rank = C.input(0).dim();
  Ints Axes = C.intsArgument("axes", 1).value_or(Ints());
  if (!Axes.empty() || C.attributes().getInt("noop_with_empty_axes", 0))
    return normalizeAxes(Axes, Rank);
  Axes.resize(Rank);
  std::iota(Axes.begin(), Axes.end(), 0);
  return Axes;
}

template <ReduceFunction *Function> static Tensors reduce(const OpContext &C) {
  return {Function(C.input(0), reducedAxes(C), C.attributes().getInt("keepdims", 1) != 0)};
}

/// The sum in the input's own type: ATen would widen short integers.
static at::Tensor sum(const at::Tensor &X, const Ints &Axes, bool KeepDims) {
  // ATen takes no axes for all axes.
  return Axes.empty() ? X : at::sum(X, Axes, KeepDims, X.scalar_type());
}

static at::Tensor mean(const at::Tensor &X, const Ints &Axes, bool KeepDims) {
  int64_t Count = 1;
  for (int64_t Axis : Axes)
    Count *= X.size(Axis);
  at::Tensor Sum = sum(X, Axes, KeepDims);
  return at::isIntegralType(X.scalar_type(), false) ? at::div(Sum, Count, "trunc") : at::div(Sum, Count);
}

static at::Tensor prod(const at::Tensor &X, const Ints &Axes, bool KeepDims) {
  Ints Descending = Axes;
  llvm::sort(Descending, std::greater<>());
  at::Tensor Result = X;
  for (int64_t Axis : Descending)
    Result = at::prod(Result, Axis, KeepDims, X.scalar_type());
  return Result;
}

static at::Tensor l1(const at::Tensor &X, const Ints &Axes, bool KeepDims) { return sum(at::abs(X), Axes, KeepDims); }

static at::Tensor sumSquare(const at::Tensor &X, const Ints &Axes, bool KeepDims) { return sum(X * X, Axes, KeepDims); }

/// Functions that leave the integers: computed in double for them.
static at::Tensor inFloat(const at::Tensor &X) {
  return at::isIntegralType(X.scalar_type(), false) ? X.to(at::kDouble) : X;
}

static at::Tensor l2(const at::Tensor &X, const Ints &Axes, bool KeepDims) {
  return at::sqrt(inFloat(sumSquare(X, Axes, KeepDims))).to(X.scalar_type());
}

static at::Tensor logSum(const at::Tensor &X, const Ints &Axes, bool KeepDims) {
  return at::log(inFloat(sum(X, Axes, KeepDims))).to(X.scalar_type());
}

static at::Tensor logSumExp(const at::Tensor &X, const Ints &Axes, bool KeepDims) {
  return Axes.empty() ? X : at::logsumexp(inFloat(X), Axes, KeepDims).to(X.scalar_type());
}

/// The extreme over no elements is the type's: minus infinity, or the least integer, for a maximum.
template <bool IsMax> static at::Tensor extreme(const at::Tensor &X, const Ints &Axes, bool KeepDims) {
  if (Axes.empty())
    return X;
  if (X.numel() != 0)
    return IsMax ? at::amax(X, Axes, KeepDims) : at::amin(X, Axes, KeepDims);
  at::Tensor Shape = at::sum(X, Axes, KeepDims);
  at::Scalar Fill = IsMax ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
  if (X.scalar_type() == at::kBool)
    Fill = !IsMax;
  else if (X.scalar_type() == at::kLong)
    Fill = IsMax ? std::numeric_limits<int64_t>::lowest() : std::numeric_limits<int64_t>::max();
  else if (X.scalar_type() == at::kInt)
    Fill = IsMax ? std::numeric_limits<int32_t>::lowest() : std::numeric_limits<int32_t>::max();
  else if (X.scalar_type() == at::kChar)
    Fill = IsMax ? std::numeric_limits<int8_t>::lowest() : std::numeric_limits<int8_t>::max();
  else if (X.scalar_type() == at::kByte)
    Fill = IsMax ? std::numeric_limits<uint8_t>::lowest() : std::numeric_limits<uint8_t>::max();
  return at::full(Shape.sizes(), Fill, X.options());
}

//===----------------------------------------------------------------------===//
// Positions and running sums
//===----------------------------------------------------------------------===//

template <bool IsMax> static Tensors argExtreme(const OpContext &C) {
  at::Tensor X = C.input(0);
  int64_t Axis = normalizeAxis(C.attributes().getInt("axis", 0), X.dim());
  bool KeepDims = C.attributes().getInt("keepdims", 1) != 0;
  bool SelectLast = C.attributes().getInt("select_last_index", 0) != 0;
  // ATen gives the first of equal elements.
  if (SelectLast)
    X = X.flip(Axis);
  at::Tensor Index = IsMax ? at::argmax(X, Axis, KeepDims) : at::argmin(X, Axis, KeepDims);
  return {SelectLast ? X.size(Axis) - 1 - Index : Index};
}

static Tensors cumSum(const OpContext &C) {
  at::Tensor X = C.input(0);
  int64_t Axis = normalizeAxis(C.integer(1), X.dim());
  bool IsReversed = C.attributes().getInt("reverse", 0) != 0;
  if (IsReversed)
    X = X.flip(Axis);
  at::Tensor Y = at::cumsum(X, Axis, X.scalar_type());
  if (C.attributes().getInt("exclusive", 0))
    Y = at::cat({at::zeros_like(Y.narrow(Axis, 0, std::min<int64_t>(1, Y.size(Axis)))), at::slice(Y, Axis, 0, -1)},
                Axis);
  return {IsReversed ? Y.flip(Axis) : Y};
}

llvm::ArrayRef<Operator> exec::reductionOperators() {
  static const Operator Table[] = {
      {"ArgMax", argExtreme<true>},
      {"ArgMin", argExtreme<false>},
      {"CumSum", cumSum},
      {"ReduceL1", reduce<l1>},
      {"ReduceL2", reduce<l2>},
      {"ReduceLogSum", reduce<logSum>},
      {"ReduceLogSumExp", reduce<logSumExp>},
      {"ReduceMax", reduce<extreme<true>>},
      {"ReduceMean", reduce<mean>},
      {"ReduceMin", reduce<extreme<false>>},
      {"ReduceProd", reduce<prod>},
      {"ReduceSum", reduce<sum>},
      {"ReduceSumSquare", reduce<sumSquare>},
  };
  return Table;
}
