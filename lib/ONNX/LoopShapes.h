//===- LoopShapes.h - shapes of what a Loop carries -------------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_ONNX_LOOPSHAPES_H
#define DEEPSHARE_LIB_ONNX_LOOPSHAPES_H

#include "deepshare/IR/Model.h"

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"

namespace deepshare::onnx {

/// Given: a model whose types are inferred, as far as ONNX goes, and \p Infer, which does that again. Execute: gives
/// values that a Loop carries, and its results, the shapes that they have before the first trip, where the body keeps
/// them. ONNX gives them none, since a body may change them. Where Infer finds a contradiction, nothing of what was
/// supposed together stays. Result: an error names a Loop that carries a value whose shapes before, in and after it
/// contradict each other.
llvm::Error inferLoopShapes(Model &M, llvm::function_ref<llvm::Error()> Infer);

} // namespace deepshare::onnx

#endif // DEEPSHARE_LIB_ONNX_LOOPSHAPES_H
