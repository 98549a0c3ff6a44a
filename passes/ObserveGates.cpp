//===- ObserveGates.cpp - measures gates on calibration images ------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Runs the model on calibration images (deepshare/Analysis/Observation.h says what is measured). Changes nothing in it.
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/ObserveGates.h"

#include "deepshare/Analysis/Observation.h"

#include "llvm/Support/MathExtras.h"

using namespace deepshare;

namespace {
class ObserveGates : public Pass {
public:
  explicit ObserveGates(ObservationOptions Options) : Options(std::move(Options)) {}

  llvm::Expected<bool> run(Model &M, PassContext &Context) override {
    if (!Context.Images)
      return llvm::createStringError("needs calibration images: give them with --calibrate");
    llvm::Expected<std::vector<GateSite>> Sites = findGateSites(M);
    if (!Sites)
      return Sites.takeError();
    Options.Seed = Context.Seed;
    Options.Processes = Context.Processes;
    Options.Progress = [&](uint64_t Done, uint64_t Total) {
      if (Context.Progress)
        Context.Progress("observing gates", Done, Total);
    };
    llvm::Expected<GateStatistics> Statistics = collectStatistics(M, *Sites, *Context.Images, Options);
    if (!Statistics)
      return Statistics.takeError();
    Context.Statistics = std::move(*Statistics);
    return false;
  }

private:
  ObservationOptions Options;
};
} // namespace

static llvm::Expected<std::unique_ptr<Pass>> create(const PassOptions &Given) {
  ObservationOptions Options;
  llvm::Expected<int64_t> Images = Given.getInt("images", 0);
  if (!Images)
    return Images.takeError();
  llvm::Expected<int64_t> Batch = Given.getInt("batch", 1, 1 << 20);
  if (!Batch)
    return Batch.takeError();
  llvm::Expected<int64_t> Memory = Given.getInt("memory", 1, 1 << 30);
  if (!Memory)
    return Memory.takeError();
  llvm::Expected<Weighting> Weights = parseWeighting(Given.get("weights"));
  if (!Weights)
    return Weights.takeError();
  if (Given.get("temperature").getAsDouble(Options.Temperature) || !(Options.Temperature >= 1))
    return llvm::createStringError("option 'temperature': expected a number of at least 1, got '" +
                                   Given.get("temperature") + "'");
  llvm::SmallVector<llvm::StringRef, 4> Tiles;
  Given.get("tiles").split(Tiles, ',', -1, /*KeepEmpty=*/false);
  for (llvm::StringRef Text : Tiles) {
    unsigned Size;
    if (Text.trim().getAsInteger(10, Size) || Size < 2 || !llvm::isPowerOf2_32(Size))
      return llvm::createStringError("option 'tiles': expected powers of 2 from 2 on, such as 2,4, got '" +
                                     Given.get("tiles") + "'");
    Options.Blocks.push_back(Size);
  }
  llvm::StringRef Candidates = Given.get("candidates");
  if (Candidates != "own" && Candidates != "same-size" && Candidates != "all")
    return llvm::createStringError("option 'candidates': expected own, same-size or all, got '" + Candidates + "'");
  llvm::StringRef AveragePools = Given.get("average-pools");
  if (AveragePools != "on" && AveragePools != "off")
    return llvm::createStringError("option 'average-pools': expected on or off, got '" + AveragePools + "'");
  Options.AveragePools = AveragePools == "on";
  Options.EarlierSites = Candidates != "own";
  Options.OtherSizes = Candidates == "all";
  Options.Images = *Images;
  Options.Batch = *Batch;
  Options.Memory = static_cast<uint64_t>(*Memory) << 20;
  Options.Weight = *Weights;
  return std::make_unique<ObserveGates>(std::move(Options));
}

PassInfo deepshare::observeGatesPass() {
  return {.Name = "observe-gates",
          .Contract = "Measures the moments of every shareable gate on calibration images; changes nothing.",
          .Options = {{"images", "512", "images to use, drawn by the seed; 0: all"},
                      {"weights", "auto", "what an error weighs: auto, none, classification, pixels, regression"},
                      {"temperature", "4", "labels for the weights are drawn from softmax(logits / temperature)"},
                      {"candidates", "all",
                       "sites whose gates a channel may use: its own; also earlier ones of the same-size; all that map "
                       "onto its positions (strided, coarser)"},
                      {"tiles", "2,4", "also measure gates of 2 x 2 and 4 x 4 tiles; empty: none"},
                      {"average-pools", "off",
                       "on: also measure averages in the place of maxima, so that plan-gates may choose them"},
                      {"batch", "64", "images a run"},
                      {"memory", "2048", "bound of the memory for moments, in MiB"}},
          .Create = create,
          .Alias = {},
          .Effect = PassEffect::Exact};
}
