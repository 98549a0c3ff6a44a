//===- Comparison.cpp - comparisons, logic and selection -----------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"

#include <limits>

using namespace deepshare;
using namespace deepshare::exec;

using BinaryFunction = at::Tensor(const at::Tensor &, const at::Tensor &);

template <BinaryFunction *Function> static Tensors binary(const OpContext &C) {
  return {Function(C.input(0), C.input(1))};
}

static Tensors logicalNot(const OpContext &C) { return {at::logical_not(C.input(0))}; }

static Tensors where(const OpContext &C) { return {at::where(C.input(0), C.input(1), C.input(2))}; }

static Tensors isNaN(const OpContext &C) { return {at::isnan(C.input(0))}; }

static Tensors isInf(const OpContext &C) {
  const at::Tensor &X = C.input(0);
  constexpr double Infinity = std::numeric_limits<double>::infinity();
  at::Tensor Found = at::zeros(X.sizes(), X.options().dtype(at::kBool));
  if (C.attributes().getInt("detect_positive", 1))
    Found = at::logical_or(Found, X == Infinity);
  if (C.attributes().getInt("detect_negative", 1))
    Found = at::logical_or(Found, X == -Infinity);
  return {Found};
}

llvm::ArrayRef<Operator> exec::comparisonOperators() {
  static const Operator Table[] = {
      {"And", binary<at::logical_and>},
      {"Equal", binary<at::eq>},
      {"Greater", binary<at::gt>},
      {"GreaterOrEqual", binary<at::ge>},
      {"IsInf", isInf},
      {"IsNaN", isNaN},
      {"Less", binary<at::lt>},
      {"LessOrEqual", binary<at::le>},
      {"Not", logicalNot},
      {"Or", binary<at::logical_or>},
      {"Where", where},
      {"Xor", binary<at::logical_xor>},
  };
  return Table;
}
