//===- BatchAxis.h - how much of a tensor belongs to an image ---*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_ANALYSIS_BATCHAXIS_H
#define DEEPSHARE_LIB_ANALYSIS_BATCHAXIS_H

#include "deepshare/IR/Model.h"

#include "llvm/ADT/StringSet.h"

namespace deepshare {

/// What the sizes of a model are for one image of a batch.
class BatchAxis {
public:
  explicit BatchAxis(const Model &M);

  /// Images in a batch if the model fixes it, else 1.
  int64_t images() const { return Images; }
  /// \p Size, where all names in the inputs' sizes stand for 1: 64 for "64*N"; 1 for other names and unknown ones.
  int64_t sizeForOne(const Dim &Size) const;
  /// Of \p First, the first size of an activation, what belongs to an image: 1 for most, 64 where each image is cut
  /// into 64 windows.
  int64_t rowsOfImage(const Dim &First) const;
  /// False if \p First, the first size of an activation, is neither a number nor a multiple of a size of an input.
  bool isKnown(const Dim &First) const { return First.isFixed() || First.multipleOf(InputNames); }
  /// True if \p First, the first size of an activation, has a row for each image, or if that is not known.
  bool mayBeBatch(const Dim &First) const;

private:
  int64_t Images = 1;
  llvm::StringSet<> InputNames; ///< of sizes
};

} // namespace deepshare

#endif // DEEPSHARE_LIB_ANALYSIS_BATCHAXIS_H
