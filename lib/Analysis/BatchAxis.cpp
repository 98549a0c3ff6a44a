//===- BatchAxis.cpp - how much of a tensor belongs to an image -----------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "BatchAxis.h"

#include "llvm/Support/MathExtras.h"

using namespace deepshare;

/// The batch as the inputs of \p M say it: the first size of one whose first size is no number, else of the first one
/// of the highest rank. Of vectors only where there is nothing else. Null if no sizes are known.
static const Dim *batchSize(const Model &M) {
  llvm::ArrayRef<Dim> Best;
  auto IsBetter = [&](llvm::ArrayRef<Dim> Sizes) {
    bool IsOpen = !Sizes.front().isFixed() && Sizes.size() > 1, BestIsOpen = !Best.front().isFixed() && Best.size() > 1;
    return IsOpen != BestIsOpen ? IsOpen : Sizes.size() > Best.size();
  };
  for (const Value *Input : M.graph().inputs())
    if (llvm::ArrayRef<Dim> Sizes = knownSizes(*Input); !Input->isInitializer() && !Sizes.empty())
      if (Best.empty() || IsBetter(Sizes))
        Best = Sizes;
  return Best.empty() ? nullptr : &Best.front();
}

BatchAxis::BatchAxis(const Model &M) {
  if (const Dim *Batch = batchSize(M); Batch && Batch->isFixed() && Batch->size() > 0)
    Images = Batch->size();
  for (const Value *Input : M.graph().inputs())
    for (const Dim &Size : knownSizes(*Input))
      if (Size.isSymbolic())
        InputNames.insert(Size.symbol());
}

int64_t BatchAxis::sizeForOne(const Dim &Size) const {
  if (Size.isFixed())
    return Size.size();
  auto Multiple = Size.multipleOf(InputNames);
  return Multiple ? Multiple->first : 1;
}

int64_t BatchAxis::rowsOfImage(const Dim &First) const {
  return First.isFixed() ? llvm::divideCeil(First.size(), Images) : sizeForOne(First);
}

bool BatchAxis::mayBeBatch(const Dim &First) const {
  return First.isFixed() ? First.size() == Images : sizeForOne(First) == 1;
}
