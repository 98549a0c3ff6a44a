//===- Constant.cpp - operators that make tensors or change their type ---===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"

using namespace deepshare;
using namespace deepshare::exec;

//===----------------------------------------------------------------------===//
// Constant
//===----------------------------------------------------------------------===//

static const Tensor *tensorAttribute(const Attributes &A, llvm::StringRef Name) { return A.get<Tensor>(Name); }

/// Strings and sparse tensors have no counterpart in ATen.
static bool isNumericConstant(const Attributes &A) {
  if (const Tensor *T = tensorAttribute(A, "value"))
    return scalarTypeIfAny(T->elementType()).has_value();
  return A.has("value_float") || A.has("value_floats") || A.has("value_int") || A.has("value_ints");
}

static Tensors constant(const OpContext &C) {
  const Attributes &A = C.attributes();
  if (const Tensor *T = tensorAttribute(A, "value"))
    return {constantTensor(*T, C.device())};
  if (const auto *Value = A.get<float>("value_float"))
    return {at::scalar_tensor(*Value, at::dtype(at::kFloat)).to(C.device())};
  if (const auto *Value = A.get<int64_t>("value_int"))
    return {at::scalar_tensor(*Value, at::dtype(at::kLong)).to(C.device())};
  if (const auto *Values = A.get<std::vector<float>>("value_floats"))
    return {at::tensor(*Values).to(C.device())};
  return {at::tensor(A.getInts("value_ints")).to(C.device())};
}

static Tensors constantOfShape(const OpContext &C) {
  Ints Dims = C.ints(0);
  const Tensor *Fill = tensorAttribute(C.attributes(), "value");
  if (!Fill)
    return {at::zeros(Dims, at::device(C.device()).dtype(at::kFloat))};
  at::Tensor Value = constantTensor(*Fill, C.device());
  TORCH_CHECK(Value.numel() == 1, "attribute 'value': expected one element, got ", Value.numel());
  return {Value.reshape({}).expand(Dims).contiguous()};
}

static Tensors range(const OpContext &C) {
  at::Scalar Start = C.input(0).item(), Limit = C.input(1).item(), Delta = C.input(2).item();
  // ATen refuses a range whose direction is wrong; ONNX has it empty.
  bool IsEmpty = Delta.toDouble() > 0 ? Start.toDouble() >= Limit.toDouble() : Start.toDouble() <= Limit.toDouble();
  at::TensorOptions Options = C.input(0).options();
  return {IsEmpty ? at::empty({0}, Options) : at::arange(Start, Limit, Delta, Options)};
}

static Tensors eyeLike(const OpContext &C) {
  const at::Tensor &X = C.input(0);
  TORCH_CHECK(X.dim() == 2, "expected 2 dimensions, got ", X.dim());
  at::ScalarType Type = C.attributes().has("dtype") ? scalarType(C.attributes().getInt("dtype", 0)) : X.scalar_type();
  at::Tensor Diagonal = at::ones(X.sizes(), X.options().dtype(at::kInt));
  int64_t K = C.attributes().getInt("k", 0);
  return {at::triu(at::tril(Diagonal, K), K).to(Type)};
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

static bool isNumericCast(const Attributes &A) {
  return scalarTypeIfAny(static_cast<ElementType>(A.getInt("to", 0))).has_value();
}

static Tensors cast(const OpContext &C) { return {C.input(0).to(scalarType(C.attributes().getInt("to", 0)))}; }

static Tensors castLike(const OpContext &C) { return {C.input(0).to(C.input(1).scalar_type())}; }

llvm::ArrayRef<Operator> exec::constantOperators() {
  static const Operator Table[] = {
      {"Cast", cast, isNumericCast, true},
      {"CastLike", castLike, nullptr, true},
      {"Constant", constant, isNumericConstant, true},
      {"ConstantOfShape", constantOfShape, nullptr, true},
      {"EyeLike", eyeLike, nullptr, true},
      {"Range", range, nullptr, true},
  };
  return Table;
}
