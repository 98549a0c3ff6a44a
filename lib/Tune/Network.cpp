//===- Network.cpp - a model whose parameters are tensors -----------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Network.h"

#include "deepshare/Data/Random.h"
#include "deepshare/Exec/Guard.h"
#include "deepshare/IR/ShareOps.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/StringMap.h"

#include <fmt/format.h>

using namespace deepshare;
using namespace deepshare::tune;

Network::Network(Model &M, std::unique_ptr<Executor> Run, ImageInputs Inputs, at::Device Device)
    : M(M), Exec(std::move(Run)), Inputs(std::move(Inputs)), Device(Device) {
  for (const Value *Input : M.graph().inputs())
    Values.emplace(Input->name().str(), Input);
  for (const Node &N : M.graph())
    for (const Value *Output : N.outputs())
      Values.emplace(Output->name().str(), Output);
  // The logits are before the softmax.
  const Value *Output = M.graph().outputs().front();
  const Node *Last = Output->producer();
  LogitsValue = Last && Last->is("Softmax") ? Last->input(0) : Output;
  if (LogitsValue->producer())
    Exec->observe(LogitsValue);
}

llvm::Expected<std::unique_ptr<Network>> Network::create(Model &M, const ImageSet &Images,
                                                         std::optional<TrainedPart> Part, at::Device Device,
                                                         bool Renormalize) {
  if (M.graph().outputs().empty())
    return llvm::createStringError("the model has no output");
  llvm::Expected<std::unique_ptr<Executor>> Run = Executor::create(M, Device);
  if (!Run)
    return Run.takeError();
  llvm::Expected<ImageInputs> Inputs = ImageInputs::find(M.graph(), Images);
  if (!Inputs)
    return Inputs.takeError();
  std::unique_ptr<Network> Result(new Network(M, std::move(*Run), std::move(*Inputs), Device));
  llvm::Error E = guarded("cannot prepare the model", [&]() -> llvm::Error {
    if (Renormalize && Part == TrainedPart::All)
      Result->openNormalizations();
    if (llvm::Error Failed = Result->findTensors(Part))
      return Failed;
    Result->takeOverGates(Part);
    return llvm::Error::success();
  });
  if (E)
    return E;
  return Result;
}

void Network::openNormalizations() {
  for (Node &N : M.graph()) {
    if (!OpenNormalization::fits(N))
      continue;
    auto &Opened = *Open.insert({N.output(), std::make_unique<OpenNormalization>(N, Device)}).first->second;
    Exec->observe(N.output());
    std::string Name = N.output()->name().str();
    for (auto &[Suffix, T] : {std::pair(".gamma", &Opened.Gamma), std::pair(".beta", &Opened.Beta)}) {
      T->set_requires_grad(true);
      Trained.push_back({Name + Suffix, *T});
    }
    Buffers.push_back({Name + ".mean", Opened.Mean});
    Buffers.push_back({Name + ".var", Opened.Variance});
  }
}

llvm::Error Network::findTensors(std::optional<TrainedPart> Part) {
  auto IsFloat = [](const Value &V) { return V.constant() && V.constant()->elementType() == ElementType::Float32; };
  for (const Parameter &P : findParameters(M, IsFloat)) {
    bool IsStatistic = P.Kind == Role::Mean || P.Kind == Role::Variance;
    if (!IsStatistic && Part != TrainedPart::All)
      continue;
    // Under an open normalisation a bias has no effect; it is folded in again at the end.
    if (P.Kind == Role::Bias && Open.count(P.User->output()))
      continue;
    // The executor's tensor may be a view of the model's file.
    at::Tensor Own = Exec->constant(P.Of).to(Device).clone();
    Own.set_requires_grad(!IsStatistic);
    Exec->setConstant(P.Of, Own);
    Constants.emplace_back(P.Of, Own);
    (IsStatistic ? Buffers : Trained).push_back({P.Of->name().str(), Own});
  }
  for (Node &N : M.graph())
    if (N.is("BatchNormalization") && Part == TrainedPart::All)
      takeOverNormalization(N);
  return llvm::Error::success();
}

