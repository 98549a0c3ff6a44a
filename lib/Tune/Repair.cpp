//===- Repair.cpp - closed-form repair of a rewritten model ---------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Both models are run side by side, node by node, on all images at once, so that every activation is computed once. The
// walk over the rewritten model leads; the original is run just far enough to give the targets of the next layer.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Tune/Repair.h"

#include "LinearLayer.h"
#include "Loss.h"
#include "Stepper.h"

#include "deepshare/Exec/Guard.h"
#include "deepshare/Exec/ImageInputs.h"
#include "deepshare/IR/ShareOps.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/StringMap.h"

#include <fmt/format.h>

#include <cmath>
#include <numeric>
#include <random>

using namespace deepshare;

/// Of the activations of both models, at least 1.
static uint64_t bytesPerImage(const Model &M, const Model &Original) {
  return std::max<uint64_t>(peakActivationBytes(M.graph()) + peakActivationBytes(Original.graph()), 1);
}

namespace {

/// The value that a layer's output should have: that of the original, plus what the other operand of a following Add is
/// short of.
struct Target {
  const Value *Original = nullptr;
  const Value *OriginalOther = nullptr; ///< null without a residual branch
  const Value *Other = nullptr;
};

class Repairer {
public:
  Repairer(Model &M, const Model &Original, const RepairOptions &Options)
      : M(M), Options(Options), New(M), Old(Original) {
    for (const Node &N : Original.graph())
      for (const Value *Output : N.outputs())
        OriginalByName[Output->name()] = Output;
    for (const Value *Output : M.graph().outputs())
      New.pin(Output);
    for (const Value *Output : Original.graph().outputs())
      Old.pin(Output);
  }

  llvm::Expected<RepairResult> run(const ImageSet &Images) {
    if (llvm::Error E = loadImages(Images))
      return E;
    llvm::DenseMap<const Node *, Target> Targets = findTargets();
    for (Node &N : M.graph()) {
      if (auto Found = Targets.find(&N); Found != Targets.end()) {
        if (llvm::Error E = repairNode(N, Found->second))
          return E;
        if (Options.Progress)
          Options.Progress(++Done, Targets.size());
      }
      if (llvm::Error E = New.step(N))
        return E;
    }
    if (IsMeasured)
      if (llvm::Error E = measureOutputs())
        return E;
    return std::move(Result);
  }

private:
  //===--------------------------------------------------------------------===//
  // Images
  //===--------------------------------------------------------------------===//

  llvm::Error loadImages(const ImageSet &Images) {
    llvm::Expected<RepairBatches> Batched = repairBatches(M, Old.model(), Images, Options);
    if (!Batched)
      return Batched.takeError();
    Options.Batch = static_cast<unsigned>(Batched->Images);
    FittedBatches = Batched->Fitted;
    IsMeasured = Batched->Measured > 0;
    uint64_t BatchCount = FittedBatches + Batched->Measured;
    if (FittedBatches < 2)
      return llvm::createStringError(
          fmt::format("repair needs at least {} images (two batches), got {} ({} MB hold {})", 2 * Options.Batch,
                      Options.Images ? std::min(Options.Images, Images.size()) : Images.size(), Options.Memory >> 20,
                      Options.Memory / bytesPerImage(M, Old.model())));
    Result.Images = FittedBatches * Options.Batch;
    HeldOutBatches = std::max<uint64_t>(1, std::llround(Options.HeldOut * FittedBatches));

    std::vector<uint64_t> Order(Images.size());
    std::iota(Order.begin(), Order.end(), 0);
    std::mt19937_64 Random(Options.Seed);
    std::shuffle(Order.begin(), Order.end(), Random);
    std::vector<at::Tensor> Batches;
    for (uint64_t B = 0; B < BatchCount; ++B) {
      llvm::Expected<at::Tensor> Batch =
          readImages(Images, llvm::ArrayRef(Order).slice(B * Options.Batch, Options.Batch));
      if (!Batch)
        return Batch.takeError();
      Batches.push_back(std::move(*Batch));
    }
    if (llvm::Error E = setInputs(New, Images, Batches))
      return E;
    return setInputs(Old, Images, Batches);
  }

  static llvm::Error setInputs(Stepper &Run, const ImageSet &Images, llvm::ArrayRef<at::Tensor> Batches) {
    llvm::Expected<ImageInputs> Inputs = ImageInputs::find(Run.model().graph(), Images);
    if (!Inputs)
      return Inputs.takeError();
    std::vector<std::vector<at::Tensor>> ByInput(Inputs->inputs().size());
    for (const at::Tensor &Batch : Batches)
      for (auto [Into, T] : llvm::zip_equal(ByInput, Inputs->split(Batch)))
        Into.push_back(T);
    for (auto [Input, Tensors] : llvm::zip_equal(Inputs->inputs(), ByInput))
      Run.setInput(Input, std::move(Tensors));
    return llvm::Error::success();
  }

