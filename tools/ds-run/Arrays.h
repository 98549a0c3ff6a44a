//===- Arrays.h - numpy's files as tensors ----------------------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_TOOLS_DS_RUN_ARRAYS_H
#define DEEPSHARE_TOOLS_DS_RUN_ARRAYS_H

#include "deepshare/IR/Graph.h"

#include "llvm/Support/Error.h"

#include <ATen/core/Tensor.h>

namespace deepshare {

/// Reads a tensor for each of \p Inputs from the files that \p Arguments ("name=file.npy", "file.npy" for a model with
/// one input, "file.npz") name. Errors name the file or the input that has none.
llvm::Expected<std::vector<at::Tensor>> readInputs(llvm::ArrayRef<const Value *> Inputs,
                                                   llvm::ArrayRef<std::string> Arguments);

/// Writes \p Tensors, those of \p Outputs, to the files that \p Arguments ("file.npy" for the first, "name=file.npy",
/// "file.npz" for all) name.
llvm::Error writeOutputs(llvm::ArrayRef<Value *> Outputs, llvm::ArrayRef<at::Tensor> Tensors,
                         llvm::ArrayRef<std::string> Arguments);

} // namespace deepshare

#endif // DEEPSHARE_TOOLS_DS_RUN_ARRAYS_H
