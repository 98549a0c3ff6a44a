//===- FixedPoint.cpp - a model in a ring, on images ----------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "FixedPoint.h"

#include "Arrays.h"
#include "Images.h"
#include "RingReport.h"

#include "deepshare/Exec/Guard.h"
#include "deepshare/Exec/RingExecutor.h"
#include "deepshare/Support/TextFile.h"

#include "llvm/Support/raw_ostream.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

using namespace deepshare;

/// What the rows of \p Ring make of those of \p Floats, added to the images with and without flips.
static void addChanges(const at::Tensor &Ring, const at::Tensor &Floats, llvm::ArrayRef<uint64_t> Flips,
                       RingReport &Into) {
  int64_t Rows = Floats.size(0);
  at::Tensor Difference = at::abs(Ring.to(at::kDouble) - Floats.to(at::kDouble)).reshape({Rows, -1}).amax(1);
  at::Tensor Changed = at::zeros({Rows}, at::kBool);
  if (Into.IsClassifier)
    Changed = at::ne(Ring.argmax(1), Floats.argmax(1));
  for (int64_t Row = 0; Row < Rows; ++Row)
    (Flips[Row] ? Into.WithFlips : Into.WithoutFlips) +=
        {1, Difference[Row].item<double>(), Changed[Row].item<bool>() ? 1u : 0u};
}

static llvm::Error runInRing(RingExecutor &E, const Graph &G, const RunOptions &Options, RingReport &Report) {
  llvm::Expected<ImageBatches> Batches = ImageBatches::open(G, Options);
  if (!Batches)
    return Batches.takeError();
  std::vector<std::vector<at::Tensor>> Parts(G.outputs().size());
  bool IsFirst = true;
  llvm::Error Failed = Batches->forEach([&](llvm::ArrayRef<at::Tensor> Batch, uint64_t First) -> llvm::Error {
    llvm::Expected<RingOutputs> Outputs = E.run(Batch);
    if (!Outputs)
      return llvm::createStringError(Options.Model + ": " + llvm::toString(Outputs.takeError()));
    for (auto [Part, T] : llvm::zip_equal(Parts, Outputs->Ring)) {
      if (T.dim() == 0 || T.size(0) != Batch.front().size(0))
        return llvm::createStringError(Options.Model + ": an output has no row for each image");
      Part.push_back(T);
    }
    const at::Tensor &Ring = Outputs->Ring.front(), &Floats = Outputs->Floats.front();
    Report.IsClassifier = isLogits(Floats);
    if (llvm::Error E = guarded(Options.Model + ": cannot compare outputs", [&]() -> llvm::Error {
          addChanges(Ring, Floats, Outputs->Flips, Report);
          return llvm::Error::success();
        }))
      return E;
    if (Report.IsClassifier && Batches->hasClasses()) {
      if (IsFirst)
        Report.Correct.emplace(0, 0);
      Report.Correct->first += Batches->countCorrect(Ring, First);
      Report.Correct->second += Batches->countCorrect(Floats, First);
    }
    IsFirst = false;
    return llvm::Error::success();
  });
  if (Failed)
    return Failed;
  std::vector<at::Tensor> Results;
  for (const std::vector<at::Tensor> &Part : Parts)
    Results.push_back(at::cat(Part));
  return writeOutputs(G.outputs(), Results, Options.Outputs);
}

static llvm::Error measureRanges(RingExecutor &E, const Graph &G, const RunOptions &Options) {
  llvm::Expected<ImageBatches> Batches = ImageBatches::open(G, Options);
  if (!Batches)
    return Batches.takeError();
  return Batches->forEach([&](llvm::ArrayRef<at::Tensor> Batch, uint64_t) -> llvm::Error {
    llvm::Expected<std::vector<at::Tensor>> Outputs = E.runFloats(Batch);
    if (!Outputs)
      return llvm::createStringError(Options.Model + ": " + llvm::toString(Outputs.takeError()));
    return llvm::Error::success();
  });
}

llvm::Error deepshare::runFixedPoint(const Model &M, const RunOptions &Options) {
  RingReport Report;
  // Ranges are measured in floats, whatever the ring.
  Report.Options = Options.Ring.value_or(RingOptions{.Frac = Options.Frac});
  llvm::Expected<std::unique_ptr<RingExecutor>> E = RingExecutor::create(M, Report.Options);
  if (!E)
    return llvm::createStringError(Options.Model + ": " + llvm::toString(E.takeError()));
  if (llvm::Error Failed =
          Options.Ring ? runInRing(**E, M.graph(), Options, Report) : measureRanges(**E, M.graph(), Options))
    return Failed;
  Report.Sites = (*E)->comparisons();
  Report.Overflows = (*E)->overflows();
  Report.InFloats = (*E)->inFloats();

  llvm::json::Object Json{{"format", "deepshare-fixed-point"}, {"version", 1}, {"model", Options.Model}};
  if (Options.Ring) {
    llvm::outs() << formatReport(Report);
    Json["ring"] = reportAsJson(Report);
  }
  if (Options.Range) {
    llvm::outs() << formatRanges(Report.Sites, Report.Options.Frac);
    Json["ranges"] = rangesAsJson(Report.Sites, Report.Options.Frac);
  }
  if (Options.Json.empty())
    return llvm::Error::success();
  std::string Text;
  llvm::raw_string_ostream(Text) << llvm::formatv("{0:2}\n", llvm::json::Value(std::move(Json)));
  return writeTextFile(Options.Json, Text);
}
