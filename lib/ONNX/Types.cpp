//===- Types.cpp - TypeProto and TensorType -------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Types.h"

using namespace deepshare;
using namespace deepshare::onnx;

static deepshare::Dim readDim(const TensorShapeProto::Dimension &P) {
  // A negative size is how some exporters write an unknown one.
  if (P.has_dim_value() && P.dim_value() >= 0)
    return deepshare::Dim::fixed(P.dim_value());
  return P.has_dim_param() ? deepshare::Dim::symbolic(P.dim_param()) : deepshare::Dim();
}

static void writeDim(const deepshare::Dim &D, TensorShapeProto::Dimension &P) {
  if (readDim(P) == D)
    return;
  P.clear_value();
  if (D.isFixed())
    P.set_dim_value(D.size());
  else if (D.isSymbolic())
    P.set_dim_param(D.symbol().str());
}

std::optional<TensorType> deepshare::onnx::readType(const TypeProto &P) {
  if (!P.has_tensor_type())
    return std::nullopt;
  TensorType T;
  T.Element = static_cast<ElementType>(P.tensor_type().elem_type());
  if (P.tensor_type().has_shape()) {
    T.Dims.emplace();
    for (const TensorShapeProto::Dimension &D : P.tensor_type().shape().dim())
      T.Dims->push_back(readDim(D));
  }
  return T;
}

void deepshare::onnx::writeType(const TensorType &T, TypeProto &P) {
  TypeProto::Tensor &Tensor = *P.mutable_tensor_type();
  if (!Tensor.has_elem_type() || Tensor.elem_type() != static_cast<int32_t>(T.Element))
    Tensor.set_elem_type(static_cast<int32_t>(T.Element));
  if (!T.Dims) {
    Tensor.clear_shape();
    return;
  }
  TensorShapeProto &Shape = *Tensor.mutable_shape();
  if (Shape.dim_size() != static_cast<int>(T.Dims->size()))
    Shape.clear_dim();
  for (size_t I = 0; I < T.Dims->size(); ++I)
    writeDim((*T.Dims)[I], Shape.dim_size() > static_cast<int>(I) ? *Shape.mutable_dim(I) : *Shape.add_dim());
}

void deepshare::onnx::readValueInfo(ValueInfoProto &P, Value &V) {
  P.clear_name();
  if (P.has_type())
    if (std::optional<TensorType> T = readType(P.type())) {
      TypeProto Rewritten;
      writeType(*T, Rewritten);
      V.setType(std::move(T));
      if (Rewritten.SerializeAsString() == P.type().SerializeAsString())
        P.clear_type();
    }
  V.setUnmodelled(remainder(P));
}

void deepshare::onnx::writeValueInfo(const Value &V, ValueInfoProto &P) {
  restore(P, V.unmodelled());
  P.set_name(V.name().str());
  if (V.type() == readType(P.type()))
    return;
  if (V.type())
    writeType(*V.type(), *P.mutable_type());
  else
    P.clear_type();
}
