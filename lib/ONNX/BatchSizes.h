//===- BatchSizes.h - sizes that are multiples of the batch -----*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_ONNX_BATCHSIZES_H
#define DEEPSHARE_LIB_ONNX_BATCHSIZES_H

#include "deepshare/IR/Model.h"

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"

namespace deepshare::onnx {

/// Given: a model whose types are inferred by \p Infer. Execute: where the batch's size is a name, first sizes that are
/// not known, and that are a multiple of the batch, become known as such, and so do all sizes of the same name: Reshape
/// makes [64*N,6] of [N,8,8,6], of which ONNX says [unk__0,6].
void inferBatchSizes(Model &M, llvm::function_ref<llvm::Error(Model &)> Infer);

} // namespace deepshare::onnx

#endif // DEEPSHARE_LIB_ONNX_BATCHSIZES_H