void Network::takeOverNormalization(Node &N) {
  double Epsilon = N.floatAttribute("epsilon", 1e-5f);
  // ONNX's momentum is the share of the old statistic, ATen's of the new one.
  double Momentum = 1 - double(N.floatAttribute("momentum", 0.9f));
  Exec->overrideNode(&N, [this, Epsilon, Momentum](llvm::ArrayRef<at::Tensor> In) -> std::vector<at::Tensor> {
    return {at::batch_norm(In[0], In[1], In[2], In[3], In[4], Mode.Training, Momentum, Epsilon, false)};
  });
}

/// Operators that move elements and compute nothing: smooth masks pass them as bits do.
static bool movesElements(const Node &N) {
  static constexpr llvm::StringLiteral Types[] = {"Concat",  "Expand", "Flatten", "Gather",    "Identity",
                                                  "Reshape", "Slice",  "Squeeze", "Transpose", "Unsqueeze"};
  return N.domain().empty() && llvm::is_contained(Types, N.opType());
}

llvm::Error Network::polarize(const Polarization &Gates, double ScoreRate) {
  llvm::StringMap<const Node *> Computed;
  for (const Node &N : M.graph())
    if (isDReLU(N))
      Computed[N.output()->name()] = &N;
  for (auto [Number, Mask] : llvm::enumerate(Gates.Masks)) {
    const Node *N = Computed.lookup(Mask.Name);
    if (!N)
      return llvm::createStringError(
          fmt::format("the model has no DReLU '{}' whose gates could be given up", Mask.Name));
    MayGo[N] = Number;
  }
  Polarized = std::make_unique<Polarizer>(Gates, Device);
  Polarized->scores().set_requires_grad(true);
  Polarized->levels().set_requires_grad(true);
  Trained.push_back({"polarization.scores", Polarized->scores(), ScoreRate});
  Trained.push_back({"polarization.levels", Polarized->levels()});
  Polarized->setProgress(0);
  return llvm::Error::success();
}

void Network::takeOverMask(Node &N) {
  uint64_t Number = Masks.size();
  auto &Mask = *Masks.emplace_back(&N, std::make_unique<TrainedMask>(N)).second;
  IsMask.insert(N.output());
  Exec->overrideNode(&N, [this, &N, &Mask, Number](llvm::ArrayRef<at::Tensor> In) -> std::vector<at::Tensor> {
    if (Measuring)
      Mask.measureDeviation(In[0]);
    std::optional<TrainedMask::Noise> Noise;
    if (Mode.Noise > 0)
      Noise = {Mode.Noise, Random({Mode.NoiseSeed, Number}).next()};
    at::Tensor Bits = Mask.mask(In[0], Mode.Sharpness, Noise);
    auto Gates = MayGo.find(&N);
    if (Gates == MayGo.end())
      return {Bits};
    if (Measuring)
      Polarized->measureLevels(Gates->second, Bits);
    return {Polarized->apply(Gates->second, Bits)};
  });
}

void Network::takeOverGates(std::optional<TrainedPart> Part) {
  for (Node &N : M.graph()) {
    if (isDReLU(N)) {
      takeOverMask(N);
    } else if (isDReLUShare(N)) {
      auto &Share = *Shares.emplace_back(&N, std::make_unique<TrainedShare>(N, Device)).second;
      if (Part && Share.numFree()) {
        Share.slopes().set_requires_grad(true);
        Trained.push_back({N.output()->name().str() + ".slopes", Share.slopes()});
      }
      Exec->overrideNode(
          &N, [&Share](llvm::ArrayRef<at::Tensor> In) -> std::vector<at::Tensor> { return {Share.apply(In)}; });
    } else if (llvm::any_of(N.inputs(), [&](const Value *V) { return V && IsMask.contains(V); })) {
      if (movesElements(N))
        IsMask.insert(N.output());
      else
        takeOverUserOfMask(N);
    }
  }
}

/// A Cast to float lets a mask of numbers through; any other operator gets its bits.
void Network::takeOverUserOfMask(Node &N) {
  Exec->overrideNode(&N, [this, &N](llvm::ArrayRef<at::Tensor> In) -> std::vector<at::Tensor> {
    bool ToFloat = N.is("Cast") && N.intAttribute("to", 0) == static_cast<int64_t>(ElementType::Float32);
    if (ToFloat && at::isFloatingType(In[0].scalar_type()))
      return {In[0]};
    std::vector<at::Tensor> Inputs = In.vec();
    for (unsigned I = 0; I < N.numInputs(); ++I)
      if (N.input(I) && IsMask.contains(N.input(I)) && at::isFloatingType(Inputs[I].scalar_type()))
        Inputs[I] = Inputs[I].gt(0.5);
    llvm::Expected<std::vector<at::Tensor>> Outputs = executeNode(N, Inputs);
    TORCH_CHECK(Outputs, llvm::toString(Outputs.takeError()));
    return std::move(*Outputs);
  });
}

