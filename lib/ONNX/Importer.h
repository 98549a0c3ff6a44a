//===- Importer.h - ModelProto to IR ----------------------------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_ONNX_IMPORTER_H
#define DEEPSHARE_LIB_ONNX_IMPORTER_H

#include "Tensors.h"

#include "deepshare/IR/Model.h"

namespace deepshare::onnx {

/// First character of the names of value_info and sparse initialisers in Graph::unmodelled() and Function::Unmodelled.
/// It tells entries that only mark the place of one that belongs to a value of the IR from those kept whole, because no
/// value of the IR carries them.
inline constexpr char MarkPlace = '=', MarkWhole = '+';

/// Builds the IR of \p P, which has its `raw_data` in \p Source, and takes \p P apart. Errors name node or tensor.
llvm::Expected<std::unique_ptr<Model>> importModel(ModelProto &P, const TensorSource &Source);

/// An error that names the node if one has not the operands, outputs and attributes that its operator, of the imported
/// opset, or its function, asks for, or a window, stride or tile of no size, or if both an operator and a function have
/// its name; and one that names the function if calls go on without end.
llvm::Error checkNodes(Model &M);

} // namespace deepshare::onnx

#endif // DEEPSHARE_LIB_ONNX_IMPORTER_H
