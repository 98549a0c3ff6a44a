//===- FoldScales.cpp - folds scales of slopes into weights ---------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
//   Y = DReLUShare(X, masks; on = s*t1, off = s*t0);  Z = Conv(Y, W)
//     =>   Y = DReLUShare(X, masks; on = t1, off = t0);  Z = Conv(Y, W * s)
//   X = Conv(V, W, b);  Y = DReLUShare(X, masks; on = s*t1, off = s*t0)
//     =>   X = Conv(V, s * W, s * b);  Y = DReLUShare(X, masks; on = t1, off = t0)
//
// for each channel with a scale s > 0 and t1, t0 of 0, 1 and -1; and the same for a Mul by slopes that share-gates put
// in the place of a gate. Fixed-point arithmetic pays a truncation an element for other slopes, and nothing for these.
//
// Legal if findScalableLayers() (deepshare/Analysis/ScaleFolding.h) finds layers that take the scale, which plans are
// priced by as well, and all new weights are finite. A channel whose slopes have two sizes is left alone. Weights that
// other layers share stay what they are: the scaled layer gets its own. Products are rounded once. A Mul of which only
// 1 is left goes away.
//
// Scope: the main graph, where share-gates works.
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/FoldScales.h"

#include "Rewriting.h"
#include "deepshare/Analysis/GateForms.h"
#include "deepshare/Analysis/ScaleFolding.h"
#include "deepshare/Analysis/WeightLayout.h"
#include "deepshare/IR/ShareOps.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Debug.h"

#include <cmath>

#define DEBUG_TYPE "fold-scales"

using namespace deepshare;
using llvm::ArrayRef;

namespace {

/// Slopes of a node's channels.
struct ChannelSlopes {
  std::vector<float> On, Off;
};

/// A constant that is to become an input of a layer.
struct NewInput {
  Node *Layer;
  unsigned Index;
  Tensor Constant;
};

} // namespace

/// The slopes of \p N, a DReLUShare or a Mul by a number for each channel (or one for all); nothing if it is neither.
static std::optional<ChannelSlopes> slopesOf(const Node &N) {
  if (isDReLUShare(N)) {
    const auto *On = N.attributeAs<std::vector<float>>("on"), *Off = N.attributeAs<std::vector<float>>("off");
    return On && Off ? std::optional(ChannelSlopes{*On, *Off}) : std::nullopt;
  }
  // share-gates makes the factor [channels, 1, ..., 1].
  const Tensor *Factor = N.is("Mul") ? floatConstant(N.input(1)) : nullptr;
  if (!Factor || !N.output()->type() || N.output()->type()->rank() != Factor->dims().size() + 1 ||
      Factor->dims().front() != Factor->numElements())
    return std::nullopt;
  std::vector<float> Slopes = Factor->toVector<float>();
  return ChannelSlopes{Slopes, Slopes};
}

static void storeSlopes(Node &N, const ChannelSlopes &Slopes) {
  if (isDReLUShare(N)) {
    N.setAttribute("on", Slopes.On);
    N.setAttribute("off", Slopes.Off);
    return;
  }
  replaceConstant(N, 1, Tensor::of<float>(floatConstant(N.input(1))->dims(), ArrayRef<float>(Slopes.On)));
}

/// Takes the scale out of each channel's slopes; returns the scales, 1 where there is none to take.
static std::vector<double> takeScales(ChannelSlopes &Slopes) {
  std::vector<double> Scales;
  for (auto [On, Off] : llvm::zip(Slopes.On, Slopes.Off)) {
    bool Folds = !needsTruncation({std::nullopt, On, Off}, /*FoldsScale=*/true) && (On != 0 || Off != 0);
    double Scale = Folds ? std::abs(On != 0 ? On : Off) : 1;
    Scales.push_back(Scale);
    if (Scale == 1)
      continue;
    On = On == 0 ? 0 : std::copysign(1.0f, On);
    Off = Off == 0 ? 0 : std::copysign(1.0f, Off);
  }
  return Scales;
}

