//===- GateForms.cpp - the forms that gates are written in ---------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Analysis/GateForms.h"

#include <limits>

using namespace deepshare;

const Tensor *deepshare::constantTensor(const Value *V) {
  if (!V)
    return nullptr;
  if (V->producer() && V->producer()->is("Constant"))
    return V->producer()->attributeAs<Tensor>("value");
  return V->constant();
}

const Tensor *deepshare::floatConstant(const Value *V) {
  const Tensor *Found = constantTensor(V);
  return Found && Found->elementType() == ElementType::Float32 ? Found : nullptr;
}

std::optional<int64_t> deepshare::integerConstant(const Value *V) {
  if (V && V->producer() && V->producer()->is("Constant"))
    if (const int64_t *Number = V->producer()->attributeAs<int64_t>("value_int"))
      return *Number;
  const Tensor *Found = constantTensor(V);
  bool IsOne = Found && Found->elementType() == ElementType::Int64 && Found->numElements() == 1;
  return IsOne ? std::optional(Found->toVector<int64_t>().front()) : std::nullopt;
}

std::optional<bool> deepshare::booleanConstant(const Value *V) {
  const Tensor *Found = constantTensor(V);
  bool IsOne = Found && Found->elementType() == ElementType::Bool && Found->bytes().size() == 1;
  return IsOne ? std::optional(Found->bytes().front() != 0) : std::nullopt;
}

bool deepshare::isConstant(const Value *V) {
  return !V || V->constant() || (V->producer() && V->producer()->is("Constant"));
}

bool deepshare::isInferenceNormalization(const Node &Norm) {
  return Norm.intAttribute("training_mode", 0) == 0 && Norm.intAttribute("spatial", 1) == 1 && Norm.numOutputs() == 1;
}

std::optional<float> deepshare::splat(const Value *V) {
  if (V && V->producer() && V->producer()->is("Constant"))
    if (const float *Number = V->producer()->attributeAs<float>("value_float"))
      return *Number;
  const Tensor *Constant = floatConstant(V);
  if (!Constant || Constant->numElements() < 1)
    return std::nullopt;
  std::vector<float> Values = Constant->toVector<float>();
  return llvm::all_equal(Values) ? std::optional(Values.front()) : std::nullopt;
}

std::optional<float> deepshare::slopeOf(const Value *V, const Value *X) {
  if (V == X)
    return 1;
  if (splat(V) == 0.0f)
    return 0;
  const Node *Producer = V->producer();
  if (Producer && Producer->is("Neg") && Producer->input(0) == X)
    return -1;
  if (Producer && Producer->is("Mul"))
    for (unsigned I : {0, 1})
      if (Producer->input(I) == X)
        return splat(Producer->input(1 - I));
  return std::nullopt;
}

bool deepshare::isComparison(const Node &N) {
  return N.is("Greater") || N.is("GreaterOrEqual") || N.is("Less") || N.is("LessOrEqual") || N.is("Equal");
}

std::optional<ZeroComparison> deepshare::comparisonWithZero(const Node &N) {
  if (!isComparison(N) || N.is("Equal"))
    return std::nullopt;
  bool IsLess = N.opType().starts_with("Less");
  for (unsigned I : {0, 1})
    if (splat(N.input(1 - I)) == 0.0f && !isConstant(N.input(I)))
      return ZeroComparison{N.input(I), IsLess != (I == 1)};
  return std::nullopt;
}

std::optional<Slopes> deepshare::whereSlopes(const Node &Where, const Node &Comparison) {
  std::optional<ZeroComparison> Compared = comparisonWithZero(Comparison);
  if (!Compared)
    return std::nullopt;
  std::optional<float> True = slopeOf(Where.input(1), Compared->X), False = slopeOf(Where.input(2), Compared->X);
  if (!True || !False)
    return std::nullopt;
  return Compared->Complement ? Slopes{*False, *True} : Slopes{*True, *False};
}

ClipBound deepshare::clipBound(const Node &N, unsigned Side) {
  constexpr float Largest = std::numeric_limits<float>::max();
  float None = Side == 0 ? -Largest : Largest;
  std::optional<float> Value =
      N.input(Side + 1) ? splat(N.input(Side + 1)) : N.floatAttribute(Side == 0 ? "min" : "max", None);
  // Written so that NaN is a bound.
  return {!Value || !(Side == 0 ? *Value <= None : *Value >= None), Value};
}
