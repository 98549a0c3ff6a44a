//===- BatchAxis.cpp - how much of a tensor belongs to an image -----------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "BatchAxis.h"

#include "llvm/Support/MathExtras.h"

using namespace deepshare;

/// The batch as the inputs of \p M say it: the first size of one whose first size is no number, else of the first one.
/// Of vectors only where there is nothing else. Null if no sizes are known.
static const Dim *batchSize(const Model &M) {
  llvm::SmallVector<const Dim *, 4> OfVectors, OfOthers;
  for (const Value *Input : M.graph().inputs())
    if (const Dim *First = Input->isInitializer() ? nullptr : firstSize(*Input))
      (Input->type()->Dims->size() == 1 ? OfVectors : OfOthers).push_back(First);
  llvm::ArrayRef<const Dim *> Sizes = OfOthers.empty() ? OfVectors : OfOthers;
  auto Open = llvm::find_if(Sizes, [](const Dim *Size) { return !Size->isFixed(); });
  if (Open != Sizes.end())
    return *Open;
  return Sizes.empty() ? nullptr : Sizes.front();
}

BatchAxis::BatchAxis(const Model &M) {
  if (const Dim *Batch = batchSize(M); Batch && Batch->isFixed() && Batch->size() > 0)
    Images = Batch->size();
  for (const Value *Input : M.graph().inputs())
    if (Input->type() && Input->type()->Dims)
      for (const Dim &Size : *Input->type()->Dims)
        Names.insert(Size.symbol());
}

int64_t BatchAxis::sizeForOne(const Dim &Size) const {
  if (Size.isFixed())
    return Size.size();
  auto [Factor, Name] = Size.symbol().split('*');
  if (Names.contains(Size.symbol()) || !Names.contains(Name))
    return 1;
  return Size.factor(Name).value_or(1);
}

int64_t BatchAxis::rowsOfImage(const Dim &First) const {
  return First.isFixed() ? llvm::divideCeil(First.size(), Images) : sizeForOne(First);
}

bool BatchAxis::isBatch(const Dim &First) const {
  return First.isFixed() ? First.size() == Images : sizeForOne(First) == 1;
}
