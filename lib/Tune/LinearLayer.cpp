//===- LinearLayer.cpp - a linear layer as a regression -------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "LinearLayer.h"

#include "deepshare/Exec/Exec.h"

#include <ATen/CPUGeneratorImpl.h>

using namespace deepshare;

static at::Tensor constantOf(const Value *V) {
  if (!V || !V->constant() || V->constant()->elementType() != ElementType::Float32)
    return {};
  llvm::Expected<at::Tensor> T = toATen(*V->constant());
  if (T)
    return *T;
  llvm::consumeError(T.takeError());
  return {};
}

static bool isPlainConv(const Node &N, int64_t Rank) {
  std::string AutoPad = N.stringAttribute("auto_pad", "NOTSET");
  return Rank >= 3 && Rank <= 5 && (AutoPad == "NOTSET" || AutoPad == "VALID") && !N.attribute("output_shape");
}

/// The weight [outputs, channels of a group, kernel...] of a Conv as that of a ConvTranspose [channels, outputs of a
/// group, kernel...], and back: what comes first in a group changes places, and the kernel is mirrored.
static at::Tensor transposed(const at::Tensor &W, int64_t Groups) {
  std::vector<int64_t> Split = W.sizes().vec(), Axes;
  Split.front() /= Groups;
  Split.insert(Split.begin(), Groups);
  for (int64_t Axis = 3; Axis <= W.dim(); ++Axis)
    Axes.push_back(Axis);
  return W.reshape(Split).transpose(1, 2).flip(Axes).flatten(0, 1);
}

static bool isPlainGemm(const Node &N, int64_t Rank) {
  return Rank == 2 && N.intAttribute("transA", 0) == 0 && N.floatAttribute("alpha", 1) == 1 &&
         N.floatAttribute("beta", 1) == 1;
}

std::optional<LinearLayer> LinearLayer::match(Node &N) {
  if (!N.is("Conv") && !N.is("ConvTranspose") && !N.is("Gemm") && !N.is("MatMul"))
    return std::nullopt;
  at::Tensor W = constantOf(N.input(1));
  if (!W.defined() || !N.input(0) || N.input(0)->initializer())
    return std::nullopt;
  LinearLayer Layer;
  Layer.N = &N;
  if (N.is("Conv") || N.is("ConvTranspose")) {
    Layer.Groups = N.intAttribute("group", 1);
    if (!isPlainConv(N, W.dim()) || Layer.Groups < 1 || W.size(0) % Layer.Groups)
      return std::nullopt;
    Layer.Weights = (N.is("Conv") ? W : transposed(W, Layer.Groups)).flatten(1).clone();
  } else if (N.is("Gemm")) {
    if (!isPlainGemm(N, W.dim()))
      return std::nullopt;
    Layer.Weights = (N.intAttribute("transB", 0) ? W : W.t()).contiguous().clone();
  } else {
    if (W.dim() != 2)
      return std::nullopt;
    Layer.Weights = W.t().contiguous();
    Layer.HasBias = false;
  }
  Layer.Bias = at::zeros({Layer.Weights.size(0)}, at::kFloat);
  if (N.input(2)) {
    at::Tensor B = constantOf(N.input(2));
    if (!B.defined() || B.numel() != Layer.Bias.numel())
      return std::nullopt;
    Layer.Bias = B.flatten().clone();
  }
  return Layer;
}

at::Tensor LinearLayer::weights(int64_t Group) const {
  at::Tensor W = Weights.narrow(0, Group * outputs(), outputs()).t();
  if (!HasBias)
    return W;
  return at::cat({W, Bias.narrow(0, Group * outputs(), outputs()).unsqueeze(0)}, 0);
}

void LinearLayer::setWeights(int64_t Group, const at::Tensor &W) {
  Weights.narrow(0, Group * outputs(), outputs()).copy_(W.narrow(0, 0, Weights.size(1)).t());
  if (HasBias)
    Bias.narrow(0, Group * outputs(), outputs()).copy_(W[-1]);
}

static at::Tensor withOnes(const at::Tensor &A) { return at::cat({A, at::ones({A.size(0), 1}, A.options())}, 1); }

/// \p Count of \p Size positions, in order; all of them if there are no more.
static at::Tensor samplePositions(int64_t Size, int64_t Count, uint64_t Seed) {
  if (Size <= Count)
    return at::arange(Size, at::kLong);
  auto Generator = at::detail::createCPUGenerator(Seed);
  return std::get<0>(at::randperm(Size, Generator, at::kLong).narrow(0, 0, Count).sort());
}

/// The elements of \p X [images, channels, sizes...], \p Strides apart, zeros between them.
static at::Tensor spread(const at::Tensor &X, llvm::ArrayRef<int64_t> Strides) {
  std::vector<int64_t> Sizes = X.sizes().vec();
  for (size_t Axis = 0; Axis < Strides.size(); ++Axis)
    Sizes[Axis + 2] = (Sizes[Axis + 2] - 1) * Strides[Axis] + 1;
  at::Tensor Result = at::zeros(Sizes, X.options()), Places = Result;
  for (size_t Axis = 0; Axis < Strides.size(); ++Axis)
    Places = Places.slice(Axis + 2, 0, c10::nullopt, Strides[Axis]);
  Places.copy_(X);
  return Result;
}

