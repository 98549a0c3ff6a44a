//===- ImageInput.cpp - the input of a model that takes images ------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Exec/ImageInput.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

using namespace deepshare;

llvm::Expected<ImageInput> deepshare::findImageInput(const Model &M, llvm::ArrayRef<int64_t> Shape) {
  llvm::SmallVector<const Value *, 1> Inputs;
  for (const Value *V : M.graph().inputs())
    if (!V->isInitializer())
      Inputs.push_back(V);
  if (Inputs.empty())
    return llvm::createStringError("the model has no input to give images to");
  if (Inputs.size() > 1)
    return llvm::createStringError(fmt::format("expected a model with one input, got {} ('{}', '{}'{})", Inputs.size(),
                                               Inputs[0]->name().str(), Inputs[1]->name().str(),
                                               Inputs.size() > 2 ? ", ..." : ""));
  const Value *Input = Inputs.front();
  const std::optional<TensorType> &Type = Input->type();
  if (!Type)
    return ImageInput{Input, std::nullopt};
  bool Fits = Type->Element == ElementType::Float32;
  std::optional<uint64_t> Batch;
  if (Type->Dims) {
    llvm::ArrayRef<Dim> Dims(*Type->Dims);
    Fits &= Dims.size() == Shape.size() + 1;
    for (unsigned I = 0; Fits && I < Shape.size(); ++I)
      Fits = !Dims[I + 1].isFixed() || Dims[I + 1].size() == Shape[I];
    if (Fits && Dims.front().isFixed())
      Batch = Dims.front().size();
  }
  if (!Fits)
    return llvm::createStringError(fmt::format("the model's input '{}' is {}, but the images are float[{}]",
                                               Input->name().str(), Type->str(), fmt::join(Shape, ",")));
  if (Batch == 0)
    return llvm::createStringError(
        fmt::format("the model's input '{}' is {}: it has no room for an image", Input->name().str(), Type->str()));
  return ImageInput{Input, Batch};
}
