//===- Initialize.cpp - random weights ------------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Parameters.h"

#include "deepshare/Data/Random.h"
#include "deepshare/Tune/Training.h"

#include <fmt/format.h>

#include <cmath>
#include <numbers>

using namespace deepshare;
using namespace deepshare::tune;

// A stream of random numbers of its own: the loader counts from 0.
static constexpr uint64_t WeightStream = 100;

/// Inputs that each number of a layer's output depends on.
static int64_t fanIn(const Parameter &P, llvm::ArrayRef<int64_t> Dims, int64_t Count) {
  if (P.User->is("Conv")) // [out, in / group, kernel...]
    return Count / Dims[0];
  if (P.User->is("ConvTranspose")) // [in, out / group, kernel...]
    return std::max<int64_t>(Count / Dims[1] / P.User->intAttribute("group", 1), 1);
  bool IsRight = P.User->input(1) == P.Of;
  if (P.User->is("Gemm"))
    return IsRight == (P.User->intAttribute("transB", 0) != 0) ? Dims.back() : Dims.front();
  // MatMul contracts the last axis of the left with the last but one of the right operand.
  return IsRight && Dims.size() > 1 ? Dims[Dims.size() - 2] : Dims.back();
}

static std::vector<float> normalNumbers(Random &Numbers, size_t Count, double Deviation) {
  std::vector<float> Result(Count);
  for (size_t Index = 0; Index < Count; ++Index) {
    // Box and Muller's transformation.
    double Radius = std::sqrt(-2 * std::log1p(-Numbers.uniform()));
    Result[Index] = static_cast<float>(Deviation * Radius * std::cos(2 * std::numbers::pi * Numbers.uniform()));
  }
  return Result;
}

static std::vector<float> randomValue(const Parameter &P, llvm::ArrayRef<int64_t> Dims, size_t Count, Random &Numbers) {
  switch (P.Kind) {
  case Role::Weight:
    return normalNumbers(Numbers, Count, std::sqrt(2.0 / fanIn(P, Dims, Count)));
  case Role::Slope:
    return std::vector<float>(Count, 0.25f);
  case Role::Scale:
  case Role::Variance:
    return std::vector<float>(Count, 1.0f);
  case Role::Bias:
  case Role::Mean:
    break;
  }
  return std::vector<float>(Count, 0.0f);
}

llvm::Error deepshare::initializeRandomly(Model &M, uint64_t Seed) {
  Graph &G = M.graph();
  auto IsCandidate = [&](const Value &V) {
    if (V.initializer())
      return V.initializer()->elementType() == ElementType::Float32;
    return V.isGraphInput() && &V != G.inputs().front() && V.type() && V.type()->Element == ElementType::Float32;
  };
  std::vector<Parameter> Parameters = findParameters(M, IsCandidate);
  if (Parameters.empty())
    return llvm::createStringError("the model has no parameter: neither a float initialiser nor an input after the "
                                   "first that a layer uses as its weight");
  for (const Parameter &P : Parameters) {
    llvm::SmallVector<int64_t, 4> Dims;
    if (const Tensor *Init = P.Of->initializer()) {
      Dims.assign(Init->dims().begin(), Init->dims().end());
    } else {
      if (!P.Of->type()->isStatic())
        return llvm::createStringError(
            fmt::format("parameter '{}' needs a fixed shape, got {}", P.Of->name().str(), P.Of->type()->str()));
      for (const Dim &D : *P.Of->type()->Dims)
        Dims.push_back(D.size());
    }
    std::optional<int64_t> Count = numElements(Dims);
    if (!Count || *Count == 0 || (P.Kind == Role::Weight && Dims.empty()) ||
        (Dims.size() < 3 && (P.User->is("Conv") || P.User->is("ConvTranspose")) && P.Kind == Role::Weight))
      return llvm::createStringError(fmt::format("parameter '{}' of node '{}' has a shape that cannot be filled",
                                                 P.Of->name().str(), P.User->displayName().str()));
    Random Numbers({Seed, WeightStream, static_cast<uint64_t>(&P - Parameters.data())});
    Tensor Drawn = Tensor::of<float>(Dims, randomValue(P, Dims, *Count, Numbers));
    if (P.Of->initializer())
      P.Of->setInitializer(std::move(Drawn));
    else
      G.fixInput(P.Of, std::move(Drawn));
  }
  return llvm::Error::success();
}