  //===--------------------------------------------------------------------===//
  // Targets
  //===--------------------------------------------------------------------===//

  /// Which nodes are re-fitted, and to what: those that a changed gate reaches. Pins the original's values until they
  /// were used.
  llvm::DenseMap<const Node *, Target> findTargets() {
    llvm::DenseMap<const Node *, Target> Targets;
    llvm::DenseSet<const Value *> Defined, Changed;
    for (Node &N : M.graph()) {
      const Value *Counterpart = N.numOutputs() ? OriginalByName.lookup(N.output()->name()) : nullptr;
      bool IsChanged = !Counterpart || differs(N, *Counterpart->producer(), Changed);
      if (IsChanged)
        Changed.insert(N.outputs().begin(), N.outputs().end());
      if (IsChanged && Counterpart && (LinearLayer::match(N) || hasSlopes(N, *Counterpart))) {
        Target T{Counterpart};
        findResidual(N, T, Defined);
        Targets[&N] = T;
        Old.pin(T.Original);
        if (T.Other) {
          Old.pin(T.OriginalOther);
          New.pin(T.Other);
        }
      }
      for (const Value *Output : N.outputs())
        Defined.insert(Output);
    }
    return Targets;
  }

  /// Whether \p N computes anything else than its counterpart in the original.
  static bool differs(const Node &N, const Node &Counterpart, const llvm::DenseSet<const Value *> &Changed) {
    if (N.opType() != Counterpart.opType() || N.numInputs() != Counterpart.numInputs())
      return true;
    // The original may have shared gates too, by another plan.
    if (N.intsAttribute("mask") != Counterpart.intsAttribute("mask") ||
        N.intsAttribute("block") != Counterpart.intsAttribute("block"))
      return true;
    for (unsigned I = 0; I < N.numInputs(); ++I) {
      const Value *Input = N.input(I), *Other = Counterpart.input(I);
      if (!Input)
        continue;
      if (Changed.contains(Input) || !Other || Input->name() != Other->name())
        return true;
      if (Input->constant() && !(Other->constant() && *Input->constant() == *Other->constant()))
        return true;
    }
    return false;
  }

  /// Fills the residual part where N's only use is an Add whose other operand is known before N, in both models.
  void findResidual(const Node &N, Target &T, const llvm::DenseSet<const Value *> &Defined) const {
    const Value *Other = otherOperand(*N.output());
    const Value *OriginalOther = otherOperand(*T.Original);
    if (!Other || !OriginalOther || !Defined.contains(Other))
      return;
    // An operand that is broadcast has no value of its own at each of the layer's positions.
    if (!N.output()->type() || N.output()->type() != Other->type() || T.Original->type() != OriginalOther->type())
      return;
    T.Other = Other;
    T.OriginalOther = OriginalOther;
  }

  static const Value *otherOperand(const Value &V) {
    if (V.uses().size() != 1 || V.isGraphOutput())
      return nullptr;
    const Use &U = V.uses().front();
    if (!U.User->is("Add") || U.User->parent() != V.parent())
      return nullptr;
    const Value *Other = U.User->input(1 - U.Index);
    return Other == &V || Other->constant() ? nullptr : Other;
  }

  //===--------------------------------------------------------------------===//
  // Fits
  //===--------------------------------------------------------------------===//

  llvm::Error repairNode(Node &N, const Target &T) {
    if (llvm::Error E = Old.advanceTo(*T.Original->producer()))
      return E;
    if (T.OriginalOther && T.OriginalOther->producer())
      if (llvm::Error E = Old.advanceTo(*T.OriginalOther->producer()))
        return E;
    std::vector<at::Tensor> Wanted = Old.value(T.Original);
    if (T.Other)
      for (size_t B = 0; B < Wanted.size(); ++B)
        Wanted[B] = Wanted[B] + Old.value(T.OriginalOther)[B] - New.value(T.Other)[B];
    llvm::Error E = LinearLayer::match(N) ? fitLayer(N, Wanted) : fitSlopes(N, Wanted);
    Old.unpin(T.Original);
    if (T.Other) {
      Old.unpin(T.OriginalOther);
      New.unpin(T.Other);
    }
    return E;
  }

