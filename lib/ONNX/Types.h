//===- Types.h - TypeProto and TensorType -----------------------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_ONNX_TYPES_H
#define DEEPSHARE_LIB_ONNX_TYPES_H

#include "Proto.h"

#include "deepshare/IR/Graph.h"

namespace deepshare::onnx {

/// The dense tensor type that \p P describes; nothing for sequences, maps, sparse tensors and the like.
std::optional<TensorType> readType(const TypeProto &P);

/// Makes \p P describe \p T; denotations and unknown fields of what stays the same are kept.
void writeType(const TensorType &T, TypeProto &P);

/// Gives \p V the type in \p P and the fields that the IR does not model.
void readValueInfo(ValueInfoProto &P, Value &V);

/// Makes \p P describe \p V.
void writeValueInfo(const Value &V, ValueInfoProto &P);

} // namespace deepshare::onnx

#endif // DEEPSHARE_LIB_ONNX_TYPES_H
