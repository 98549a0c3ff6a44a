//===- Attributes.h - AttributeProto and Attribute --------------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_ONNX_ATTRIBUTES_H
#define DEEPSHARE_LIB_ONNX_ATTRIBUTES_H

#include "Tensors.h"

#include "deepshare/IR/Graph.h"

namespace deepshare::onnx {

/// Imports the graph of an attribute.
using GraphReader = llvm::function_ref<llvm::Expected<std::unique_ptr<Graph>>(GraphProto &)>;
/// Exports the graph of an attribute.
using GraphWriter = llvm::function_ref<void(const Graph &, GraphProto &)>;

/// Reads an attribute; clears the modelled fields of \p P.
llvm::Expected<Attribute> readAttribute(AttributeProto &P, const TensorSource &Source, GraphReader ReadGraph);

/// ONNX's AttributeProto.AttributeType of \p Value.
int32_t typeOf(const AttributeValue &Value);

/// Makes \p P describe \p A.
void writeAttribute(const Attribute &A, AttributeProto &P, const TensorSink &Sink, GraphWriter WriteGraph);

} // namespace deepshare::onnx

#endif // DEEPSHARE_LIB_ONNX_ATTRIBUTES_H