  llvm::Error fitLayer(Node &N, llvm::ArrayRef<at::Tensor> Wanted) {
    std::optional<LinearLayer> Layer = LinearLayer::match(N);
    if (NormalEquations::memoryToFit(Layer->features(), Layer->outputs()) > Options.Memory) {
      ++Result.TooLarge;
      return llvm::Error::success();
    }
    const std::vector<at::Tensor> &Inputs = New.value(N.input(0));
    int64_t Rows = static_cast<int64_t>(Options.Rows / FittedBatches);
    RepairedLayer Row{N.output()->name().str(), 0, 0, 0};
    for (int64_t Group = 0; Group < Layer->groups(); ++Group) {
      NormalEquations Train(Layer->features(), Layer->outputs()), HeldOut(Layer->features(), Layer->outputs());
      for (size_t B = 0; B < FittedBatches; ++B) {
        auto [A, T] = Layer->rows(Group, Inputs[B], Wanted[B], Rows, Options.Seed + B);
        (B + HeldOutBatches < FittedBatches ? Train : HeldOut).add(A, T);
      }
      RidgeFit Fit = fitRidge(Train, HeldOut, Layer->weights(Group), Layer->hasBias());
      Layer->setWeights(Group, Fit.Weights);
      Row.ErrorBefore += Fit.ErrorBefore / Layer->groups();
      Row.ErrorAfter += Fit.ErrorAfter / Layer->groups();
      Row.Ridge = std::max(Row.Ridge, Fit.Ridge);
    }
    bool IsRefitted = Row.Ridge > 0;
    Result.Layers.push_back(std::move(Row));
    if (!IsRefitted)
      return llvm::Error::success();
    Result.Changed = true;
    return Layer->store(M.graph());
  }

  /// What divergence is measured at. At 1 few of the images decide it, those of which the original is sure and the
  /// repaired model is not, so that plans cannot be told apart on some hundred of them (docs/planner.md).
  static constexpr double MeasuredTemperature = 4;

  llvm::Error measureOutputs() {
    double Divergence = 0;
    const Graph &Old = this->Old.model().graph();
    for (auto [Output, Original] : llvm::zip(std::as_const(M).graph().outputs(), Old.outputs())) {
      if (!Output->producer() || !Original->producer())
        continue;
      if (llvm::Error E = this->Old.advanceTo(*Original->producer()))
        return E;
      auto Measured = [&](const std::vector<at::Tensor> &Batches) {
        return at::cat(at::TensorList(Batches).slice(FittedBatches));
      };
      at::Tensor Left = Measured(New.value(Output)), Wanted = Measured(this->Old.value(Original));
      if (!Wanted.is_floating_point() || Wanted.numel() == 0)
        continue;
      if (Wanted.dim() < 2 || Wanted.size(1) < 2) {
        Divergence += tune::relativeError(Left, Wanted).item<double>();
        continue;
      }
      if (Original->producer()->is("Softmax")) {
        Left = Left.clamp_min(1e-12).log();
        Wanted = Wanted.clamp_min(1e-12).log();
      }
      Divergence += tune::divergence(Left, Wanted, MeasuredTemperature).item<double>();
    }
    Result.Divergence = Divergence;
    return llvm::Error::success();
  }

  /// A node that multiplies channels by slopes that a plan made: a DReLUShare, or a Mul in a gate's place.
  static bool hasSlopes(const Node &N, const Value &Counterpart) {
    return isDReLUShare(N) || (N.is("Mul") && !Counterpart.producer()->is("Mul") && N.input(1)->constant());
  }

  /// Whether a slope may be re-fitted. 0, 1 and -1 need no product: they are a choice of the plan's and stay.
  static bool isRefittable(float Slope) { return Slope != 0 && Slope != 1 && Slope != -1; }

  /// [images, channels, positions], whatever the number of spatial axes.
  static at::Tensor perChannel(const at::Tensor &X) { return X.reshape({X.size(0), X.size(1), -1}); }

  /// Sums over images and positions of [images, channels, positions], in double.
  static at::Tensor channelSums(const at::Tensor &X) { return X.sum(std::vector<int64_t>{0, 2}).to(at::kDouble); }

