//===- Observation.cpp - measures gates on calibration images -------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Each batch runs forward once; hooks catch the input x and the output y of every site. For Fisher weights labels are
// drawn from the model's own prediction and one backward pass gives g = dL/dy for all sites together; images of a batch
// do not depend on one another, so that g is each image's own gradient. The weight of an element is g^2.
//
// Processes that observe together draw the same images and form the same batches, which they take in turn: what a batch
// adds to the moments depends on nothing but the batch, and so the sums are those of one process.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Analysis/Observation.h"
#include "Moments.h"
#include "PoolObserver.h"
#include "StraightThrough.h"

#include "deepshare/Analysis/CostSteps.h"
#include "deepshare/Exec/Communicator.h"
#include "deepshare/Exec/Exec.h"
#include "deepshare/Exec/Guard.h"
#include "deepshare/Exec/ImageInputs.h"
#include "deepshare/IR/Fingerprint.h"
#include "deepshare/Support/Error.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringSwitch.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/csrc/autograd/autograd.h>

using namespace deepshare;
using llvm::ArrayRef;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;

Expected<Weighting> deepshare::parseWeighting(StringRef Name) {
  std::optional<Weighting> Found = llvm::StringSwitch<std::optional<Weighting>>(Name)
                                       .Case("auto", Weighting::Auto)
                                       .Case("none", Weighting::None)
                                       .Case("classification", Weighting::Classification)
                                       .Case("pixels", Weighting::Pixels)
                                       .Case("regression", Weighting::Regression)
                                       .Default(std::nullopt);
  if (!Found)
    return makeError("weighting '" + Name + "': expected auto, none, classification, pixels or regression");
  return *Found;
}

namespace {

/// Images of a set as batches for a model.
class BatchReader {
public:
  static Expected<BatchReader> create(const Model &M, const ImageSet &Images, const ObservationOptions &Options);

  uint64_t images() const { return Chosen.size(); }
  unsigned batch() const { return Batch; }
  /// May lower the size of batches unless the model fixes it; returns whether it did.
  bool halveBatch() {
    if (IsFixed || Batch == 1)
      return false;
    Batch = (Batch + 1) / 2;
    return true;
  }
  ArrayRef<uint64_t> indices(uint64_t From) const { return ArrayRef(Chosen).drop_front(From).take_front(Batch); }
  /// A tensor for each input of the model.
  Expected<std::vector<at::Tensor>> read(ArrayRef<uint64_t> Indices) const;

private:
  BatchReader(const ImageSet &Images, ImageInputs Inputs) : Images(Images), Inputs(std::move(Inputs)) {}
  const ImageSet &Images;
  ImageInputs Inputs;
  std::vector<uint64_t> Chosen;
  unsigned Batch = 1;
  bool IsFixed = false;
};

/// Draws labels and turns the model's output into the scalar whose gradient gives the weights.
class FisherLoss {
public:
  /// For the \p Index-th output of a model; outputs draw labels and noise of their own.
  FisherLoss(Weighting Kind, StringRef LastOp, const ObservationOptions &Options, uint64_t Index)
      : Kind(Kind), LastOp(LastOp), Temperature(Options.Temperature), Seed(Options.Seed + (Index << 48)) {}
  at::Tensor operator()(const at::Tensor &Output, ArrayRef<uint64_t> Images) const;

private:
  Weighting Kind;
  StringRef LastOp;
  double Temperature;
  uint64_t Seed;
};

} // namespace

//===----------------------------------------------------------------------===//
// Images
//===----------------------------------------------------------------------===//

Expected<BatchReader> BatchReader::create(const Model &M, const ImageSet &Images, const ObservationOptions &Options) {
  Expected<ImageInputs> Inputs = ImageInputs::find(M.graph(), Images);
  if (!Inputs)
    return Inputs.takeError();
  std::optional<uint64_t> Fixed = Inputs->batch();
  BatchReader Reader(Images, std::move(*Inputs));
  Reader.IsFixed = Fixed.has_value();
  Reader.Batch = Fixed.value_or(std::max(1u, Options.Batch));
  uint64_t Count = Options.Images == 0 ? Images.size() : std::min<uint64_t>(Options.Images, Images.size());
  if (Reader.IsFixed)
    Count -= Count % Reader.Batch;
  if (Count == 0)
    return makeError(Reader.IsFixed ? fmt::format("{} images are too few, the model's input '{}' takes {} at a time",
                                                  Images.size(), Reader.Inputs.batchInput()->name().str(), Reader.Batch)
                                    : "there is no image");
  Reader.Chosen = drawIndices(Count, Images.size(), Options.Seed);
  return Reader;
}

