//===- Training.cpp - gradient training of a model ------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Tune/Training.h"

#include "Identity.h"
#include "Loss.h"
#include "Network.h"
#include "Optimizer.h"
#include "TrainingCheck.h"

#include "deepshare/Data/BatchLoader.h"
#include "deepshare/Data/Random.h"
#include "deepshare/Exec/Communicator.h"
#include "deepshare/Exec/Device.h"
#include "deepshare/Exec/Guard.h"

#include "llvm/Support/FileSystem.h"

#include <fmt/format.h>

#include <cmath>
#include <deque>
#include <numbers>
#include <numeric>

using namespace deepshare;
using namespace deepshare::tune;

namespace {

/// Steps that the reported loss is a mean over.
constexpr size_t LossWindow = 50;
/// How far a score moves if AdamW moves it by the highest rate in every step; w is 1 in the first (Polarizer.h).
constexpr double ScoreReach = 20;

/// The learning rate of scores over that of weights.
double scoreRate(const TrainingOptions &O) {
  return O.LearningRate > 0 ? ScoreReach / (O.LearningRate * static_cast<double>(O.Steps)) : 0;
}

double learningRate(const TrainingOptions &O, uint64_t Step) {
  if (Step < O.WarmupSteps)
    return O.LearningRate * static_cast<double>(Step + 1) / static_cast<double>(O.WarmupSteps);
  double Done = static_cast<double>(Step - O.WarmupSteps) / static_cast<double>(O.Steps - O.WarmupSteps);
  return O.LearningRate * 0.5 * (1 + std::cos(std::numbers::pi * Done));
}

/// The gates' sharpness; 0, the step, after the smooth part.
double sharpness(const TrainingOptions &O, uint64_t Step) {
  double Smooth = O.SmoothPart * static_cast<double>(O.Steps);
  if (static_cast<double>(Step) >= Smooth)
    return 0;
  return O.FirstSharpness * std::pow(O.LastSharpness / O.FirstSharpness, static_cast<double>(Step) / Smooth);
}

/// One training from start to end.
class Trainer {
public:
  Trainer(Model &M, const ImageSet &Images, const TrainingOptions &Options, at::Device Device)
      : M(M), Images(Images), Options(Options), Device(Device) {}

  llvm::Error prepare(const Model *TeacherModel);
  llvm::Expected<TrainingResult> train(const std::function<void(const TrainingStep &)> &Report);

private:
  at::Tensor tensorOf(const std::vector<float> &Pixels, uint64_t Count) const;
  llvm::Error calibrate();
  llvm::Expected<double> combine(double Loss);
  llvm::Expected<double> step(const Batch &Images, uint64_t Number);
  llvm::Expected<double> measureAccuracy(uint64_t Done);
  llvm::Error checkpoint(uint64_t Step, LoaderState Loader);
  std::vector<StateTensor> state() const;
  void setProgress(uint64_t Done);
  void average();
  void swapAverage();