  llvm::Error fitSlopes(Node &N, llvm::ArrayRef<at::Tensor> Wanted) {
    if (!isDReLUShare(N))
      return fitScale(N, Wanted);
    std::vector<int64_t> Mask = N.intsAttribute("mask");
    std::vector<float> On = *N.attributeAs<std::vector<float>>("on");
    std::vector<float> Off = *N.attributeAs<std::vector<float>>("off");
    if (llvm::none_of(On, isRefittable) && llvm::none_of(Off, isRefittable))
      return llvm::Error::success();
    at::Tensor Index = at::tensor(Mask, at::kLong);
    at::Tensor Sums = at::zeros({4, Index.size(0)}, at::kDouble); // d x y, d x^2, (1-d) x y, (1-d) x^2
    for (size_t B = 0; B < FittedBatches; ++B) {
      at::Tensor X = perChannel(New.value(N.input(0))[B]);
      std::vector<at::Tensor> Masks;
      for (unsigned I = 1; I < N.numInputs(); ++I)
        Masks.push_back(perChannel(New.value(N.input(I))[B]));
      at::Tensor Bits = at::cat(Masks, 1).index_select(1, Index.clamp_min(0)).to(at::kFloat);
      at::Tensor Product = X * perChannel(Wanted[B]), Square = X * X;
      Sums += at::stack({channelSums(Product * Bits), channelSums(Square * Bits), channelSums(Product * (1 - Bits)),
                         channelSums(Square * (1 - Bits))});
    }
    auto Sum = Sums.accessor<double, 2>();
    for (size_t C = 0; C < Mask.size(); ++C) {
      // Slopes of one size are a scale that weights can take (fold-scales), and stay of one size.
      float Sign = On[C] == Off[C] ? 1 : On[C] == -Off[C] ? -1 : 0;
      if (Sign != 0) {
        refit(On[C], Sum[0][C] + Sign * Sum[2][C], Sum[1][C] + Sum[3][C]);
        Off[C] = Sign * On[C];
        continue;
      }
      refit(On[C], Sum[0][C], Sum[1][C]);
      refit(Off[C], Sum[2][C], Sum[3][C]);
    }
    N.setAttribute("on", On);
    N.setAttribute("off", Off);
    return llvm::Error::success();
  }

  /// Mul by a constant per channel, shaped [C, 1, ..., 1].
  llvm::Error fitScale(Node &N, llvm::ArrayRef<at::Tensor> Wanted) {
    const Tensor &Factor = *N.input(1)->constant();
    std::vector<float> Slopes = Factor.toVector<float>();
    at::Tensor Product = at::zeros({static_cast<int64_t>(Slopes.size())}, at::kDouble), Square = Product.clone();
    for (size_t B = 0; B < FittedBatches; ++B) {
      at::Tensor X = perChannel(New.value(N.input(0))[B]);
      Product += channelSums(X * perChannel(Wanted[B]));
      Square += channelSums(X * X);
    }
    for (size_t C = 0; C < Slopes.size(); ++C)
      refit(Slopes[C], Product[C].item<double>(), Square[C].item<double>());
    N.input(1)->setInitializer(Tensor::of<float>(Factor.dims(), Slopes));
    return llvm::Error::success();
  }

  /// The least-squares slope for sums of x*y and x^2.
  void refit(float &Slope, double Product, double Square) {
    if (!isRefittable(Slope) || !(Square > 0))
      return;
    Slope = static_cast<float>(Product / Square);
    Result.Changed = true;
  }

  Model &M;
  RepairOptions Options;
  Stepper New, Old;
  llvm::StringMap<const Value *> OriginalByName;
  uint64_t FittedBatches = 0;  ///< the first of all
  uint64_t HeldOutBatches = 1; ///< the last of those
  bool IsMeasured = false;
  uint64_t Done = 0;
  RepairResult Result;
};

} // namespace

llvm::Expected<RepairBatches> deepshare::repairBatches(const Model &M, const Model &Original, const ImageSet &Images,
                                                       const RepairOptions &Options) {
  llvm::Expected<ImageInputs> Inputs = ImageInputs::find(M.graph(), Images);
  if (!Inputs)
    return Inputs.takeError();
  uint64_t Wanted = Options.Images ? std::min(Options.Images, Images.size()) : Images.size();
  uint64_t Held = std::min(Wanted, Options.Memory / bytesPerImage(M, Original));
  // A batch at the least is held out: of few images it is a small one, so that most have a part in the fits.
  constexpr uint64_t FewestBatches = 8;
  uint64_t Batch = Inputs->batch().value_or(std::clamp<uint64_t>(Held / FewestBatches, 1, Options.Batch));
  uint64_t Count = Held / Batch;
  uint64_t Measured = std::llround(Options.Measured * Count);
  return RepairBatches{Batch, Count - Measured, Measured};
}

llvm::Expected<RepairResult> deepshare::repairModel(Model &M, const Model &Original, const ImageSet &Images,
                                                    const RepairOptions &Options) {
  c10::InferenceMode Guard;
  return guarded("repair", [&] { return Repairer(M, Original, Options).run(Images); });
}
