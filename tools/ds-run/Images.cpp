//===- Images.cpp - images in batches -------------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Images.h"

#include "common/ProgressBar.h"

#include "deepshare/Support/Error.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <numeric>

using namespace deepshare;

bool deepshare::isLogits(const at::Tensor &Output) { return Output.dim() == 2 && Output.size(1) > 1; }

llvm::Expected<ImageBatches> ImageBatches::open(const Graph &G, const RunOptions &Options) {
  llvm::Expected<std::unique_ptr<ImageSet>> Images = openImagesFor(G, Options.Images, Options.Norm);
  if (!Images)
    return Images.takeError();
  llvm::Expected<ImageInputs> Inputs = ImageInputs::find(G, **Images);
  if (!Inputs)
    return makeError(Options.Model + ": " + llvm::toString(Inputs.takeError()));
  uint64_t Total = Options.Limit ? std::min(Options.Limit, (*Images)->size()) : (*Images)->size();
  if (!Total)
    return makeError(Options.Images + ": there is no image");
  std::optional<uint64_t> Fixed = Inputs->batch();
  if (Fixed && Total % *Fixed)
    return makeError(
        fmt::format("{}: the model's input '{}' takes {} images at a time, and {} are no multiple of that; "
                    "--limit n takes the first n",
                    Options.Model, Inputs->batchInput()->name().str(), *Fixed, Total));
  ImageBatches Result(std::move(*Images), std::move(*Inputs));
  Result.Total = Total;
  Result.Batch = Fixed.value_or(Options.Batch);
  return Result;
}

llvm::Error
ImageBatches::forEach(llvm::function_ref<llvm::Error(llvm::ArrayRef<at::Tensor> Batch, uint64_t First)> Run) const {
  ProgressBar Bar;
  for (uint64_t First = 0; First < Total; First += Batch) {
    Bar.update("running", First, Total);
    std::vector<uint64_t> Indices(std::min(Batch, Total - First));
    std::iota(Indices.begin(), Indices.end(), First);
    llvm::Expected<at::Tensor> T = readImages(*Images, Indices);
    if (!T)
      return T.takeError();
    if (llvm::Error E = Run(Inputs.split(*T), First))
      return E;
  }
  Bar.clear();
  return llvm::Error::success();
}

uint64_t ImageBatches::countCorrect(const at::Tensor &Logits, uint64_t First) const {
  at::Tensor Chosen = Logits.argmax(1).to(at::kLong).contiguous();
  uint64_t Correct = 0;
  for (int64_t I = 0; I < Chosen.numel(); ++I)
    Correct += Chosen.data_ptr<int64_t>()[I] == Images->label(First + I);
  return Correct;
}
