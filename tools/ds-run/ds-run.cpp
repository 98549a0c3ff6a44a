//===- ds-run.cpp - runs a model ------------------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Arrays.h"
#include "FixedPoint.h"
#include "Images.h"
#include "Options.h"

#include "deepshare/Exec/Exec.h"
#include "deepshare/ONNX/ONNX.h"

#include "llvm/Support/InitLLVM.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <chrono>

using namespace deepshare;

static void printOutputs(const Graph &G, llvm::ArrayRef<at::Tensor> Tensors) {
  for (auto [Output, T] : llvm::zip_equal(G.outputs(), Tensors)) {
    llvm::Expected<Tensor> Constant = fromATen(T);
    std::string Type = Constant ? Constant->type().str() : llvm::toString(Constant.takeError());
    llvm::outs() << fmt::format("{}: {}", Output->name().str(), Type);
    if (T.numel() > 0) {
      at::Tensor Wide = T.to(at::kDouble);
      llvm::outs() << fmt::format(", least {:.6g}, mean {:.6g}, greatest {:.6g}", Wide.min().item<double>(),
                                  Wide.mean().item<double>(), Wide.max().item<double>());
    }
    llvm::outs() << '\n';
  }
}

static llvm::Expected<std::vector<at::Tensor>> runOnImages(Executor &E, const Graph &G, const RunOptions &Options) {
  llvm::Expected<ImageBatches> Batches = ImageBatches::open(G, Options);
  if (!Batches)
    return Batches.takeError();
  std::vector<std::vector<at::Tensor>> Parts(G.outputs().size());
  bool IsClassifier = Batches->hasClasses();
  uint64_t Correct = 0;
  std::chrono::duration<double> Seconds(0);
  llvm::Error Failed = Batches->forEach([&](llvm::ArrayRef<at::Tensor> Batch, uint64_t First) -> llvm::Error {
    auto Start = std::chrono::steady_clock::now();
    llvm::Expected<std::vector<at::Tensor>> Outputs = E.run(Batch);
    if (!Outputs)
      return llvm::createStringError(Options.Model + ": " + llvm::toString(Outputs.takeError()));
    Seconds += std::chrono::steady_clock::now() - Start;
    for (auto [Part, T] : llvm::zip_equal(Parts, *Outputs)) {
      if (T.dim() == 0 || T.size(0) != Batch.front().size(0))
        return llvm::createStringError("an output has no row for each image: use --input");
      Part.push_back(T);
    }
    IsClassifier &= isLogits(Outputs->front());
    if (IsClassifier)
      Correct += Batches->countCorrect(Outputs->front(), First);
    return llvm::Error::success();
  });
  if (Failed)
    return Failed;

  uint64_t Total = Batches->size();
  if (IsClassifier)
    llvm::outs() << fmt::format("top-1 {:.2f} % ({} of {} images), ", 100.0 * Correct / Total, Correct, Total);
  else
    llvm::outs() << fmt::format("{} images, ", Total);
  llvm::outs() << fmt::format("{:.0f} images/s\n", Total / Seconds.count());
  std::vector<at::Tensor> Results;
  for (const std::vector<at::Tensor> &Part : Parts)
    Results.push_back(at::cat(Part));
  return Results;
}

//===----------------------------------------------------------------------===//
// Main
//===----------------------------------------------------------------------===//

static llvm::Error run(const RunOptions &Options) {
  llvm::Expected<std::unique_ptr<Model>> M = readModel(Options.Model);
  if (!M)
    return M.takeError();
  if (Options.Ring || Options.Range)
    return runFixedPoint(**M, Options);
  llvm::Expected<std::unique_ptr<Executor>> E = Executor::create(**M);
  if (!E)
    return llvm::createStringError(Options.Model + ": " + llvm::toString(E.takeError()));
  const Graph &G = (*M)->graph();
  std::vector<at::Tensor> Results;
  if (!Options.Images.empty()) {
    llvm::Expected<std::vector<at::Tensor>> Outputs = runOnImages(**E, G, Options);
    if (!Outputs)
      return Outputs.takeError();
    Results = std::move(*Outputs);
  } else {
    llvm::Expected<std::vector<at::Tensor>> Inputs = readInputs(freeInputs(G), Options.Inputs);
    if (!Inputs)
      return llvm::createStringError(Options.Model + ": " + llvm::toString(Inputs.takeError()));
    llvm::Expected<std::vector<at::Tensor>> Outputs = (*E)->run(*Inputs);
    if (!Outputs)
      return llvm::createStringError(Options.Model + ": " + llvm::toString(Outputs.takeError()));
    Results = std::move(*Outputs);
    printOutputs(G, Results);
  }
  return writeOutputs(G.outputs(), Results, Options.Outputs);
}

int main(int Argc, char **Argv) {
  llvm::InitLLVM Init(Argc, Argv);
  llvm::ExitOnError ExitOnErr("ds-run: error: ");
  RunOptions Options = ExitOnErr(parseCommandLine(Argc, Argv));
  if (Options.ListOperators) {
    for (const std::string &Name : executableOperators())
      llvm::outs() << Name << '\n';
    return 0;
  }
  useAllProcessors();
  useOneBlasThread();
  c10::InferenceMode NoGradients;
  ExitOnErr(run(Options));
  return 0;
}
