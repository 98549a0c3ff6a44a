//===- ImageInputs.cpp - images as inputs of a model ----------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Exec/ImageInputs.h"

#include "deepshare/Support/Error.h"

#include "llvm/ADT/STLExtras.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

using namespace deepshare;
using llvm::Error;
using llvm::Expected;

std::vector<const Value *> deepshare::freeInputs(const Graph &G) {
  std::vector<const Value *> Free;
  for (const Value *V : G.inputs())
    if (!V->isInitializer())
      Free.push_back(V);
  return Free;
}

Expected<std::unique_ptr<ImageSet>> deepshare::openImagesFor(const Graph &G, llvm::StringRef Path,
                                                             const Normalization &Norm) {
  std::vector<std::string> Names;
  for (const Value *Input : freeInputs(G))
    Names.push_back(Input->name().str());
  return openImageSet(Path, Norm, Names);
}

Expected<at::Tensor> deepshare::readImages(const ImageSet &Set, llvm::ArrayRef<uint64_t> Indices) {
  std::vector<int64_t> Shape = {static_cast<int64_t>(Indices.size())};
  llvm::append_range(Shape, Set.shape());
  at::Tensor Images = at::empty(Shape, at::kFloat);
  if (Error E = Set.batch(Indices, {Images.data_ptr<float>(), static_cast<size_t>(Images.numel())}))
    return E;
  return Images;
}

Expected<ImageInputs> ImageInputs::find(const Graph &G, const ImageSet &Images) {
  std::vector<const Value *> Free = freeInputs(G);
  if (Free.empty())
    return makeError("the model has no input to give images to");
  llvm::ArrayRef<ImagePart> Parts = Images.parts();
  ImageInputs Result;
  Result.Elements = c10::multiply_integers(Images.shape().begin(), Images.shape().end());
  if (Parts.empty()) {
    if (Free.size() > 1)
      return makeError(
          fmt::format("the model has {} inputs ('{}', '{}'{}): give an .npz with an array for each, of the "
                      "input's name",
                      Free.size(), Free[0]->name().str(), Free[1]->name().str(), Free.size() > 2 ? ", ..." : ""));
    if (Error E = Result.add(*Free.front(), Images.shape(), 0))
      return E;
    return Result;
  }
  for (const Value *Input : Free) {
    int64_t First = 0;
    const auto *Part = Parts.begin();
    for (; Part != Parts.end() && Part->Name != Input->name(); ++Part)
      First += c10::multiply_integers(Part->Shape);
    if (Part == Parts.end())
      return makeError(
          fmt::format("the images have no array '{}' for the model's input of that name", Input->name().str()));
    if (Error E = Result.add(*Input, Part->Shape, First))
      return E;
  }
  return Result;
}

Error ImageInputs::add(const Value &Input, llvm::ArrayRef<int64_t> Shape, int64_t First) {
  std::optional<uint64_t> Own;
  if (const std::optional<TensorType> &Type = Input.type()) {
    bool Fits = Type->Element == ElementType::Float32 || Type->Element == ElementType::Undefined;
    if (Type->Dims) {
      llvm::ArrayRef<Dim> Dims(*Type->Dims);
      Fits &= Dims.size() == Shape.size() + 1;
      for (unsigned I = 0; Fits && I < Shape.size(); ++I)
        Fits = !Dims[I + 1].isFixed() || Dims[I + 1].size() == Shape[I];
      if (Fits && Dims.front().isFixed())
        Own = Dims.front().size();
    }
    if (!Fits)
      return makeError(fmt::format("the model's input '{}' is {}, but the images are float[{}]", Input.name().str(),
                                   Type->str(), fmt::join(Shape, ",")));
    if (Own == 0)
      return makeError(
          fmt::format("the model's input '{}' is {}: it has no room for an image", Input.name().str(), Type->str()));
  }
  if (Own && Batch.value_or(*Own) != *Own)
    return makeError(fmt::format("the model's input '{}' takes {} images at a time, but input '{}' takes {}",
                                 Input.name().str(), *Own, BatchInput->name().str(), *Batch));
  if (Own && !Batch) {
    Batch = Own;
    BatchInput = &Input;
  }
  Inputs.push_back(&Input);
  Pieces.push_back({First, c10::multiply_integers(Shape.begin(), Shape.end()), Shape.vec()});
  return Error::success();
}

std::vector<at::Tensor> ImageInputs::split(const at::Tensor &Images) const {
  int64_t Count = Images.size(0);
  at::Tensor Rows = Images.reshape({Count, Elements});
  std::vector<at::Tensor> Result;
  for (const Piece &P : Pieces) {
    std::vector<int64_t> Shape = {Count};
    llvm::append_range(Shape, P.Shape);
    Result.push_back(Rows.narrow(1, P.First, P.Size).reshape(Shape));
  }
  return Result;
}
