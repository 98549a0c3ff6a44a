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

/// Images in a batch if \p M fixes it, else 1.
inline int64_t imagesInBatch(const Model &M) {
  const Dim *Batch = batchSize(M.graph());
  return Batch && Batch->isFixed() && Batch->size() > 0 ? Batch->size() : 1;
}

/// Of \p First, the first size of an activation, what belongs to an image: 1 for most, 64 where each image is cut into
/// 64 windows.
inline int64_t rowsOfImage(const Dim &First, int64_t Batch) {
  return First.isFixed() ? llvm::divideCeil(First.size(), Batch) : First.sizeForOne();
}

} // namespace deepshare

#endif // DEEPSHARE_LIB_ANALYSIS_BATCHAXIS_H
