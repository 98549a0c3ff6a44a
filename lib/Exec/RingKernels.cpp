//===- RingKernels.cpp - operators on ring elements -----------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// A linear operator is run by its kernel for floats: on the integers as float64, in limbs that keep it exact
// (Ring::multiply), so that padding, groups, strides and old opsets are those of a run in floats.
//
//===----------------------------------------------------------------------===//

#include "RingKernels.h"

#include "Window.h"

#include "deepshare/IR/ShareOps.h"

using namespace deepshare;
using namespace deepshare::exec;

using Result = std::optional<Tensors>;

static Tensors runOn(const Operator &Op, const OpContext &C, llvm::ArrayRef<at::Tensor> Inputs) {
  return Op.Run(C.withInputs(Inputs));
}

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

/// An operator that only adds and subtracts what is floating: its kernel on integers, which wraps, and on float64.
static at::Tensor addedUp(const Operator &Op, const OpContext &C, RingNumbers &S) {
  Tensors Integers(C.inputs().begin(), C.inputs().end());
  Tensors Magnitudes = Integers;
  for (auto [I, Magnitude] : llvm::zip_equal(Integers, Magnitudes))
    if (I.defined() && at::isFloatingType(I.scalar_type())) {
      I = S.numbers(I);
      Magnitude = I.to(at::kDouble);
    }
  return S.settle(runOn(Op, C, Integers).front(), runOn(Op, C, Magnitudes).front());
}

static Result sum(const Operator &Op, const OpContext &C, RingNumbers &S) { return Tensors{addedUp(Op, C, S)}; }

/// The sum of \p Count elements as their mean: a product by an encoded reciprocal.
static at::Tensor divided(RingNumbers &S, const at::Tensor &Sum, double Count) {
  return S.scale(Sum, at::scalar_tensor(1 / Count, at::dtype(at::kDouble)));
}

static Result mean(const Operator &, const OpContext &C, RingNumbers &S) {
  return Tensors{divided(S, addedUp(*findOperator("", "Sum"), C, S), C.numInputs())};
}

static Result reduceMean(const Operator &, const OpContext &C, RingNumbers &S) {
  at::Tensor Sum = addedUp(*findOperator("", "ReduceSum"), C, S);
  return Tensors{divided(S, Sum, static_cast<double>(C.input(0).numel()) / std::max<int64_t>(Sum.numel(), 1))};
}

static Result globalAveragePool(const Operator &, const OpContext &C, RingNumbers &S) {
  at::Tensor X = S.numbers(C.input(0)).flatten(2);
  at::Tensor Sum = S.settle(at::sum(X, -1), at::sum(X.to(at::kDouble), -1));
  Ints Dims(C.input(0).dim(), 1);
  Dims[0] = X.size(0);
  Dims[1] = X.size(1);
  return Tensors{divided(S, Sum, X.size(2)).reshape(Dims)};
}

static at::Tensor sumOf(llvm::ArrayRef<at::Tensor> Parts) {
  at::Tensor Sum = Parts.front();
  for (const at::Tensor &Part : Parts.drop_front())
    Sum = at::add(Sum, Part);
  return Sum;
}

