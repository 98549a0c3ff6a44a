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

#include <fmt/format.h>

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
  llvm::SmallVector<llvm::StringRef> Blocks;
  Given.get("blocks").split(Blocks, ',', -1, /*KeepEmpty=*/false);
  for (llvm::StringRef Text : Blocks) {
    unsigned Block;
    if (Text.getAsInteger(10, Block) || Block < 2 || Block > 64 || !llvm::isPowerOf2_32(Block))
      return llvm::createStringError(
          fmt::format("option 'blocks': expected powers of 2 from 2 to 64 with commas between them, got '{}'",
                      Given.get("blocks").str()));
    Options.Blocks.push_back(Block);
  }
  if (Given.get("sizes") != "same" && Given.get("sizes") != "all")
    return llvm::createStringError(
        fmt::format("option 'sizes': expected same or all, got '{}'", Given.get("sizes").str()));
  Options.OtherSizes = Given.get("sizes") == "all";
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
                      {"sizes", "same", "earlier sites that can give gates: of the same size, or all that map onto it"},
                      {"blocks", "", "also measure gates of tiles of these sizes: 2,4"},
                      {"batch", "64", "images a run"},
                      {"memory", "2048", "bound of the memory for moments, in MiB"}},
          .Create = create,
          .Alias = {}};
}
