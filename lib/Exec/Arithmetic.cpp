//===- Arithmetic.cpp - elementwise arithmetic ---------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"

using namespace deepshare;
using namespace deepshare::exec;

using UnaryFunction = at::Tensor(const at::Tensor &);
using BinaryFunction = at::Tensor(const at::Tensor &, const at::Tensor &);

template <UnaryFunction *Function> static Tensors unary(const OpContext &C) { return {Function(C.input(0))}; }

template <BinaryFunction *Function> static Tensors binary(const OpContext &C) {
  return {Function(C.input(0), C.input(1))};
}

/// Folds the inputs from the left.
template <BinaryFunction *Function> static at::Tensor foldInputs(const OpContext &C) {
  at::Tensor Result = C.input(0);
  for (unsigned I = 1; I < C.numInputs(); ++I)
    Result = Function(Result, C.input(I));
  return Result;
}
template <BinaryFunction *Function> static Tensors variadic(const OpContext &C) { return {foldInputs<Function>(C)}; }

static at::Tensor plus(const at::Tensor &A, const at::Tensor &B) { return at::add(A, B); }
static at::Tensor minus(const at::Tensor &A, const at::Tensor &B) { return at::sub(A, B); }

/// Integers are divided towards zero.
static at::Tensor divide(const at::Tensor &A, const at::Tensor &B) {
  if (at::isIntegralType(A.scalar_type(), /*includeBool=*/false))
    return at::div(A, B, "trunc");
  return at::div(A, B);
}

/// The result has the base's type, whatever the exponent's.
static Tensors power(const OpContext &C) {
  const at::Tensor &Base = C.input(0);
  at::Tensor Exponent = C.input(1);
  if (at::isIntegralType(Base.scalar_type(), false) && at::isFloatingType(Exponent.scalar_type()))
    return {at::pow(Base.to(at::kDouble), Exponent.to(at::kDouble)).to(Base.scalar_type())};
  return {at::pow(Base, Exponent.to(Base.scalar_type()))};
}

static Tensors modulo(const OpContext &C) {
  // fmod = 1: the sign of the dividend, as C has it; 0: that of the divisor, as Python has it.
  bool LikeC = C.attributes().getInt("fmod", 0) != 0;
  return {LikeC ? at::fmod(C.input(0), C.input(1)) : at::remainder(C.input(0), C.input(1))};
}

static Tensors mean(const OpContext &C) { return {at::div(foldInputs<plus>(C), static_cast<int64_t>(C.numInputs()))}; }

/// Bounds are attributes up to opset 10, and optional scalar inputs later. If they cross, the upper one holds.
static Tensors clip(const OpContext &C) {
  at::Tensor X = C.input(0);
  if (C.opset() < 11) {
    const float *Low = C.attributes().get<float>("min"), *High = C.attributes().get<float>("max");
    if (Low)
      X = at::clamp_min(X, *Low);
    return {High ? at::clamp_max(X, *High) : X};
  }
  if (C.hasInput(1))
    X = at::maximum(X, C.input(1));
  return {C.hasInput(2) ? at::minimum(X, C.input(2)) : X};
}

/// Shifts by fewer than 0 or by all bits push every bit out; to the right, copies of the sign come in.
static Tensors bitShift(const OpContext &C) {
  const at::Tensor &X = C.input(0), &By = C.input(1);
  std::string Direction = C.attributes().getString("direction", "");
  TORCH_CHECK(Direction == "LEFT" || Direction == "RIGHT", "expected direction LEFT or RIGHT, got '", Direction, "'");
  int64_t Bits = 8 * X.element_size();
  at::Tensor IsInRange = at::logical_and(By >= 0, By < Bits), Bounded = at::clamp(By, 0, Bits - 1);
  at::Tensor Zero = at::zeros({}, X.options());
  if (Direction == "LEFT")
    return {at::where(IsInRange, at::bitwise_left_shift(X, Bounded), Zero)};
  return {at::where(IsInRange, at::bitwise_right_shift(X, Bounded), at::where(X < 0, Zero - 1, Zero))};
}

llvm::ArrayRef<Operator> exec::arithmeticOperators() {
  static const Operator Table[] = {
      {"Abs", unary<at::abs>},
      {"Acos", unary<at::acos>},
      {"Acosh", unary<at::acosh>},
      {"Add", binary<plus>},
      {"Asin", unary<at::asin>},
      {"Asinh", unary<at::asinh>},
      {"Atan", unary<at::atan>},
      {"Atanh", unary<at::atanh>},
      {"BitShift", bitShift},
      {"BitwiseAnd", binary<at::bitwise_and>},
      {"BitwiseNot", unary<at::bitwise_not>},
      {"BitwiseOr", binary<at::bitwise_or>},
      {"BitwiseXor", binary<at::bitwise_xor>},
      {"Ceil", unary<at::ceil>},
      {"Clip", clip},
      {"Cos", unary<at::cos>},
      {"Cosh", unary<at::cosh>},
      {"Div", binary<divide>},
      {"Erf", unary<at::erf>},
      {"Exp", unary<at::exp>},
      {"Floor", unary<at::floor>},
      {"Log", unary<at::log>},
      {"Max", variadic<at::maximum>},
      {"Mean", mean},
      {"Min", variadic<at::minimum>},
      {"Mod", modulo},
      {"Mul", binary<at::mul>},
      {"Neg", unary<at::neg>},
      {"Pow", power},
      {"Reciprocal", unary<at::reciprocal>},
      {"Round", unary<at::round>},
      {"Sign", unary<at::sign>},
      {"Sin", unary<at::sin>},
      {"Sinh", unary<at::sinh>},
      {"Sqrt", unary<at::sqrt>},
      {"Sub", binary<minus>},
      {"Sum", variadic<plus>},
      {"Tan", unary<at::tan>},
      {"Tanh", unary<at::tanh>},
  };
  return Table;
}
