//===- Images.cpp - images in batches -------------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Images.h"

#include "common/ProgressBar.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <numeric>

using namespace deepshare;

std::vector<const Value *> deepshare::freeInputs(const Graph &G) {
  std::vector<const Value *> Inputs;
  for (const Value *Input : G.inputs())
    if (!Input->isInitializer())
      Inputs.push_back(Input);
  return Inputs;
}

bool deepshare::isLogits(const at::Tensor &Output) { return Output.dim() == 2 && Output.size(1) > 1; }

/// Images a run: what the model fixes, else \p Wanted.
static llvm::Expected<uint64_t> batchSize(const Value &Input, uint64_t Wanted, uint64_t Images) {
  const std::optional<TensorType> &Type = Input.type();
  if (!Type || !Type->Dims || Type->Dims->empty() || !Type->Dims->front().isFixed())
    return Wanted;
  uint64_t Fixed = Type->Dims->front().size();
  if (Fixed == 0 || Images % Fixed)
    return llvm::createStringError(fmt::format(
        "input '{}': the model takes batches of {}, of which {} images are no multiple; --limit n takes the first n",
        Input.name().str(), Fixed, Images));
  return Fixed;
}

llvm::Expected<ImageBatches> ImageBatches::open(const Graph &G, const RunOptions &Options) {
  std::vector<const Value *> Inputs = freeInputs(G);
  if (Inputs.size() != 1)
    return llvm::createStringError(
        fmt::format("--images needs a model with one input, {} has {}", Options.Model, Inputs.size()));
  ImageBatches Result;
  if (llvm::Error E = openImageSet(Options.Images, Options.Norm).moveInto(Result.Images))
    return E;
  Result.Total = Result.Images->size();
  if (Options.Limit)
    Result.Total = std::min(Result.Total, Options.Limit);
  if (!Result.Total)
    return llvm::createStringError(Options.Images + ": there is no image");
  if (llvm::Error E = batchSize(*Inputs.front(), Options.Batch, Result.Total).moveInto(Result.Batch))
    return E;
  return Result;
}

llvm::Error ImageBatches::forEach(llvm::function_ref<llvm::Error(const at::Tensor &Batch, uint64_t First)> Run) const {
  ProgressBar Bar;
  for (uint64_t First = 0; First < Total; First += Batch) {
    Bar.update("running", First, Total);
    std::vector<uint64_t> Indices(std::min(Batch, Total - First));
    std::iota(Indices.begin(), Indices.end(), First);
    std::vector<int64_t> Shape = {static_cast<int64_t>(Indices.size())};
    llvm::append_range(Shape, Images->shape());
    at::Tensor T = at::empty(Shape);
    if (llvm::Error E = Images->batch(Indices, {T.data_ptr<float>(), static_cast<size_t>(T.numel())}))
      return E;
    if (llvm::Error E = Run(T, First))
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
