//===- SelectionAsConv.cpp - strided Slice and Pad to a convolution -------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
//   s = Slice <steps 1, 1, 2, 2> (x)
//   y = Pad <channels: 8 before, 8 after> (s)     =>      y = Conv <strides = [2, 2]> (x, w)     w 0/1, public
//
// A chain of Slice and Pad (of zeros) picks, along every axis, element source(i) of x for position i of y, or zero.
// Along the channels any such map is a matrix of zeros and ones. Along a spatial axis it is a window of a convolution
// if source(i) = stride i + offset for every i, with zeros just where that lies outside of x: the offset becomes a pad
// (if negative) or the place of the one in the kernel, whose size makes the number of positions right.
//
// Legal if
//   1. starts, ends, axes, steps and pads are constants, and x has known channels and sizes along one or two spatial
//   axes,
//   2. the batch is left alone, and every spatial map has the form above, with the same pad at both ends,
//   3. all but the last node of the chain have one use,
//   4. the kernel and the weights stay small (MaxKernel, MaxWeights).
// Only chains with a step or a Pad are rewritten: a plain Slice is free everywhere. With all channels in place the
// convolution is grouped, one channel a group.
//
// The weights are a Constant node: public, so that a framework for private inference sends nothing (a shortcut of a
// ResNet by subsampling and padding stays free). CrypTen has neither steps nor a usable Pad. Bit-exact, but for the
// sign of zeros and for infinities, which a product by 0 turns into NaN.
//
// Scope: main graph.
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/SelectionAsConv.h"

#include "ConstantNode.h"
#include "ShapeArithmetic.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/STLExtras.h"

#include <numeric>

using namespace deepshare;

namespace {

/// For every position of the result the one of the source; -1: zero.
using AxisMap = std::vector<int64_t>;
/// One map an axis, the batch (whose size may be unknown) left out.
using Selection = std::vector<AxisMap>;

/// A spatial axis as a window.
struct Window {
  int64_t Stride = 1;
  int64_t Pad = 0;
  int64_t Kernel = 1;
  int64_t One = 0; ///< the place in the kernel that is 1
};

} // namespace

/// Positions along an axis, of the source or the result, up to which a map of them is made.
static constexpr int64_t MaxPositions = 1 << 20;
/// The largest kernel along an axis, and the most weights of all. Subsampling takes a kernel of 1, and each zero at the
/// far end takes it 1 further: beyond this the convolution costs more than what it stands for.
static constexpr int64_t MaxKernel = 32, MaxWeights = 1 << 22;

/// Sizes of all axes of \p V but the first; empty unless known.
static std::vector<int64_t> innerSizes(const Value *V) {
  std::vector<int64_t> Sizes;
  if (V && V->type() && V->type()->isStatic(/*FreeLeading=*/1) && !V->type()->Dims->empty())
    for (const Dim &Size : llvm::drop_begin(*V->type()->Dims))
      Sizes.push_back(Size.size());
  return Sizes;
}

/// Sizes of what is selected.
static std::vector<int64_t> sizesOf(const Selection &Maps) {
  std::vector<int64_t> Sizes;
  for (const AxisMap &Map : Maps)
    Sizes.push_back(Map.size());
  return Sizes;
}

/// The positions that a Slice takes along an axis of \p Size elements, after ONNX's rules of clamping. Backward steps
/// are not treated.
static std::optional<AxisMap> slicePositions(int64_t Size, int64_t Start, int64_t End, int64_t Step) {
  if (Step < 1)
    return std::nullopt;
  auto Clamp = [&](int64_t Index) { return std::clamp<int64_t>(Index < 0 ? Index + Size : Index, 0, Size); };
  AxisMap Map;
  for (int64_t I = Clamp(Start); I < Clamp(End); I += std::min(Step, Size))
    Map.push_back(I);
  return Map.empty() ? std::nullopt : std::optional(Map);
}

static AxisMap identity(int64_t Size) {
  AxisMap Map(Size);
  std::iota(Map.begin(), Map.end(), 0);
  return Map;
}

static std::optional<Selection> sliceSelection(const Node &N, llvm::ArrayRef<int64_t> Sizes) {
  auto Starts = constantIntegers(N.input(1)), Ends = constantIntegers(N.input(2));
  auto Axes = constantIntegers(N.input(3)), Steps = constantIntegers(N.input(4));
  if (!Starts || !Ends || Starts->size() != Ends->size() || (N.input(3) && !Axes) || (N.input(4) && !Steps) ||
      (Axes && Axes->size() != Starts->size()) || (Steps && Steps->size() != Starts->size()))
    return std::nullopt;
  Selection Maps;
  llvm::transform(Sizes, std::back_inserter(Maps), identity);
  int64_t Rank = Sizes.size() + 1;
  llvm::SmallDenseSet<int64_t> Seen;
  for (size_t I = 0; I < Starts->size(); ++I) {
    int64_t Axis = Axes ? (*Axes)[I] : I;
    Axis += Axis < 0 ? Rank : 0;
    int64_t Step = Steps ? (*Steps)[I] : 1;
    if (Axis < 1 || Axis >= Rank || !Seen.insert(Axis).second)
      return std::nullopt;
    auto Map = slicePositions(Sizes[Axis - 1], (*Starts)[I], (*Ends)[I], Step);
    if (!Map)
      return std::nullopt;
    Maps[Axis - 1] = *Map;
  }
  return Maps;
}