Expected<std::vector<at::Tensor>> BatchReader::read(ArrayRef<uint64_t> Indices) const {
  Expected<at::Tensor> Batch = readImages(Images, Indices);
  if (!Batch)
    return Batch.takeError();
  return Inputs.split(*Batch);
}

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

/// What suits an output: logits of one image, of each pixel, or any numbers. Integers have no gradient.
static Weighting chooseWeighting(Weighting Wish, const at::Tensor &Output) {
  if (!Output.is_floating_point())
    return Weighting::None;
  if (Wish != Weighting::Auto)
    return Wish;
  if (Output.dim() == 2 && Output.size(1) > 1)
    return Weighting::Classification;
  if (Output.dim() == 4 && Output.size(1) > 1)
    return Weighting::Pixels;
  return Weighting::Regression;
}

/// \p Count numbers that belong to an image, whichever batch it comes in.
template <typename Distribution>
static void fillNoise(Distribution Make, uint64_t Seed, uint64_t Image, float *Into, int64_t Count) {
  std::seed_seq Mixed{uint32_t(Seed), uint32_t(Seed >> 32), uint32_t(Image), uint32_t(Image >> 32)};
  std::mt19937 Random(Mixed);
  for (int64_t I = 0; I < Count; ++I)
    Into[I] = Make(Random);
}

at::Tensor FisherLoss::operator()(const at::Tensor &Output, ArrayRef<uint64_t> Images) const {
  if (Kind == Weighting::Regression) {
    at::Tensor Noise = at::empty(Output.sizes(), at::kFloat);
    int64_t Each = Output.numel() / Images.size();
    for (auto [I, Image] : llvm::enumerate(Images))
      fillNoise(std::normal_distribution<float>(), Seed, Image, Noise.data_ptr<float>() + I * Each, Each);
    return (Output * Noise).sum();
  }
  // Log-probabilities are logits, up to a constant that the softmax below takes away.
  at::Tensor Logits = LastOp == "Softmax" ? Output.clamp_min(1e-12).log() : Output;
  at::Tensor LogP = at::log_softmax(Logits / Temperature, 1);
  at::Tensor Label;
  {
    at::NoGradGuard NoGrad;
    std::vector<int64_t> Sizes = Output.sizes().vec();
    Sizes[1] = 1;
    at::Tensor Draw = at::empty(Sizes, at::kFloat);
    int64_t Each = Draw.numel() / Images.size();
    for (auto [I, Image] : llvm::enumerate(Images))
      fillNoise(std::uniform_real_distribution<float>(), Seed, Image, Draw.data_ptr<float>() + I * Each, Each);
    // The first class whose cumulated probability passes the draw.
    Label = (LogP.detach().exp().cumsum(1) < Draw).sum(1, /*keepdim=*/true).clamp_max(Output.size(1) - 1);
  }
  // In units of the logits, so that losses at different temperatures are of one size.
  return -Temperature * LogP.gather(1, Label).sum();
}

/// The summed loss of the outputs that depend on a site; undefined if none does. The weights' sum over independent
/// draws of all outputs is what each output's own would sum to.
static Expected<at::Tensor> fisherLoss(const Model &M, ArrayRef<at::Tensor> Outputs, ArrayRef<uint64_t> Images,
                                       const ObservationOptions &Options) {
  at::Tensor Sum;
  for (auto [I, Output] : llvm::enumerate(Outputs)) {
    Weighting Kind = chooseWeighting(Options.Weight, Output);
    if (Kind == Weighting::None)
      continue;
    const Value &Result = *M.graph().outputs()[I];
    if (Output.dim() == 0 || Output.size(0) != int64_t(Images.size()))
      return makeError(fmt::format("the model's output '{}' has {} rows for {} images; weights 'none' do without it",
                                   Result.name().str(), Output.dim() ? Output.size(0) : 0, Images.size()));
    if (!Output.requires_grad())
      continue;
    StringRef LastOp = Result.producer() ? Result.producer()->opType() : "";
    at::Tensor Loss;
    if (Error Failed = guarded("the weights of output '" + Result.name().str() + "' (weights 'none' do without them)",
                               [&]() -> Error {
                                 Loss = FisherLoss(Kind, LastOp, Options, I)(Output, Images);
                                 return Error::success();
                               }))
      return Failed;
    Sum = Sum.defined() ? Sum + Loss : Loss;
  }
  return Sum;
}

//===----------------------------------------------------------------------===//
// Observation
//===----------------------------------------------------------------------===//

/// What an image's products of moments may cost: half as much as the model's own layers, so that observing costs at
/// most half more than a forward and a backward pass; or what takes no time anyway.
static double allowedFlops(Model &M) {
  double Flops = 0;
  for (const CostStep &Step : costSteps(M, {}))
    Flops += Step.Linear.Products;
  return std::max(Flops, 4e7);
}

