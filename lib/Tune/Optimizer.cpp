//===- Optimizer.cpp - libtorch's optimisers, and what a run remembers ----===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Optimizer.h"

#include "Identity.h"

#include "deepshare/Exec/Guard.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"

#include <torch/optim/adamw.h>
#include <torch/optim/sgd.h>
#include <torch/serialize/archive.h>

#include <fstream>

using namespace deepshare;
using namespace deepshare::tune;

struct Optimizer::Impl {
  std::unique_ptr<torch::optim::Optimizer> Torch;
  std::vector<double> Rates; ///< of the groups, over the learning rate
};

namespace {
/// Parameters that move alike.
struct Group {
  double WeightDecay, Rate;
  std::vector<at::Tensor> Tensors;
};
} // namespace

template <typename OptimizerType, typename OptionsType>
static std::unique_ptr<torch::optim::Optimizer> make(llvm::ArrayRef<Group> Given, OptionsType Options) {
  std::vector<torch::optim::OptimizerParamGroup> Groups;
  for (const Group &G : Given) {
    auto Own = std::make_unique<OptionsType>(Options);
    Own->weight_decay(G.WeightDecay);
    Groups.emplace_back(G.Tensors, std::move(Own));
  }
  return std::make_unique<OptimizerType>(Groups, Options);
}

Optimizer::Optimizer(llvm::ArrayRef<StateTensor> Parameters, const TrainingOptions &Options)
    : I(std::make_unique<Impl>()) {
  std::vector<Group> Groups;
  for (const StateTensor &P : Parameters) {
    double Decay = P.Value.dim() >= 2 && !llvm::StringRef(P.Name).ends_with(".slopes") ? Options.WeightDecay : 0;
    auto Found = llvm::find_if(Groups, [&](const Group &G) { return G.WeightDecay == Decay && G.Rate == P.Rate; });
    if (Found == Groups.end())
      Found = Groups.insert(Groups.end(), {Decay, P.Rate, {}});
    Found->Tensors.push_back(P.Value);
  }
  for (const Group &G : Groups)
    I->Rates.push_back(G.Rate);
  if (Options.Optimizer == OptimizerKind::Sgd)
    I->Torch = make<torch::optim::SGD>(
        Groups,
        torch::optim::SGDOptions(Options.LearningRate).momentum(Options.Momentum).nesterov(Options.Momentum > 0));
  else
    I->Torch = make<torch::optim::AdamW>(Groups, torch::optim::AdamWOptions(Options.LearningRate));
}

Optimizer::~Optimizer() = default;

void Optimizer::step(double LearningRate) {
  for (auto [Group, Rate] : llvm::zip_equal(I->Torch->param_groups(), I->Rates))
    Group.options().set_lr(LearningRate * Rate);
  I->Torch->step();
}

void Optimizer::clearGradients() { I->Torch->zero_grad(); }

llvm::Error Optimizer::save(llvm::StringRef Path, const RunState &State, llvm::ArrayRef<StateTensor> Tensors) const {
  return guarded(Path, [&]() -> llvm::Error {
    torch::serialize::OutputArchive Archive;
    Archive.write("identity", c10::IValue(State.Identity));
    Archive.write("step", c10::IValue(static_cast<int64_t>(State.Step)));
    Archive.write("epoch", c10::IValue(static_cast<int64_t>(State.Loader.Epoch)));
    Archive.write("position", c10::IValue(static_cast<int64_t>(State.Loader.Position)));
    // Keys of an archive may not hold every character that names of values do: tensors go by number.
    for (auto [Index, T] : llvm::enumerate(Tensors))
      Archive.write("t" + std::to_string(Index), T.Value.detach());
    torch::serialize::OutputArchive Own;
    I->Torch->save(Own);
    Archive.write("optimizer", Own);
    std::string Beside = (Path + ".new").str();
    Archive.save_to(Beside);
    if (std::error_code Code = llvm::sys::fs::rename(Beside, Path))
      return llvm::createStringError(Code, Path + ": " + Code.message());
    return llvm::Error::success();
  });
}

llvm::Expected<RunState> Optimizer::load(llvm::StringRef Path, llvm::StringRef Identity,
                                         llvm::ArrayRef<StateTensor> Tensors) {
  return guarded("checkpoint " + Path.str(), [&]() -> llvm::Expected<RunState> {
    torch::serialize::InputArchive Archive;
    Archive.load_from(Path.str());
    c10::IValue Read;
    auto ReadInt = [&](const char *Key) {
      Archive.read(Key, Read);
      return static_cast<uint64_t>(Read.toInt());
    };
    RunState State;
    Archive.read("identity", Read);
    State.Identity = Read.toStringRef();
    if (std::string Others = differences(State.Identity, Identity); !Others.empty())
      return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                     Path + ": is the checkpoint of a training with " + Others +
                                         "; remove it to start anew, or give another file");
    State.Step = ReadInt("step");
    State.Loader.Epoch = ReadInt("epoch");
    State.Loader.Position = ReadInt("position");
    at::NoGradGuard NoGrad;
    for (auto [Index, T] : llvm::enumerate(Tensors)) {
      at::Tensor Stored;
      Archive.read("t" + std::to_string(Index), Stored);
      TORCH_CHECK(Stored.sizes() == T.Value.sizes(), "tensor '", T.Name, "' has another shape");
      at::Tensor Into = T.Value;
      Into.copy_(Stored);
    }
    torch::serialize::InputArchive Own;
    Archive.read("optimizer", Own);
    I->Torch->load(Own);
    return State;
  });
}