static std::optional<Selection> padSelection(const Node &N, llvm::ArrayRef<int64_t> Sizes) {
  auto Pads = constantIntegers(N.input(1));
  if (!Pads || N.stringAttribute("mode", "constant") != "constant" || N.input(3))
    return std::nullopt;
  if (N.input(2)) {
    const Tensor *Fill = constantTensor(N.input(2));
    if (!Fill || Fill->elementType() != ElementType::Float32 || Fill->numElements() != 1 || Fill->get<float>(0) != 0)
      return std::nullopt;
  }
  size_t Rank = Sizes.size() + 1;
  if (Pads->size() != 2 * Rank || (*Pads)[0] != 0 || (*Pads)[Rank] != 0)
    return std::nullopt;
  Selection Maps;
  for (size_t Axis = 1; Axis < Rank; ++Axis) {
    int64_t Before = (*Pads)[Axis], After = (*Pads)[Rank + Axis];
    if (std::min(Before, After) < -MaxPositions || std::max(Before, After) > MaxPositions)
      return std::nullopt;
    AxisMap Map;
    for (int64_t I = -Before; I < Sizes[Axis - 1] + After; ++I)
      Map.push_back(I >= 0 && I < Sizes[Axis - 1] ? I : -1);
    if (Map.empty())
      return std::nullopt;
    Maps.push_back(std::move(Map));
  }
  return Maps;
}

/// What \p N, a Slice or a Pad, takes of its input.
static std::optional<Selection> selectionOf(const Node &N) {
  std::vector<int64_t> Sizes = innerSizes(N.numInputs() ? N.input(0) : nullptr);
  if ((Sizes.size() != 2 && Sizes.size() != 3) || llvm::any_of(Sizes, [](int64_t Size) { return Size > MaxPositions; }))
    return std::nullopt;
  if (N.is("Slice"))
    return sliceSelection(N, Sizes);
  return N.is("Pad") ? padSelection(N, Sizes) : std::nullopt;
}

/// True if \p Map takes a run of neighbours, or a single element.
static bool isRun(const AxisMap &Map) {
  for (auto [I, Source] : llvm::enumerate(Map))
    if (Source < 0 || Source != Map.front() + static_cast<int64_t>(I))
      return false;
  return true;
}

/// The window that takes what \p Map does of \p Size elements; nothing if none does, or only one that is too large.
static std::optional<Window> windowOf(const AxisMap &Map, int64_t Size) {
  // Two neighbours inside give the stride; with fewer any will do that leads outside at once.
  Window W;
  auto First = llvm::find_if(Map, [](int64_t Source) { return Source >= 0; });
  if (First == Map.end())
    return std::nullopt;
  int64_t Index = First - Map.begin();
  W.Stride = Index + 1 < int64_t(Map.size()) && First[1] >= 0 ? First[1] - First[0] : Size;
  if (W.Stride < 1)
    return std::nullopt;
  int64_t Offset = *First - W.Stride * Index;
  for (auto [I, Source] : llvm::enumerate(Map)) {
    int64_t Position = W.Stride * int64_t(I) + Offset;
    if (Source != (Position >= 0 && Position < Size ? Position : -1))
      return std::nullopt;
  }
  // Positions of the convolution: (Size + 2 Pad - Kernel) / Stride + 1, rounded down. Zeros at the far end need a
  // kernel that reaches past its one, and so pads at both ends.
  int64_t Last = W.Stride * (static_cast<int64_t>(Map.size()) - 1) + Offset;
  W.Pad = std::max<int64_t>({0, -Offset, Last + 1 - Size});
  W.One = Offset + W.Pad;
  int64_t Largest = Size + 2 * W.Pad - (Last - Offset);
  W.Kernel = std::max(W.One + 1, Largest - W.Stride + 1);
  return W.Kernel <= MaxKernel ? std::optional(W) : std::nullopt;
}

namespace {
class SelectionAsConv : public Pass {
public:
  llvm::Expected<bool> run(Model &M, PassContext &) override {
    uint64_t Before = Changed;
    llvm::SmallVector<Node *> Nodes;
    for (Node &N : M.graph())
      if (N.is("Slice") || N.is("Pad"))
        Nodes.push_back(&N);
    // Later nodes first: the last of a chain takes the others along.
    for (Node *N : llvm::reverse(Nodes))
      if (!Gone.contains(N))
        rewriteChain(*N);
    Gone.clear();
    return Changed != Before;
  }

