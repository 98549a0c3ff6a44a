//===- BatchSizes.h - sizes that follow from the batch ----------*- C++ -*-===//
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

/// Given: a model, before its types are inferred. Execute: first sizes of inputs that are neither numbers nor named get
/// a name, each its own: "batch", "batch_1".
void nameBatches(Model &M);

/// Given: a model whose types are inferred by \p Infer. Execute: sizes that are not known become known where they are a
/// multiple of a batch, the named first size of an input, or do not depend on it; and so do all sizes of the same name:
/// Reshape makes [64*N,6] of [N,8,8,6], of which ONNX says [unk__0,6].
void inferBatchSizes(Model &M, llvm::function_ref<llvm::Error(Model &)> Infer);

} // namespace deepshare::onnx

#endif // DEEPSHARE_LIB_ONNX_BATCHSIZES_H