/// What processes that observe together must have in common.
static std::string identityOf(const Model &M, const ImageSet &Images, const BatchReader &Reader,
                              const ObservationOptions &Options) {
  return fmt::format("{} {} {} {} {} {} {} {} {} {} {} {} {}", structureFingerprint(M), Images.size(), Reader.images(),
                     Reader.batch(), Options.Seed, int(Options.Weight), Options.Temperature, Options.EarlierSites,
                     Options.OtherSizes, fmt::join(Options.Blocks, ","), Options.AveragePools, Options.Noise,
                     Options.Memory);
}

/// Makes the moments of this process's batches those of all processes'.
static Error addOthers(MomentAccumulator &Moments, llvm::MutableArrayRef<std::optional<PoolObserver>> Pools,
                       Communicator &Processes) {
  if (Error Failed = Moments.sum(Processes))
    return Failed;
  for (std::optional<PoolObserver> &Pool : Pools)
    if (Pool)
      if (Error Failed = Pool->sum(Processes))
        return Failed;
  return Error::success();
}

/// True if there are sites, and no error at any of them weighs anything.
static bool isWeightless(const GateStatistics &Statistics) {
  double Largest = 0;
  bool IsAny = false;
  for (const SiteMoments &Site : Statistics.Sites)
    for (ArrayRef<double> Sums : {ArrayRef(Site.S), Site.Pool ? ArrayRef(Site.Pool->MaxMax) : ArrayRef<double>()})
      for (double Sum : Sums) {
        IsAny = true;
        Largest = std::max(Largest, Sum);
      }
  return IsAny && Largest == 0;
}

/// Without this, reshaping would say it, in words of its own.
static Error checkRows(const GateSite &Site, const at::Tensor &Gates, size_t Images) {
  if (Gates.dim() > 0 && Gates.size(0) == int64_t(Images) &&
      Gates.numel() == int64_t(Images) * Site.Channels * Site.positions())
    return Error::success();
  return nodeError(*Site.Gate,
                   fmt::format("its output is of shape [{}], expected {} rows, one for each image, of {} elements",
                               fmt::join(Gates.sizes().vec(), ","), Images, Site.Channels * Site.positions()));
}

