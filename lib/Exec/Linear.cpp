//===- Linear.cpp - matrix products --------------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"

using namespace deepshare;
using namespace deepshare::exec;

static Tensors gemm(const OpContext &C) {
  const Attributes &A = C.attributes();
  at::Tensor Left = C.input(0), Right = C.input(1), Bias = C.optionalInput(2);
  if (A.getInt("transA", 0))
    Left = Left.t();
  if (A.getInt("transB", 0))
    Right = Right.t();
  double Alpha = A.getFloat("alpha", 1.0f), Beta = A.getFloat("beta", 1.0f);
  if (Bias.defined() && at::isFloatingType(Left.scalar_type()))
    return {at::addmm(Bias, Left, Right, Beta, Alpha)};
  // Integers take integer factors only.
  at::Tensor Product = at::mm(Left, Right);
  if (Alpha != 1)
    Product = (Product * Alpha).to(Left.scalar_type());
  if (Bias.defined())
    Product = Product + (Beta == 1 ? Bias : (Bias * Beta).to(Bias.scalar_type()));
  return {Product};
}

static Tensors matMul(const OpContext &C) { return {at::matmul(C.input(0), C.input(1))}; }

static Tensors einsum(const OpContext &C) {
  return {at::einsum(C.attributes().getString("equation", ""), {C.inputs().data(), C.inputs().size()}).contiguous()};
}

llvm::ArrayRef<Operator> exec::linearOperators() {
  static const Operator Table[] = {
      {"Einsum", einsum},
      {"Gemm", gemm},
      {"MatMul", matMul},
  };
  return Table;
}
