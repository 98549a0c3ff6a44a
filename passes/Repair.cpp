//===- Repair.cpp - re-fits a rewritten model in closed form --------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Changes weights and slopes, not structure (deepshare/Tune/Repair.h says how).
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/Repair.h"

#include "deepshare/Tune/Repair.h"

using namespace deepshare;

namespace {
class RepairPass : public Pass {
public:
  explicit RepairPass(RepairOptions Options) : Options(std::move(Options)) {}

  llvm::Expected<bool> run(Model &M, PassContext &Context) override {
    if (!Context.Images)
      return llvm::createStringError("needs calibration images: give them with --calibrate");
    if (!Context.Original)
      return llvm::createStringError("needs the model as it was: run `share-gates` before");
    Options.Seed = Context.Seed;
    Options.Progress = [&](uint64_t Done, uint64_t Total) {
      if (Context.Progress)
        Context.Progress("repairing layers", Done, Total);
    };
    llvm::Expected<RepairResult> Result = repairModel(M, *Context.Original, *Context.Images, Options);
    if (!Result)
      return Result.takeError();
    Refitted += llvm::count_if(Result->Layers, [](const RepairedLayer &Layer) { return Layer.Ridge > 0; });
    TooLarge += Result->TooLarge;
    return Result->Changed;
  }

  PassStatistics statistics() const override {
    return {{"layers re-fitted", Refitted}, {"layers left as they were: too large for the memory", TooLarge}};
  }

private:
  RepairOptions Options;
  uint64_t Refitted = 0, TooLarge = 0;
};
} // namespace

static llvm::Expected<std::unique_ptr<Pass>> create(const PassOptions &Given) {
  RepairOptions Options;
  llvm::Expected<int64_t> Images = Given.getInt("images", 0);
  if (!Images)
    return Images.takeError();
  llvm::Expected<int64_t> Rows = Given.getInt("rows", 1);
  if (!Rows)
    return Rows.takeError();
  llvm::Expected<int64_t> Memory = Given.getInt("memory", 1, 1 << 30);
  if (!Memory)
    return Memory.takeError();
  Options.Images = *Images;
  Options.Rows = *Rows;
  Options.Memory = static_cast<uint64_t>(*Memory) << 20;
  return std::make_unique<RepairPass>(std::move(Options));
}

PassInfo deepshare::repairPass() {
  return {.Name = "repair",
          .Contract = "Re-fits linear layers and slopes of a rewritten model to the original on calibration images.",
          .Options = {{"images", "1024", "images to use; 0: all"},
                      {"rows", "131072", "equations a layer, at most"},
                      {"memory", "2048", "bound of the memory for activations, in MiB"}},
          .Create = create,
          .Alias = {},
          .Effect = PassEffect::Refits};
}