/// collectStatistics(), which catches what ATen throws.
static Expected<GateStatistics> observe(const Model &M, ArrayRef<GateSite> Sites, const ImageSet &Images,
                                        const ObservationOptions &Options) {
  Expected<BatchReader> Reader = BatchReader::create(M, Images, Options);
  if (!Reader)
    return Reader.takeError();
  Expected<std::unique_ptr<Executor>> Exec = Executor::create(M);
  if (!Exec)
    return Exec.takeError();
  passGradientsThroughQuantization(M, **Exec);

  MomentAccumulator Moments(Sites, Options, allowedFlops(const_cast<Model &>(M)));
  // Batches of some images cost no time; gates of far sites are worth more than that, but not than tiny batches.
  while (Moments.memory(Reader->batch()) > Options.Memory)
    if (!(Reader->batch() > 8 && Reader->halveBatch()) && !Moments.fewerCandidates() && !Reader->halveBatch())
      return makeError(fmt::format("the moments need {} MB, but the memory is limited to {} MB",
                                   Moments.memory(Reader->batch()) / 1000000, Options.Memory / 1000000));

  llvm::DenseMap<const Value *, llvm::SmallVector<unsigned, 1>> ByInput, ByOutput;
  std::vector<std::optional<PoolObserver>> Pools(Sites.size());
  for (auto [I, Site] : llvm::enumerate(Sites)) {
    if (Options.AveragePools && Site.CanAverage)
      Pools[I].emplace(Site);
    if (!Site.isShareable() && !Pools[I])
      continue;
    ByInput[Site.Input].push_back(I);
    ByOutput[Site.Output].push_back(I);
    (*Exec)->observe(Site.Input);
    (*Exec)->observe(Site.Output);
  }
  if (M.graph().outputs().empty())
    return makeError("the model has no output");

  if (Options.Processes)
    if (Error Failed = Options.Processes->agree("what to observe", identityOf(M, Images, *Reader, Options)))
      return Failed;

  std::mt19937_64 Random(Options.Seed);
  bool IsWeighted = Options.Weight != Weighting::None;
  for (uint64_t Done = 0, Number = 0; Done < Reader->images(); ++Number) {
    ArrayRef<uint64_t> Indices = Reader->indices(Done);
    Done += Indices.size();
    if (Options.Processes && Number % Options.Processes->size() != Options.Processes->rank()) {
      Moments.skip(Random);
      continue;
    }
    Expected<std::vector<at::Tensor>> Batch = Reader->read(Indices);
    if (!Batch)
      return Batch.takeError();
    std::vector<at::Tensor> X(Sites.size()), Y(Sites.size());
    at::AutoGradMode GradMode(IsWeighted);
    Expected<std::vector<at::Tensor>> Outputs = (*Exec)->run(*Batch, [&](const Value &V, at::Tensor &T) {
      if (auto Found = ByOutput.find(&V); Found != ByOutput.end()) {
        if (at::GradMode::is_enabled() && !T.requires_grad())
          T = T.detach().requires_grad_(true);
        for (unsigned Site : Found->second)
          Y[Site] = T;
      }
      if (auto Found = ByInput.find(&V); Found != ByInput.end())
        for (unsigned Site : Found->second)
          X[Site] = T.detach();
    });
    if (!Outputs)
      return Outputs.takeError();
    // Without numbers among the outputs there is nothing to weigh by.
    IsWeighted = IsWeighted && llvm::any_of(*Outputs, [&](const at::Tensor &Output) {
                   return chooseWeighting(Options.Weight, Output) != Weighting::None;
                 });

    Expected<at::Tensor> Loss = fisherLoss(M, *Outputs, Indices, Options);
    if (!Loss)
      return Loss.takeError();
    std::vector<at::Tensor> Gradients(Sites.size());
    // Outputs that depend on no site have no gradient.
    if (IsWeighted && Loss->defined()) {
      std::vector<at::Tensor> Observed;
      std::vector<unsigned> Which;
      for (unsigned I = 0; I < Sites.size(); ++I)
        if (Y[I].defined()) {
          Observed.push_back(Y[I]);
          Which.push_back(I);
        }
      Error Failed = guarded("the backward pass for the weights (weights 'none' do without it)", [&]() -> Error {
        std::vector<at::Tensor> Results =
            torch::autograd::grad({*Loss}, Observed, {}, /*retain_graph=*/false, /*create_graph=*/false,
                                  /*allow_unused=*/true);
        for (auto [I, Result] : llvm::zip(Which, Results))
          Gradients[I] = Result;
        return Error::success();
      });
      if (Failed)
        return Failed;
    }
    at::NoGradGuard NoGrad;
    std::vector<SiteBatch> SiteBatches(Sites.size());
    for (unsigned I = 0; I < Sites.size(); ++I) {
      if (Y[I].defined())
        if (Error Failed = checkRows(Sites[I], Y[I], Indices.size()))
          return Failed;
      // A site that the output does not depend on has no weight.
      if (IsWeighted && Y[I].defined() && !Gradients[I].defined())
        Gradients[I] = at::zeros_like(Y[I]);
      if (Pools[I])
        if (Error Failed = Pools[I]->add(X[I], Y[I].detach(), Gradients[I]))
          return Failed;
      if (!Sites[I].isShareable())
        continue;
      std::vector<int64_t> Flat{int64_t(Indices.size()), Sites[I].Channels, Sites[I].positions()};
      SiteBatches[I].X = X[I].reshape(Flat).contiguous();
      if (!IsWeighted)
        continue;
      SiteBatches[I].Gradient = Gradients[I].reshape(Flat).contiguous();
    }
    Moments.add(SiteBatches, Random);
    if (Options.Progress)
      Options.Progress(Done, Reader->images());
  }
  if (Options.Processes)
    if (Error Failed = addOthers(Moments, Pools, *Options.Processes))
      return Failed;
  GateStatistics Statistics = Moments.finish(Reader->images());
  for (unsigned I = 0; I < Sites.size(); ++I)
    if (Pools[I])
      Statistics.Sites[I].Pool = Pools[I]->finish(Reader->images());
  return Statistics;
}

Expected<GateStatistics> deepshare::collectStatistics(const Model &M, ArrayRef<GateSite> Sites, const ImageSet &Images,
                                                      const ObservationOptions &Options) {
  return guarded("cannot observe the gates", [&]() -> Expected<GateStatistics> {
    Expected<GateStatistics> Statistics = observe(M, Sites, Images, Options);
    // Where logits are far apart, all probabilities are 0 or 1 in float32, and no error would weigh anything; nor does
    // it at the output of a Softmax, where it is one of numbers.
    for (auto [Other, Name] : {std::pair(Weighting::Regression, "regression"), {Weighting::None, "none"}}) {
      if (!Statistics || Options.Weight != Weighting::Auto || !isWeightless(*Statistics))
        break;
      ObservationOptions Instead = Options;
      Instead.Weight = Other;
      Statistics = observe(M, Sites, Images, Instead);
      if (Statistics)
        Statistics->WeightedBy = Name;
    }
    return Statistics;
  });
}