std::pair<at::Tensor, at::Tensor> LinearLayer::convRows(int64_t Group, at::Tensor Input, at::Tensor Wanted,
                                                        int64_t MaxRows, uint64_t Seed) const {
  int64_t Axes = Input.dim() - 2;
  std::vector<int64_t> Kernel(N->input(1)->constant()->dims().drop_front(2));
  std::vector<int64_t> Strides = N->intsAttribute("strides", std::vector<int64_t>(Axes, 1));
  std::vector<int64_t> Dilations = N->intsAttribute("dilations", std::vector<int64_t>(Axes, 1));
  std::vector<int64_t> Pads = N->intsAttribute("pads", std::vector<int64_t>(2 * Axes, 0));
  std::vector<int64_t> Growth = N->intsAttribute("output_padding", std::vector<int64_t>(Axes, 0));
  int64_t ChannelsIn = Input.size(1) / Groups;
  Input = Input.narrow(1, Group * ChannelsIn, ChannelsIn);
  Wanted = Wanted.narrow(1, Group * outputs(), outputs());
  if (N->is("ConvTranspose")) {
    Input = spread(Input, Strides);
    for (int64_t Axis = 0; Axis < Axes; ++Axis) {
      int64_t Reach = (Kernel[Axis] - 1) * Dilations[Axis];
      Pads[Axis] = Reach - Pads[Axis];
      Pads[Axes + Axis] = Reach - Pads[Axes + Axis] + Growth[Axis];
    }
    Strides.assign(Axes, 1);
  }

  // A view [images, channels, positions..., kernel...] of the padded input; only rows that are chosen are copied.
  std::vector<int64_t> Padding;
  for (int64_t Axis = Axes - 1; Axis >= 0; --Axis)
    Padding.insert(Padding.end(), {Pads[Axis], Pads[Axes + Axis]});
  at::Tensor Windows = at::constant_pad_nd(Input, Padding);
  for (int64_t Axis = 0; Axis < Axes; ++Axis)
    Windows = Windows.unfold(Axis + 2, (Kernel[Axis] - 1) * Dilations[Axis] + 1, Strides[Axis])
                  .slice(-1, 0, c10::nullopt, Dilations[Axis]);
  int64_t Images = Input.size(0), Positions = 1;
  for (int64_t Axis = 0; Axis < Axes; ++Axis)
    Positions *= Windows.size(Axis + 2);
  at::Tensor Chosen = samplePositions(Positions, std::max<int64_t>(1, MaxRows / Images), Seed);
  c10::List<c10::optional<at::Tensor>> Places;
  Places.push_back(c10::nullopt);
  Places.push_back(c10::nullopt);
  for (int64_t Axis = 0, Inner = Positions; Axis < Axes; ++Axis) {
    Inner /= Windows.size(Axis + 2);
    Places.push_back(Chosen.div(Inner, "floor").remainder(Windows.size(Axis + 2)));
  }
  at::Tensor A = at::index(Windows, Places).transpose(1, 2).flatten(2).flatten(0, 1); // [images * chosen, features]
  at::Tensor T = Wanted.flatten(2).index_select(2, Chosen).transpose(1, 2).reshape({-1, outputs()});
  return {withOnes(A), T};
}

std::pair<at::Tensor, at::Tensor> LinearLayer::rows(int64_t Group, const at::Tensor &Input, const at::Tensor &Wanted,
                                                    int64_t MaxRows, uint64_t Seed) const {
  if (N->is("Conv") || N->is("ConvTranspose"))
    return convRows(Group, Input, Wanted, MaxRows, Seed);
  at::Tensor A = Input.reshape({-1, Weights.size(1)});
  at::Tensor T = Wanted.reshape({-1, Weights.size(0)});
  at::Tensor Chosen = samplePositions(A.size(0), MaxRows, Seed);
  A = A.index_select(0, Chosen);
  return {HasBias ? withOnes(A) : A, T.index_select(0, Chosen)};
}

/// Makes \p T the value of input \p Index, in place of a constant that other nodes may use too.
static llvm::Error storeInput(Graph &G, Node &N, unsigned Index, const at::Tensor &T, llvm::StringRef Name) {
  llvm::Expected<Tensor> Converted = fromATen(T);
  if (!Converted)
    return Converted.takeError();
  Value *Old = N.input(Index);
  if (Old && Old->uses().size() == 1 && !Old->isGraphOutput()) {
    Old->setInitializer(std::move(*Converted));
    return llvm::Error::success();
  }
  Value *New = G.addInitializer(Old ? Old->name() : Name, std::move(*Converted));
  if (Index < N.numInputs())
    N.setInput(Index, New);
  else
    N.addInput(New);
  return llvm::Error::success();
}

llvm::Error LinearLayer::store(Graph &G) {
  const Tensor &Old = *N->input(1)->constant();
  bool IsTransposed = N->is("MatMul") || (N->is("Gemm") && N->intAttribute("transB", 0) == 0);
  at::IntArrayRef Dims(Old.dims().data(), Old.dims().size());
  at::Tensor W;
  if (N->is("ConvTranspose")) {
    std::vector<int64_t> AsConv = Dims.vec();
    AsConv[0] = Weights.size(0);
    AsConv[1] = Dims[0] / Groups;
    W = transposed(Weights.reshape(AsConv), Groups).contiguous();
  } else {
    W = (IsTransposed ? Weights.t() : Weights).reshape(Dims);
  }
  std::string Stem = N->output()->name().str();
  if (llvm::Error E = storeInput(G, *N, 1, W, Stem + "_weight"))
    return E;
  if (!HasBias || (!N->input(2) && Bias.eq(0).all().item<bool>()))
    return llvm::Error::success();
  return storeInput(G, *N, 2, Bias, Stem + "_bias");
}
