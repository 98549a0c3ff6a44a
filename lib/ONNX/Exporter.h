//===- Exporter.h - IR to ModelProto ----------------------------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_ONNX_EXPORTER_H
#define DEEPSHARE_LIB_ONNX_EXPORTER_H

#include "Tensors.h"

#include "deepshare/IR/Model.h"

namespace deepshare::onnx {

/// Makes \p P describe \p M.
void exportModel(const Model &M, ModelProto &P, const TensorSink &Sink);

/// Makes \p P describe \p N alone.
void exportNode(const Node &N, NodeProto &P, const TensorSink &Sink);

} // namespace deepshare::onnx

#endif // DEEPSHARE_LIB_ONNX_EXPORTER_H