/// Sums of windows times the reciprocals of how many elements count in each, which differ along borders.
static Result averagePool(const Operator &, const OpContext &C, RingNumbers &S) {
  at::Tensor X = S.numbers(C.input(0));
  Window W = readPaddedWindow(C.attributes(), {}, X.sizes().slice(2));
  bool CountPadding = C.attributes().getInt("count_include_pad", 0) != 0;
  Ints Plane = X.sizes().vec(), End = W.End, Zeros(W.rank(), 0);
  Plane[0] = Plane[1] = 1;
  for (unsigned I = 0; I < W.rank(); ++I)
    End[I] += W.Overhang[I];
  at::Tensor Counted = padTrailing(at::ones(Plane, at::dtype(at::kDouble)), W.Begin, W.End, CountPadding ? 1 : 0);
  Counted = sumOf(windowElements(padTrailing(Counted, Zeros, W.Overhang, 0), W));
  X = padTrailing(X, W.Begin, End, 0);
  at::Tensor Sum = S.settle(sumOf(windowElements(X, W)), sumOf(windowElements(X.to(at::kDouble), W)));
  return Tensors{S.scale(Sum, at::reciprocal(Counted))};
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

static Result multiply(const Operator &, const OpContext &C, RingNumbers &S) {
  for (unsigned Known : {0, 1})
    if (S.isKnown(C.input(Known)))
      return Tensors{S.scale(S.numbers(C.input(1 - Known)), C.input(Known))};
  return Tensors{S.multiply(S.numbers(C.input(0)), S.numbers(C.input(1)))};
}

static Result divide(const Operator &, const OpContext &C, RingNumbers &S) {
  if (!S.isKnown(C.input(1)))
    return std::nullopt;
  return Tensors{S.scale(S.numbers(C.input(0)), at::reciprocal(C.input(1).to(at::kDouble)))};
}

/// The first two inputs' product by the node's own kernel, with a bias of a number a channel.
static at::Tensor linear(const Operator &Op, const OpContext &C, RingNumbers &S, int64_t Summands) {
  auto Product = [&](const at::Tensor &X, const at::Tensor &W) { return runOn(Op, C, {X, W}).front(); };
  at::Tensor Y = S.product(S.numbers(C.input(0)), S.numbers(C.input(1)), Summands, Product);
  if (!C.hasInput(2))
    return Y;
  Ints Dims(Y.dim() - 1, 1);
  Dims[0] = -1;
  return S.add(Y, S.numbers(C.input(2)).reshape(Dims));
}

static Result conv(const Operator &Op, const OpContext &C, RingNumbers &S) {
  const at::Tensor &W = C.input(1);
  return Tensors{linear(Op, C, S, W.numel() / std::max<int64_t>(W.size(0), 1))};
}

static Result convTranspose(const Operator &Op, const OpContext &C, RingNumbers &S) {
  const at::Tensor &W = C.input(1);
  return Tensors{linear(Op, C, S, W.numel() / std::max<int64_t>(W.size(1), 1))};
}

static Result matMul(const Operator &Op, const OpContext &C, RingNumbers &S) {
  return Tensors{linear(Op, C, S, C.input(0).size(-1))};
}

static Result gemm(const Operator &, const OpContext &C, RingNumbers &S) {
  const Attributes &A = C.attributes();
  at::Tensor Left = S.numbers(C.input(0)), Right = S.numbers(C.input(1));
  if (A.getInt("transA", 0))
    Left = Left.t();
  if (A.getInt("transB", 0))
    Right = Right.t();
  auto Scaled = [&](const at::Tensor &X, llvm::StringRef Name) {
    double Factor = A.getFloat(Name, 1.0f);
    return Factor == 1 ? X : S.scale(X, at::scalar_tensor(Factor, at::dtype(at::kDouble)));
  };
  at::Tensor Y = Scaled(S.product(Left, Right, Left.size(1), at::mm), "alpha");
  return Tensors{C.hasInput(2) ? S.add(Y, Scaled(S.numbers(C.input(2)), "beta")) : Y};
}

/// A scale and an offset a channel, computed in floats from what everybody knows.
static Result batchNormalization(const Operator &, const OpContext &C, RingNumbers &S) {
  for (unsigned I = 1; I < 5; ++I)
    if (!S.isKnown(C.input(I)))
      return std::nullopt;
  Ints Dims(std::max<int64_t>(C.input(0).dim() - 1, 1), 1);
  Dims[0] = -1;
  auto Wide = [&](unsigned Index) { return C.input(Index).to(at::kDouble).reshape(Dims); };
  at::Tensor Scale = Wide(1) / at::sqrt(Wide(4) + C.attributes().getFloat("epsilon", 1e-5f));
  at::Tensor X = S.scale(S.numbers(C.input(0)), Scale);
  return Tensors{S.add(X, S.encode(Wide(2) - Wide(3) * Scale))};
}

/// The node's own kernel on ones gives the slope of every element. A channel whose slopes are not both integers is
/// truncated as a whole: nobody knows which of them an element has.
static Result dReluShare(const Operator &Op, const OpContext &C, RingNumbers &S) {
  at::Tensor X = S.numbers(C.input(0));
  Tensors Ones(C.inputs().begin(), C.inputs().end());
  Ones.front() = at::ones(X.sizes(), at::dtype(at::kFloat));
  const auto &On = *C.attributes().get<std::vector<float>>("on"), &Off = *C.attributes().get<std::vector<float>>("off");
  at::Tensor IsFree = at::empty({X.size(1)}, at::kBool);
  auto IsWhole = [](float Slope) { return std::nearbyint(Slope) == Slope; };
  for (int64_t Channel = 0; Channel < X.size(1); ++Channel)
    IsFree.data_ptr<bool>()[Channel] = IsWhole(On[Channel]) && IsWhole(Off[Channel]);
  Ints Dims(X.dim() - 1, 1);
  Dims[0] = -1;
  return Tensors{S.scale(X, runOn(Op, C, Ones).front(), IsFree.reshape(Dims))};
}

/// From floats to floats: a ring has one precision.
static Result castToFloat(const Operator &, const OpContext &C, RingNumbers &S) {
  at::ScalarType Type = C.numInputs() > 1 ? C.input(1).scalar_type() : scalarType(C.attributes().getInt("to", 0));
  if (!at::isFloatingType(Type) || !RingNumbers::isCarrier(C.input(0)))
    return std::nullopt;
  return Tensors{S.numbers(C.input(0))};
}

RingKernel exec::findRingKernel(const Node &N) {
  if (isDReLUShare(N))
    return dReluShare;
  if (!N.domain().empty())
    return nullptr;
  static constexpr std::pair<llvm::StringLiteral, RingKernel> Table[] = {
      {"Add", sum},
      {"AveragePool", averagePool},
      {"BatchNormalization", batchNormalization},
      {"Cast", castToFloat},
      {"CastLike", castToFloat},
      {"Conv", conv},
      {"ConvTranspose", convTranspose},
      {"Div", divide},
      {"Gemm", gemm},
      {"GlobalAveragePool", globalAveragePool},
      {"MatMul", matMul},
      {"Mean", mean},
      {"Mul", multiply},
      {"Neg", sum},
      {"ReduceMean", reduceMean},
      {"ReduceSum", sum},
      {"Sub", sum},
      {"Sum", sum},
  };
  for (const auto &[Name, Kernel] : Table)
    if (N.opType() == Name)
      return Kernel;
  return nullptr;
}

bool exec::movesElements(const OpContext &C) {
  const Attributes &A = C.attributes();
  const Node &N = A.node();
  static constexpr llvm::StringLiteral Movers[] = {
      "Compress",       "Concat",    "DepthToSpace", "Dropout",   "Expand",       "Flatten", "Gather",
      "GatherElements", "GatherND",  "Identity",     "Pad",       "Reshape",      "Scatter", "ScatterElements",
      "ScatterND",      "Shape",     "Size",         "Slice",     "SpaceToDepth", "Split",   "Squeeze",
      "Tile",           "Transpose", "Trilu",        "Unsqueeze", "Where"};
  if (!N.domain().empty() || !llvm::is_contained(Movers, N.opType()))
    return false;
  // Values that scatters add up, and a filling that is an attribute, are no elements of the inputs.
  return A.getString("reduction", "none") == "none" && A.getFloat("value", 0.0f) == 0;
}