/// Appends the constants of \p Scalable with scaled channels to \p New. False if one is not finite.
static bool scale(const ScalableLayer &Scalable, ArrayRef<double> Scales, std::vector<NewInput> &New) {
  Node &Layer = *Scalable.Layer;
  WeightLayout Layout = Scalable.IsBefore ? *outputLayout(Layer) : *inputLayout(Layer);
  const Tensor &Old = *floatConstant(Layer.input(1));
  std::vector<float> Weights = Old.toVector<float>();
  for (size_t I = 0; I < Weights.size(); ++I)
    Weights[I] = static_cast<float>(Weights[I] * Scales[Layout.channel(I) / Scalable.Elements]);
  std::vector<float> Bias;
  if (Scalable.IsBefore && Layer.input(2)) {
    std::vector<double> Given = *biasOf(Layer, Layout.Channels);
    for (auto [B, Scale] : llvm::zip_equal(Given, Scales))
      Bias.push_back(static_cast<float>(B * Scale));
    New.push_back({&Layer, 2, Tensor::of<float>({Layout.Channels}, ArrayRef<float>(Bias))});
  }
  auto IsFinite = [](float Number) { return std::isfinite(Number); };
  New.push_back({&Layer, 1, Tensor::of<float>(Old.dims(), ArrayRef<float>(Weights))});
  return llvm::all_of(Weights, IsFinite) && llvm::all_of(Bias, IsFinite);
}

/// Folds the scales of \p N; returns the number of channels that had one.
static uint64_t foldScales(Node &N) {
  auto Reject = [&](llvm::StringRef Reason) {
    LLVM_DEBUG(llvm::dbgs() << "keeps the slopes of '" << N.displayName() << "': " << Reason << '\n');
    return 0;
  };
  std::optional<ChannelSlopes> Slopes = slopesOf(N);
  if (!Slopes)
    return 0;
  std::vector<double> Scales = takeScales(*Slopes);
  uint64_t Count = llvm::count_if(Scales, [](double Scale) { return Scale != 1; });
  if (Count == 0)
    return 0;
  llvm::SmallVector<ScalableLayer, 2> Layers = findScalableLayers(N);
  if (Layers.empty())
    return Reject("no linear layers before or behind it can take scales");
  std::vector<NewInput> New;
  for (const ScalableLayer &Layer : Layers)
    if (!scale(Layer, Scales, New))
      return Reject("scaled weights would not be finite");

  for (NewInput &Input : New)
    replaceConstant(*Input.Layer, Input.Index, std::move(Input.Constant));
  // A bias was multiplied by beta before it was scaled.
  for (const ScalableLayer &Layer : Layers)
    if (Layer.IsBefore && Layer.Layer->input(2) && Layer.Layer->attribute("beta"))
      Layer.Layer->setAttribute("beta", 1.0f);
  storeSlopes(N, *Slopes);
  return Count;
}

namespace {
class FoldScales : public Pass {
public:
  llvm::Expected<bool> run(Model &M, PassContext &Context) override {
    llvm::StringMap<const Node *> Originals;
    if (Context.Original)
      for (const Node &N : Context.Original->graph())
        for (const Value *Output : N.outputs())
          Originals[Output->name()] = &N;
    // Other products than those of share-gates are the model's own, which stays what it is where no gate changed.
    auto IsInPlaceOfGate = [&](const Node &N) {
      const Node *Original = N.is("Mul") ? Originals.lookup(N.output()->name()) : nullptr;
      return Original && !Original->is("Mul");
    };
    uint64_t Before = Folded;
    Graph &G = M.graph();
    for (auto It = G.begin(); It != G.end();) {
      Node &N = *It++;
      bool IsProduct = IsInPlaceOfGate(N);
      uint64_t Count = isDReLUShare(N) || IsProduct ? foldScales(N) : 0;
      Folded += Count;
      if (Count > 0 && IsProduct && splat(N.input(1)) == 1.0f && !N.output()->isGraphOutput()) {
        Value *Factor = N.input(1);
        N.output()->replaceAllUsesWith(N.input(0));
        G.erase(&N);
        if (Factor->isInitializer() && Factor->isDead())
          G.eraseInitializer(Factor);
      }
    }
    return Folded != Before;
  }

  PassStatistics statistics() const override { return {{"channels whose scale was folded", Folded}}; }

private:
  uint64_t Folded = 0;
};
} // namespace

PassInfo deepshare::foldScalesPass() {
  return {.Name = "fold-scales",
          .Contract = "Moves scales of shared gates' and linear channels' slopes into the weights of the linear layers "
                      "beside them, so that the slopes that are left are 0, 1 and -1.",
          .Options = {},
          .Create = createPass<FoldScales>,
          .Alias = {},
          .Effect = PassEffect::Reassociates};
}
