//===- SampleInputs.cpp - inputs to run a model on ------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "SampleInputs.h"

#include "deepshare/Data/Random.h"
#include "deepshare/Exec/Exec.h"
#include "deepshare/Exec/ImageInputs.h"
#include "deepshare/Support/Error.h"

#include "llvm/Support/MathExtras.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <numbers>

using namespace deepshare;
using llvm::Error;
using llvm::Expected;

static Expected<std::vector<NamedTensors>> drawImages(const Model &M, const ImageSet &Images, unsigned Samples,
                                                      uint64_t Seed) {
  Expected<ImageInputs> Inputs = ImageInputs::find(M.graph(), Images);
  if (!Inputs)
    return Inputs.takeError();
  uint64_t Batch = Inputs->batch().value_or(Samples);
  Random Generator({Seed});
  std::vector<NamedTensors> Runs;
  for (uint64_t Run = 0; Run < llvm::divideCeil(Samples, Batch); ++Run) {
    std::vector<uint64_t> Indices;
    for (uint64_t I = 0; I < Batch; ++I)
      Indices.push_back(Generator.below(Images.size()));
    Expected<at::Tensor> Drawn = readImages(Images, Indices);
    if (!Drawn)
      return Drawn.takeError();
    NamedTensors &Named = Runs.emplace_back();
    for (auto [Input, T] : llvm::zip_equal(Inputs->inputs(), Inputs->split(*Drawn)))
      Named[Input->name()] = T;
  }
  return Runs;
}

/// A normal number, by Box and Muller.
static double normal(Random &Generator) {
  double Radius = std::sqrt(-2 * std::log(1 - Generator.uniform()));
  return Radius * std::cos(2 * std::numbers::pi * Generator.uniform());
}

// As many doubles take 2 GiB.
static constexpr int64_t MostElements = int64_t(1) << 28;

static Expected<at::Tensor> drawTensor(const Value &Input, llvm::ArrayRef<int64_t> Shape, Random &Generator) {
  // A constant of the type is the one way from ONNX's types to ATen's.
  Expected<at::Tensor> Like = [&]() -> Expected<at::Tensor> {
    if (unsigned Size = elementSize(Input.type()->Element))
      return toATen(Tensor::copy(Input.type()->Element, {}, std::vector<char>(Size)));
    return makeError("input '" + Input.name() + "' holds elements that have no numbers");
  }();
  if (!Like)
    return Like;
  if (std::optional<int64_t> Count = numElements(Shape); !Count || *Count > MostElements)
    return makeError(fmt::format("cannot draw input '{}', which would be {}[{}]: expected at most {} elements",
                                 Input.name().str(), elementTypeName(Input.type()->Element), fmt::join(Shape, ","),
                                 MostElements));
  at::Tensor Numbers = at::empty({Shape.data(), Shape.size()}, at::kDouble);
  bool IsFloat = at::isFloatingType(Like->scalar_type());
  uint64_t Bound = Like->scalar_type() == at::kBool ? 2 : 5;
  double *Data = Numbers.data_ptr<double>();
  for (int64_t I = 0; I < Numbers.numel(); ++I)
    Data[I] = IsFloat ? normal(Generator) : static_cast<double>(Generator.below(Bound));
  return Numbers.to(Like->scalar_type());
}

static Expected<std::vector<NamedTensors>> drawRandom(const Model &M, unsigned Samples, uint64_t Seed) {
  constexpr int64_t UnknownSize = 32;
  Random Generator({Seed});
  std::vector<NamedTensors> Runs;
  unsigned Count = 1;
  for (unsigned Run = 0; Run < Count; ++Run) {
    NamedTensors &Tensors = Runs.emplace_back();
    for (const Value *Input : freeInputs(M.graph())) {
      const std::optional<TensorType> &Type = Input->type();
      if (!Type || !Type->Dims)
        return makeError("the shape of input '" + Input->name() + "' is not known");
      llvm::SmallVector<int64_t, 4> Shape;
      for (const Dim &D : *Type->Dims)
        Shape.push_back(D.isFixed() ? D.size() : Shape.empty() ? int64_t(Samples) : UnknownSize);
      if (Run == 0 && !Shape.empty() && Shape.front() > 0 && Shape.front() < Samples)
        Count = std::max<unsigned>(Count, llvm::divideCeil(Samples, Shape.front()));
      Expected<at::Tensor> T = drawTensor(*Input, Shape, Generator);
      if (!T)
        return T.takeError();
      Tensors[Input->name()] = *T;
    }
  }
  return Runs;
}

Expected<std::vector<NamedTensors>> deepshare::drawInputs(const Model &M, const ImageSet *Images, unsigned Samples,
                                                          uint64_t Seed) {
  return Images ? drawImages(M, *Images, Samples, Seed) : drawRandom(M, Samples, Seed);
}
