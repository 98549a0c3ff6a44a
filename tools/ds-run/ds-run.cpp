//===- ds-run.cpp - runs a model ------------------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Arrays.h"
#include "Options.h"

#include "common/ProgressBar.h"

#include "deepshare/Exec/Exec.h"
#include "deepshare/ONNX/ONNX.h"

#include "llvm/Support/InitLLVM.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <chrono>
#include <numeric>

using namespace deepshare;

/// What a caller has to give: inputs without a default.
static std::vector<const Value *> freeInputs(const Graph &G) {
  std::vector<const Value *> Inputs;
  for (const Value *Input : G.inputs())
    if (!Input->isInitializer())
      Inputs.push_back(Input);
  return Inputs;
}

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

//===----------------------------------------------------------------------===//
// Images
//===----------------------------------------------------------------------===//

/// Images a run: what the model fixes, else \p Wanted.
static llvm::Expected<uint64_t> batchSize(const Value &Input, uint64_t Wanted, uint64_t Images) {
  const std::optional<TensorType> &Type = Input.type();
  if (!Type || !Type->Dims || Type->Dims->empty() || !Type->Dims->front().isFixed())
    return Wanted;
  uint64_t Fixed = Type->Dims->front().size();
  if (Fixed == 0 || Images % Fixed)
    return llvm::createStringError(fmt::format(
        "input '{}': the model takes batches of {}, of which {} images are no multiple; --limit n takes the first n",
        Input.name().str(), Fixed, Images));
  return Fixed;
}

static llvm::Expected<at::Tensor> readBatch(const ImageSet &Images, uint64_t First, uint64_t Count) {
  std::vector<uint64_t> Indices(Count);
  std::iota(Indices.begin(), Indices.end(), First);
  std::vector<int64_t> Shape = {static_cast<int64_t>(Count)};
  llvm::append_range(Shape, Images.shape());
  at::Tensor T = at::empty(Shape);
  if (llvm::Error E = Images.batch(Indices, {T.data_ptr<float>(), static_cast<size_t>(T.numel())}))
    return E;
  return T;
}

/// How many rows of \p Logits [N,K] have their greatest element where the label says.
static uint64_t countCorrect(const at::Tensor &Logits, const ImageSet &Images, uint64_t First) {
  at::Tensor Chosen = Logits.argmax(1).to(at::kLong).contiguous();
  uint64_t Correct = 0;
  for (int64_t I = 0; I < Chosen.numel(); ++I)
    Correct += Chosen.data_ptr<int64_t>()[I] == Images.label(First + I);
  return Correct;
}

static llvm::Expected<std::vector<at::Tensor>> runOnImages(Executor &E, const Graph &G, const RunOptions &Options) {
  std::vector<const Value *> Inputs = freeInputs(G);
  if (Inputs.size() != 1)
    return llvm::createStringError(
        fmt::format("--images needs a model with one input, {} has {}", Options.Model, Inputs.size()));
  llvm::Expected<std::unique_ptr<ImageSet>> Images = openImageSet(Options.Images, Options.Norm);
  if (!Images)
    return Images.takeError();
  uint64_t Total = (*Images)->size();
  if (Options.Limit)
    Total = std::min(Total, Options.Limit);
  if (!Total)
    return llvm::createStringError(Options.Images + ": there is no image");
  llvm::Expected<uint64_t> Batch = batchSize(*Inputs.front(), Options.Batch, Total);
  if (!Batch)
    return Batch.takeError();

  std::vector<std::vector<at::Tensor>> Parts(G.outputs().size());
  bool IsClassifier = (*Images)->hasLabels() && (*Images)->labelShape().empty();
  uint64_t Correct = 0;
  std::chrono::duration<double> Seconds(0);
  ProgressBar Bar;
  for (uint64_t First = 0; First < Total; First += *Batch) {
    Bar.update("running", First, Total);
    uint64_t Count = std::min(*Batch, Total - First);
    llvm::Expected<at::Tensor> Input = readBatch(**Images, First, Count);
    if (!Input)
      return Input.takeError();
    auto Start = std::chrono::steady_clock::now();
    llvm::Expected<std::vector<at::Tensor>> Outputs = E.run({*Input});
    if (!Outputs)
      return llvm::createStringError(Options.Model + ": " + llvm::toString(Outputs.takeError()));
    Seconds += std::chrono::steady_clock::now() - Start;
    for (auto [Part, T] : llvm::zip_equal(Parts, *Outputs)) {
      if (T.dim() == 0 || T.size(0) != static_cast<int64_t>(Count))
        return llvm::createStringError("an output has no row for each image: use --input");
      Part.push_back(T);
    }
    const at::Tensor &Logits = Outputs->front();
    IsClassifier &= Logits.dim() == 2 && Logits.size(1) > 1;
    if (IsClassifier)
      Correct += countCorrect(Logits, **Images, First);
  }
  Bar.clear();

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
  c10::InferenceMode NoGradients;
  ExitOnErr(run(Options));
  return 0;
}