  Model &M;
  const ImageSet &Images;
  const TrainingOptions &Options;
  at::Device Device;
  /// Of the checkpoints; empty without.
  std::string Identity;
  std::unique_ptr<Model> TeacherCopy;
  std::unique_ptr<Network> Student, Teacher;
  std::unique_ptr<Optimizer> Optimizing;
  /// Moving averages of parameters and buffers, in their order; empty without.
  std::vector<at::Tensor> Averages;
  TrainingResult Result;
};

llvm::Error Trainer::prepare(const Model *TeacherModel) {
  if (!Options.Checkpoint.empty())
    Identity = trainingIdentity(M, TeacherModel, Images, Options);
  llvm::Expected<std::unique_ptr<Network>> Made =
      Network::create(M, Images, Options.Train, Device, Options.Renormalize);
  if (!Made)
    return Made.takeError();
  Student = std::move(*Made);
  if (Options.Polarize)
    if (llvm::Error E = guarded("cannot prepare the model",
                                [&] { return Student->polarize(*Options.Polarize, scoreRate(Options)); }))
      return E;
  if (Student->parameters().empty())
    return llvm::createStringError(Options.Train == TrainedPart::Slopes ? "the model has no free slopes to train"
                                                                        : "the model has no parameters to train");
  Result.Parameters = Student->numTrained();
  if (TeacherModel) {
    TeacherCopy = TeacherModel->clone();
    llvm::Expected<std::unique_ptr<Network>> MadeTeacher = Network::create(*TeacherCopy, Images, std::nullopt, Device);
    if (!MadeTeacher)
      return MadeTeacher.takeError();
    Teacher = std::move(*MadeTeacher);
    if (Options.ActivationWeight > 0) {
      std::vector<std::string> Common;
      for (const std::string &Name : Student->gateInputs())
        if (Teacher->hasValue(Name))
          Common.push_back(Name);
      if (Common.empty())
        return llvm::createStringError("no gate's input has the name of a value of the teacher");
      Student->watch(Common);
      Teacher->watch(Common);
      Result.MatchedGates = Common.size();
    }
  }
  if (llvm::Error E = calibrate())
    return E;
  return guarded("cannot prepare the training", [&]() -> llvm::Error {
    Optimizing = std::make_unique<Optimizer>(Student->parameters(), Options);
    if (Options.EmaDecay > 0)
      for (const auto *Tensors : {&Student->parameters(), &Student->buffers()})
        for (const StateTensor &T : *Tensors)
          Averages.push_back(T.Value.detach().clone());
    return llvm::Error::success();
  });
}

at::Tensor Trainer::tensorOf(const std::vector<float> &Pixels, uint64_t Count) const {
  auto Rows = static_cast<int64_t>(Count), Elements = static_cast<int64_t>(Pixels.size() / Count);
  return at::from_blob(const_cast<float *>(Pixels.data()), {Rows, Elements}, at::kFloat).to(Device);
}

llvm::Error Trainer::calibrate() {
  std::vector<uint64_t> Indices(std::min<uint64_t>(Images.size(), 128));
  std::iota(Indices.begin(), Indices.end(), 0);
  std::vector<float> Pixels(Indices.size() * *numElements(Images.shape()));
  if (llvm::Error E = Images.batch(Indices, Pixels))
    return E;
  return guarded("cannot run the model", [&] { return Student->calibrate(tensorOf(Pixels, Indices.size())); });
}

std::vector<StateTensor> Trainer::state() const {
  std::vector<StateTensor> All = Student->parameters();
  llvm::append_range(All, Student->buffers());
  for (const at::Tensor &T : Averages)
    All.push_back({"average", T});
  return All;
}

llvm::Error Trainer::checkpoint(uint64_t Step, LoaderState Loader) {
  if (Options.Processes && Options.Processes->rank() != 0)
    return llvm::Error::success();
  return Optimizing->save(Options.Checkpoint, {Step, Loader, Identity}, state());
}

/// Scales all gradients down so that their norm is at most \p Most.
static void clipGradients(llvm::ArrayRef<StateTensor> Parameters, double Most) {
  double Squares = 0;
  for (const StateTensor &P : Parameters)
    if (P.Value.grad().defined())
      Squares += P.Value.grad().square().sum().item<double>();
  double Norm = std::sqrt(Squares);
  if (Norm > Most)
    for (const StateTensor &P : Parameters)
      if (at::Tensor Gradient = P.Value.grad(); Gradient.defined())
        Gradient.mul_(Most / Norm);
}

/// Makes the gradients, and the loss, those of all processes' batches together. Returns the loss.
llvm::Expected<double> Trainer::combine(double Loss) {
  if (!Options.Processes)
    return Loss;
  at::NoGradGuard NoGrad;
  std::vector<at::Tensor> Parts{at::full({1}, Loss, at::TensorOptions(at::kFloat).device(Device))};
  for (const StateTensor &P : Student->parameters())
    if (P.Value.grad().defined())
      Parts.push_back(P.Value.grad().flatten());
  at::Tensor All = at::cat(Parts);
  if (llvm::Error E = Options.Processes->sum(All))
    return E;
  All.div_(static_cast<double>(Options.Processes->size()));
  int64_t At = 1;
  for (const StateTensor &P : Student->parameters())
    if (at::Tensor Gradient = P.Value.grad(); Gradient.defined()) {
      Gradient.copy_(All.slice(0, At, At + Gradient.numel()).view_as(Gradient));
      At += Gradient.numel();
    }
  return All[0].item<double>();
}

llvm::Expected<double> Trainer::step(const Batch &Input, uint64_t Number) {
  return guarded(fmt::format("step {}", Number + 1), [&]() -> llvm::Expected<double> {
    at::Tensor Pixels = tensorOf(Input.Images, Input.Indices.size());
    std::optional<NetworkOutput> Target;
    if (Teacher) {
      at::NoGradGuard NoGrad;
      llvm::Expected<NetworkOutput> Output = Teacher->run(Pixels, {});
      if (!Output)
        return Output.takeError();
      Target = std::move(*Output);
    }
    RunMode Mode{/*Training=*/true, sharpness(Options, Number)};
    if (Options.GateNoise > 0) {
      Mode.Noise = std::exp2(-Options.GateNoise);
      Mode.NoiseSeed = Random({Options.Seed, Number, Options.Processes ? Options.Processes->rank() : 0}).next();
    }
    setProgress(Number);
    llvm::Expected<NetworkOutput> Output = Student->run(Pixels, Mode);
    if (!Output)
      return Output.takeError();
    at::Tensor Loss = trainingLoss(*Output, Target ? &*Target : nullptr, Input, Options);
    Optimizing->clearGradients();
    Loss.backward();
    llvm::Expected<double> Value = combine(Loss.item<double>());
    if (!Value)
      return Value;
    if (!std::isfinite(*Value))
      return llvm::createStringError(fmt::format(
          "the loss is {} in step {}; lower the learning rate ({}) or clip the gradients{}", *Value, Number + 1,
          Options.LearningRate, Options.Checkpoint.empty() ? "" : "; the last good state is in " + Options.Checkpoint));
    if (Options.ClipNorm > 0)
      clipGradients(Student->parameters(), Options.ClipNorm);
    Optimizing->step(learningRate(Options, Number));
    average();
    return *Value;
  });
}

/// Sets the gates that may be given up to what they are after \p Done steps.
void Trainer::setProgress(uint64_t Done) {
  if (Polarizer *Gates = Student->polarizer())
    Gates->setProgress(static_cast<double>(Done) / static_cast<double>(Options.Steps));
}

void Trainer::average() {
  at::NoGradGuard NoGrad;
  size_t Index = 0;
  if (!Averages.empty())
    for (const auto *Tensors : {&Student->parameters(), &Student->buffers()})
      for (const StateTensor &T : *Tensors)
        Averages[Index++].lerp_(T.Value, 1 - Options.EmaDecay);
}

/// Exchanges the weights with their averages.
void Trainer::swapAverage() {
  at::NoGradGuard NoGrad;
  size_t Index = 0;
  if (!Averages.empty())
    for (auto *Tensors : {&Student->parameters(), &Student->buffers()})
      for (StateTensor &T : *Tensors) {
        at::Tensor Kept = T.Value.clone();
        T.Value.copy_(Averages[Index]);
        Averages[Index++].copy_(Kept);
      }
}

/// Of the held-out images, with the weights of now, which have taken \p Done steps.
llvm::Expected<double> Trainer::measureAccuracy(uint64_t Done) {
  const ImageSet &Set = *Options.HeldOut;
  return guarded("held-out images", [&]() -> llvm::Expected<double> {
    at::NoGradGuard NoGrad;
    setProgress(Done);
    uint64_t Right = 0, All = 0, ImageSize = *numElements(Set.shape());
    uint64_t Rank = Options.Processes ? Options.Processes->rank() : 0;
    uint64_t Processes = Options.Processes ? Options.Processes->size() : 1;
    for (uint64_t First = Rank * Options.BatchSize; First < Set.size(); First += Processes * Options.BatchSize) {
      std::vector<uint64_t> Indices(std::min(Options.BatchSize, Set.size() - First));
      std::iota(Indices.begin(), Indices.end(), First);
      std::vector<float> Pixels(Indices.size() * ImageSize);
      if (llvm::Error E = Set.batch(Indices, Pixels))
        return E;
      at::Tensor Input = tensorOf(Pixels, Indices.size()), Expected;
      if (Set.hasLabels()) {
        std::vector<int64_t> Labels;
        for (uint64_t Index : Indices)
          Set.labels(Index, Labels);
        std::vector<int64_t> Shape{static_cast<int64_t>(Indices.size())};
        llvm::append_range(Shape, Set.labelShape());
        Expected = at::tensor(Labels, at::kLong).view(Shape).to(Device);
      } else {
        llvm::Expected<NetworkOutput> Output = Teacher->run(Input, {});
        if (!Output)
          return Output.takeError();
        Expected = Output->Logits;
      }
      llvm::Expected<NetworkOutput> Output = Student->run(Input, {});
      if (!Output)
        return Output.takeError();
      auto [BatchRight, BatchAll] = countCorrect(Output->Logits, Expected);
      Right += BatchRight;
      All += BatchAll;
    }
    at::Tensor Counts = at::tensor({static_cast<int64_t>(Right), static_cast<int64_t>(All)}, at::kLong);
    if (Options.Processes)
      if (llvm::Error E = Options.Processes->sum(Counts))
        return E;
    return static_cast<double>(Counts[0].item<int64_t>()) / static_cast<double>(Counts[1].item<int64_t>());
  });
}

llvm::Expected<TrainingResult> Trainer::train(const std::function<void(const TrainingStep &)> &Report) {
  RunState State;
  if (!Options.Checkpoint.empty() && llvm::sys::fs::exists(Options.Checkpoint)) {
    llvm::Expected<RunState> Loaded = Optimizing->load(Options.Checkpoint, Identity, state());
    if (!Loaded)
      return Loaded.takeError();
    State = *Loaded;
  }
  Result.ResumedAt = State.Step;
  LoaderOptions Loading;
  Loading.BatchSize = Options.BatchSize;
  Loading.Seed = Options.Seed;
  Loading.Threads = Options.LoaderThreads;
  Loading.Augment = Options.Augment;
  if (Options.Processes) {
    Loading.Rank = Options.Processes->rank();
    Loading.WorldSize = Options.Processes->size();
  }
  llvm::Expected<std::unique_ptr<BatchLoader>> Loader = BatchLoader::create(Images, Loading, State.Loader);
  if (!Loader)
    return Loader.takeError();

  std::deque<double> Losses;
  for (uint64_t Number = State.Step; Number < Options.Steps; ++Number) {
    llvm::Expected<Batch> Input = (*Loader)->next();
    if (!Input)
      return Input.takeError();
    llvm::Expected<double> Loss = step(*Input, Number);
    if (!Loss)
      return Loss.takeError();
    Losses.push_back(*Loss);
    if (Losses.size() > LossWindow)
      Losses.pop_front();
    uint64_t Done = Number + 1;
    bool IsLast = Done == Options.Steps;
    TrainingStep Told{Done, Options.Steps, *Loss, learningRate(Options, Number), sharpness(Options, Number), {}};
    if (Options.HeldOut && (IsLast || (Options.EvaluateEvery && Done % Options.EvaluateEvery == 0))) {
      swapAverage();
      llvm::Expected<double> Accuracy = measureAccuracy(Done);
      swapAverage();
      if (!Accuracy)
        return Accuracy.takeError();
      Result.Accuracy = Told.Accuracy = *Accuracy;
    }
    if (!Options.Checkpoint.empty() && !IsLast && Done % Options.CheckpointEvery == 0)
      if (llvm::Error E = checkpoint(Done, Input->Next))
        return E;
    if (Report)
      Report(Told);
  }
  Result.Loss = Losses.empty() ? 0 : std::accumulate(Losses.begin(), Losses.end(), 0.0) / Losses.size();
  swapAverage();
  llvm::Error E = guarded("cannot store the weights", [&] {
    if (const Polarizer *Gates = Student->polarizer())
      Result.Gates = Gates->result();
    return Student->store();
  });
  if (E)
    return E;
  return Result;
}

} // namespace

llvm::Expected<TrainingResult> deepshare::trainModel(Model &M, const Model *Teacher, const ImageSet &Images,
                                                     const TrainingOptions &Options,
                                                     const std::function<void(const TrainingStep &)> &Report) {
  if (llvm::Error E = checkTraining(M, Teacher, Images, Options))
    return E;
  llvm::Expected<at::Device> Device = openDevice(Options.Device);
  if (!Device)
    return Device.takeError();
  Trainer Run(M, Images, Options, *Device);
  if (llvm::Error E = Run.prepare(Teacher))
    return E;
  return Run.train(Report);
}