uint64_t Network::numTrained() const {
  uint64_t Count = 0;
  for (const StateTensor &T : Trained)
    Count += T.Value.numel();
  for (const auto &[N, Share] : Shares)
    if (Share->slopes().requires_grad())
      Count -= Share->slopes().numel() - Share->numFree();
  return Count;
}

std::vector<std::string> Network::gateInputs() const {
  std::vector<std::string> Names;
  llvm::DenseSet<const Value *> Seen;
  for (const Node &N : M.graph())
    if (isDReLU(N) || isDReLUShare(N) || N.is("Relu") || N.is("LeakyRelu") || N.is("PRelu") || N.is("Clip"))
      if (const Value *Input = N.input(0); Input->producer() && Seen.insert(Input).second)
        Names.push_back(Input->name().str());
  return Names;
}

void Network::watch(llvm::ArrayRef<std::string> Names) {
  for (const std::string &Name : Names) {
    const Value *V = Values.at(Name);
    Exec->observe(V);
    WatchedValues.push_back(V);
  }
}

llvm::Expected<NetworkOutput> Network::run(const at::Tensor &Images, RunMode NewMode) {
  Mode = NewMode;
  NetworkOutput Result;
  Result.Watched.resize(WatchedValues.size());
  llvm::Expected<std::vector<at::Tensor>> Outputs = Exec->run(Inputs.split(Images), [&](const Value &V, at::Tensor &T) {
    if (auto Found = Open.find(&V); Found != Open.end()) {
      if (Measuring)
        Found->second->start(T);
      T = Found->second->apply(T, Mode.Training);
    }
    if (&V == LogitsValue)
      Result.Logits = T;
    for (auto [Watched, Into] : llvm::zip_equal(WatchedValues, Result.Watched))
      if (Watched == &V)
        Into = T;
  });
  if (!Outputs)
    return Outputs.takeError();
  if (!Result.Logits.defined())
    Result.Logits = Outputs->front();
  if (Result.Logits.dim() < 2 || !at::isFloatingType(Result.Logits.scalar_type()))
    return llvm::createStringError(
        fmt::format("output '{}' is no batch of floating logits", LogitsValue->name().str()));
  return Result;
}

llvm::Error Network::calibrate(const at::Tensor &Images) {
  at::NoGradGuard NoGrad;
  Measuring = true;
  llvm::Expected<NetworkOutput> Output = run(Images, {});
  Measuring = false;
  if (!Output)
    return Output.takeError();
  for (auto &[N, Mask] : Masks)
    Buffers.push_back({N->output()->name().str() + ".deviation", Mask->deviation()});
  return llvm::Error::success();
}

/// Puts \p T in place of the tensor of \p V.
static llvm::Error storeTensor(Value &V, const at::Tensor &T) {
  llvm::Expected<Tensor> New = fromATen(T);
  if (!New)
    return New.takeError();
  V.setInitializer(New->withUnmodelled(V.initializer()->unmodelled().str()));
  return llvm::Error::success();
}

llvm::Error Network::store() {
  at::NoGradGuard NoGrad;
  for (auto &[V, T] : Constants)
    if (llvm::Error E = storeTensor(*V, T))
      return E;
  for (auto &[Output, Opened] : Open) {
    Node &N = Opened->node();
    auto [Weight, Bias] = Opened->folded(Exec->constant(N.input(1)));
    if (llvm::Error E = storeTensor(*N.input(1), Weight))
      return E;
    if (!N.input(2)) {
      std::vector<float> Zeros(Bias.numel());
      Value *Added =
          M.graph().addInitializer(N.input(1)->name().str() + "_bias", Tensor::of<float>({Bias.numel()}, Zeros));
      N.truncateInputs(2);
      N.addInput(Added);
    }
    if (llvm::Error E = storeTensor(*N.input(2), Bias))
      return E;
  }
  for (auto &[N, Share] : Shares) {
    auto [On, Off] = Share->attributes();
    N->setAttribute("on", std::move(On));
    N->setAttribute("off", std::move(Off));
  }
  return llvm::Error::success();
}
