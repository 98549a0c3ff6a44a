//===- BatchSizes.h - sizes that are multiples of the batch -----*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_ONNX_BATCHSIZES_H
#define DEEPSHARE_LIB_ONNX_BATCHSIZES_H

#include "Proto.h"

#include "deepshare/IR/Model.h"

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"

namespace deepshare::onnx {

/// Given: a model whose types are inferred, \p Export, which makes its message, and \p Infer, which infers the types in
/// one. Execute: where the batch's size is a name, gives first sizes of the main graph's values that are not known, and
/// that are a multiple of the batch, as such: Reshape makes [64*N,6] of [N,8,8,6], of which ONNX says [?,6].
void inferBatchSizes(Model &M, llvm::function_ref<void(ModelProto &)> Export,
                     llvm::function_ref<llvm::Error(ModelProto &)> Infer);

} // namespace deepshare::onnx

#endif // DEEPSHARE_LIB_ONNX_BATCHSIZES_H
