//===- Quantization.cpp - numbers to few bits and back --------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"

using namespace deepshare;
using namespace deepshare::exec;

/// A scale or zero point so that it broadcasts to \p X: one number, one an index of attribute `axis`, or one for each
/// `block_size` elements along it.
static at::Tensor spread(const OpContext &C, const at::Tensor &Parameter, const at::Tensor &X) {
  if (Parameter.numel() == 1 && Parameter.dim() <= 1)
    return Parameter.reshape({});
  int64_t Axis = normalizeAxis(C.attributes().getInt("axis", 1), X.dim());
  int64_t Block = C.attributes().getInt("block_size", 0);
  if (Block > 0) {
    TORCH_CHECK(Parameter.dim() == X.dim(), "blocks need a scale of rank ", X.dim(), ", got ", Parameter.dim());
    return Parameter.repeat_interleave(Block, Axis).narrow(Axis, 0, X.size(Axis));
  }
  TORCH_CHECK(Parameter.dim() == 1 && Parameter.size(0) == X.size(Axis), "expected ", X.size(Axis),
              " scales, one an index of axis ", Axis, ", got ", Parameter.sizes());
  std::vector<int64_t> Shape(X.dim(), 1);
  Shape[Axis] = Parameter.size(0);
  return Parameter.reshape(Shape);
}

/// The numbers that an integer type holds.
static std::pair<double, double> rangeOf(at::ScalarType Type) {
  switch (Type) {
  case at::kByte:
    return {0, 255};
  case at::kChar:
    return {-128, 127};
  case at::kShort:
    return {-32768, 32767};
  default:
    TORCH_CHECK(false, "cannot quantize to ", at::toString(Type));
  }
}

// y = saturate(round(x / scale) + zero point), halves to even
static Tensors quantizeLinear(const OpContext &C) {
  const at::Tensor &X = C.input(0);
  int64_t Asked = C.attributes().getInt("output_dtype", 0);
  at::ScalarType Type = C.hasInput(2) ? C.input(2).scalar_type() : Asked ? scalarType(Asked) : at::kByte;
  auto [Least, Most] = rangeOf(Type);
  at::Tensor Y = at::round(X / spread(C, C.input(1), X));
  if (C.hasInput(2))
    Y = Y + spread(C, C.input(2), X);
  return {Y.clamp(Least, Most).to(Type)};
}

// y = (x - zero point) * scale
static Tensors dequantizeLinear(const OpContext &C) {
  const at::Tensor &X = C.input(0), &Scale = C.input(1);
  at::Tensor Difference = X.to(at::kInt);
  if (C.hasInput(2))
    Difference = Difference - spread(C, C.input(2), X).to(at::kInt);
  at::Tensor Y = Difference.to(Scale.scalar_type()) * spread(C, Scale, X);
  int64_t Asked = C.attributes().getInt("output_dtype", 0);
  return {Asked ? Y.to(scalarType(Asked)) : Y};
}

llvm::ArrayRef<Operator> exec::quantizationOperators() {
  static const Operator Table[] = {
      {"DequantizeLinear", dequantizeLinear},
      {"QuantizeLinear", quantizeLinear},
  };
  return Table;
}
