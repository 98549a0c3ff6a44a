//===- WeightLayout.cpp - which channel a weight belongs to ---------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Analysis/WeightLayout.h"

#include "deepshare/Analysis/GateForms.h"

using namespace deepshare;
using llvm::ArrayRef;

/// The sizes of a linear layer's weights, empty if they are none that have channels. \p Kernel gets the elements of the
/// kernel, \p Groups the groups.
static ArrayRef<int64_t> weightDims(const Node &Linear, int64_t &Kernel, int64_t &Groups) {
  const Tensor *Weights = floatConstant(Linear.input(1));
  if (!Weights || Weights->dims().size() < 2 || llvm::is_contained(Weights->dims(), 0))
    return {};
  ArrayRef<int64_t> Dims = Weights->dims();
  Kernel = Groups = 1;
  if (Linear.is("Conv") || Linear.is("ConvTranspose")) {
    std::optional<int64_t> Product = numElements(Dims.drop_front(2));
    Groups = Linear.intAttribute("group", 1);
    if (!Product || Groups < 1 || Dims[0] % Groups != 0)
      return {};
    Kernel = *Product;
    return Dims;
  }
  return (Linear.is("Gemm") || Linear.is("MatMul")) && Dims.size() == 2 ? Dims : ArrayRef<int64_t>();
}

/// True for weights [inputs, outputs], as those of a MatMul.
static bool isInputMajor(const Node &Linear) {
  return Linear.is("MatMul") || (Linear.is("Gemm") && Linear.intAttribute("transB", 0) == 0);
}

std::optional<WeightLayout> deepshare::outputLayout(const Node &Linear) {
  int64_t Kernel = 1, Groups = 1;
  ArrayRef<int64_t> Dims = weightDims(Linear, Kernel, Groups);
  if (Dims.empty())
    return std::nullopt;
  if (Linear.is("ConvTranspose")) // [inputs, channels / groups, kernel...]
    return WeightLayout{Dims[1] * Groups, Dims[0] / Groups, Dims[1], Kernel};
  if (isInputMajor(Linear)) // [inputs, channels]
    return WeightLayout{Dims[1], Dims[0], Dims[1], 1};
  return WeightLayout{Dims[0], Dims[0], Dims[0], Dims[1] * Kernel}; // [channels, inputs / groups, kernel...]
}

std::optional<WeightLayout> deepshare::inputLayout(const Node &Linear) {
  int64_t Kernel = 1, Groups = 1;
  ArrayRef<int64_t> Dims = weightDims(Linear, Kernel, Groups);
  if (Dims.empty() || (Linear.is("Gemm") && Linear.intAttribute("transA", 0) != 0))
    return std::nullopt;
  if (Linear.is("ConvTranspose") || isInputMajor(Linear)) // [channels, outputs / groups, kernel...]
    return WeightLayout{Dims[0], Dims[0], Dims[0], Dims[1] * Kernel};
  return WeightLayout{Dims[1] * Groups, Dims[0] / Groups, Dims[1], Kernel}; // [outputs, channels / groups, kernel...]
}

std::optional<std::vector<double>> deepshare::biasOf(const Node &Linear, int64_t Channels) {
  std::vector<double> Bias(Channels, 0.0);
  if (!Linear.input(2))
    return Bias;
  const Tensor *T = floatConstant(Linear.input(2));
  if (!T)
    return std::nullopt;
  // A Gemm's third input broadcasts to [rows, channels].
  bool IsRow = T->numElements() == Channels && !T->dims().empty() && T->dims().back() == Channels;
  if (!IsRow && !(Linear.is("Gemm") && T->numElements() == 1))
    return std::nullopt;
  double Beta = Linear.is("Gemm") ? Linear.floatAttribute("beta", 1) : 1;
  for (int64_t C = 0; C < Channels; ++C)
    Bias[C] = Beta * T->get<float>(IsRow ? C : 0);
  return Bias;
}
