//===- BatchAxis.h - how much of a tensor belongs to an image ---*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_ANALYSIS_BATCHAXIS_H
#define DEEPSHARE_LIB_ANALYSIS_BATCHAXIS_H

#include "deepshare/IR/Model.h"

#include "llvm/Support/MathExtras.h"

namespace deepshare {

/// Images in a batch if \p M fixes it, the first size of its first input; else 1.
inline int64_t imagesInBatch(const Model &M) {
  for (const Value *Input : M.graph().inputs())
    if (!Input->isInitializer() && Input->type() && Input->type()->Dims && !Input->type()->Dims->empty()) {
      const Dim &First = Input->type()->Dims->front();
      return First.isFixed() && First.size() > 0 ? First.size() : 1;
    }
  return 1;
}

/// Of \p First, the first size of an activation, what belongs to an image: 1 for most, 64 where each image is cut into
/// 64 windows.
inline int64_t rowsOfImage(const Dim &First, int64_t Batch) {
  return First.isFixed() ? llvm::divideCeil(First.size(), Batch) : First.sizeForOne();
}

} // namespace deepshare

#endif // DEEPSHARE_LIB_ANALYSIS_BATCHAXIS_H
