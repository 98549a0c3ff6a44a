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

/// Infers the types of a model; a node that contradicts itself is an error only if it is to be strict.
using TypeInference = llvm::function_ref<llvm::Error(Model &M, bool Strict)>;

/// Infers the types of \p M by \p Infer, and sizes that it leaves open where they are a multiple of a batch, the first
/// size of an input that is no number, or do not depend on it: Reshape makes [64*N,6] of [N,8,8,6], of which ONNX says
/// [unk__0,6]. Batches without a name get one. Returns Infer's error for M.
llvm::Error inferWithBatches(Model &M, TypeInference Infer);

} // namespace deepshare::onnx

#endif // DEEPSHARE_LIB_ONNX_BATCHSIZES_H