  PassStatistics statistics() const override { return {{"chains made convolutions", Changed}}; }

private:
  static bool isFloat(const Value *V) { return V->type() && V->type()->Element == ElementType::Float32; }

  void rewriteChain(Node &Last) {
    std::optional<Selection> Maps = selectionOf(Last);
    if (!Maps || !isFloat(Last.output()))
      return;
    llvm::SmallVector<Node *> Chain = {&Last};
    while (Node *Producer = Chain.back()->input(0)->producer()) {
      std::optional<Selection> Inner = selectionOf(*Producer);
      if (!Inner || Producer->output()->uses().size() != 1 || Producer->output()->isGraphOutput() ||
          sizesOf(*Inner) != innerSizes(Producer->output()))
        break;
      for (size_t Axis = 0; Axis < Maps->size(); ++Axis)
        for (int64_t &Source : (*Maps)[Axis])
          Source = Source < 0 ? -1 : (*Inner)[Axis][Source];
      Chain.push_back(Producer);
    }
    Value *X = Chain.back()->input(0);
    std::vector<int64_t> Sizes = innerSizes(X);
    std::vector<Window> Windows;
    if (llvm::all_of(Chain, [](const Node *N) { return N->is("Slice"); }) &&
        llvm::none_of((*Maps)[0], [](int64_t Source) { return Source < 0; }) &&
        llvm::all_of(llvm::drop_begin(*Maps), isRun))
      return;
    int64_t Weights = (*Maps)[0].size() * ((*Maps)[0] == identity(Sizes[0]) ? 1 : Sizes[0]);
    for (size_t Axis = 1; Axis < Sizes.size(); ++Axis) {
      std::optional<Window> W = windowOf((*Maps)[Axis], Sizes[Axis]);
      if (!W)
        return;
      Weights *= W->Kernel;
      Windows.push_back(*W);
    }
    if (Weights > MaxWeights)
      return;
    replace(Last, X, (*Maps)[0], Sizes[0], Windows);
    Graph &G = *X->parent();
    for (Node *N : Chain) {
      Gone.insert(N);
      G.erase(N);
    }
    ++Changed;
  }

  static void replace(Node &Last, Value *X, const AxisMap &Channels, int64_t ChannelsIn,
                      llvm::ArrayRef<Window> Windows) {
    bool KeepsChannels = Channels == identity(ChannelsIn);
    int64_t Group = KeepsChannels ? ChannelsIn : 1, Columns = KeepsChannels ? 1 : ChannelsIn;
    llvm::SmallVector<int64_t> Dims = {static_cast<int64_t>(Channels.size()), Columns}, Strides, Kernel, Pads;
    int64_t KernelElements = 1, One = 0;
    for (const Window &W : Windows) {
      Dims.push_back(W.Kernel);
      Kernel.push_back(W.Kernel);
      Strides.push_back(W.Stride);
      Pads.push_back(W.Pad);
      KernelElements *= W.Kernel;
      One = One * W.Kernel + W.One;
    }
    llvm::append_range(Pads, llvm::to_vector(Pads));
    std::vector<float> Weights(Channels.size() * Columns * KernelElements, 0);
    for (auto [C, Source] : llvm::enumerate(Channels))
      if (Source >= 0)
        Weights[(C * Columns + (KeepsChannels ? 0 : Source)) * KernelElements + One] = 1;
    Graph &G = *Last.parent();
    std::string Name = Last.output()->name().str();
    Value *Weight = insertConstant(G, Graph::iteratorTo(&Last), Tensor::of<float>(Dims, Weights), Name + "_selection");
    Value *Y = G.insert(Graph::iteratorTo(&Last), "Conv", {X, Weight}, Name + "_conv");
    Node &Conv = *Y->producer();
    Conv.setAttribute("dilations", std::vector<int64_t>(Windows.size(), 1));
    Conv.setAttribute("group", Group);
    Conv.setAttribute("kernel_shape", std::vector<int64_t>(Kernel.begin(), Kernel.end()));
    Conv.setAttribute("pads", std::vector<int64_t>(Pads.begin(), Pads.end()));
    Conv.setAttribute("strides", std::vector<int64_t>(Strides.begin(), Strides.end()));
    Y->setType(Last.output()->type());
    Last.output()->replaceAllUsesWith(Y);
    Y->setName(Name);
  }

  llvm::DenseSet<const Node *> Gone;
  uint64_t Changed = 0;
};
} // namespace

PassInfo deepshare::selectionAsConvPass() {
  return {.Name = "selection-as-conv",
          .Contract =
              "Turns chains of strided Slice and Pad into one convolution with public weights of zeros and ones.",
          .Options = {},
          .Create = createPass<SelectionAsConv>,
          .Alias = {},
          .Effect = PassEffect::Reassociates};
}
