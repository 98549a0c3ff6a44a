//===- TrainingTest.cpp - gradient training of a model --------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Tune/Training.h"

#include "deepshare/Data/Random.h"
#include "deepshare/IR/ShareOps.h"
#include "deepshare/ONNX/ONNX.h"
#include "deepshare/Tune/Transfer.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

using namespace deepshare;
using testing::HasSubstr;

namespace {

/// Points of the square [-1,1]^2; class 1 where both coordinates have the same sign.
class Quadrants final : public ImageSet {
public:
  explicit Quadrants(uint64_t Count, bool WithLabels = true) : WithLabels(WithLabels) {
    Random Numbers({Count, 42});
    for (uint64_t Index = 0; Index < 2 * Count; ++Index)
      Points.push_back(static_cast<float>(2 * Numbers.uniform() - 1));
  }
  uint64_t size() const override { return Points.size() / 2; }
  llvm::ArrayRef<int64_t> shape() const override { return Shape; }
  bool hasLabels() const override { return WithLabels; }
  int64_t label(uint64_t Index) const override { return (Points[2 * Index] > 0) == (Points[2 * Index + 1] > 0); }
  llvm::Error batch(llvm::ArrayRef<uint64_t> Indices, llvm::MutableArrayRef<float> Into) const override {
    for (size_t At = 0; At < Indices.size(); ++At)
      for (size_t Axis = 0; Axis < 2; ++Axis)
        Into[2 * At + Axis] = Points[2 * Indices[At] + Axis];
    return llvm::Error::success();
  }

private:
  std::vector<float> Points;
  std::vector<int64_t> Shape = {2};
  bool WithLabels;
};

constexpr llvm::StringLiteral Architecture = R"(
<ir_version: 10, opset_import: ["" : 17]>
quadrants (float[N,2] x, float[16,2] w1, float[16] b1, float[2,16] w2, float[2] b2) => (float[N,2] logits) {
  hidden = Gemm <transB = 1> (x, w1, b1)
  gated = Relu (hidden)
  logits = Gemm <transB = 1> (gated, w2, b2)
})";

std::unique_ptr<Model> parse(llvm::StringRef Text) {
  llvm::Expected<std::unique_ptr<Model>> Result = parseModelText(Text, "test");
  EXPECT_TRUE(bool(Result)) << llvm::toString(Result.takeError());
  return std::move(*Result);
}

std::unique_ptr<Model> initialized(llvm::StringRef Text, uint64_t Seed = 1) {
  std::unique_ptr<Model> M = parse(Text);
  llvm::Error E = initializeRandomly(*M, Seed);
  EXPECT_FALSE(bool(E)) << llvm::toString(std::move(E));
  return M;
}

std::map<std::string, std::vector<float>> weights(const Model &M) {
  std::map<std::string, std::vector<float>> Result;
  for (const Value *V : M.graph().initializers())
    if (V->initializer()->elementType() == ElementType::Float32)
      Result[V->name().str()] = V->initializer()->toVector<float>();
  return Result;
}

TrainingOptions fromLabels(uint64_t Steps = 300) {
  TrainingOptions Options;
  Options.Steps = Steps;
  Options.BatchSize = 64;
  Options.Optimizer = OptimizerKind::Sgd;
  Options.LearningRate = 0.1;
  Options.LabelWeight = 1;
  return Options;
}

TrainingResult train(Model &M, const Model *Teacher, const ImageSet &Images, const TrainingOptions &Options) {
  llvm::Expected<TrainingResult> Result = trainModel(M, Teacher, Images, Options);
  EXPECT_TRUE(bool(Result)) << llvm::toString(Result.takeError());
  return Result ? *Result : TrainingResult();
}

std::string errorOf(Model &M, const Model *Teacher, const ImageSet &Images, const TrainingOptions &Options) {
  llvm::Expected<TrainingResult> Result = trainModel(M, Teacher, Images, Options);
  return Result ? "" : llvm::toString(Result.takeError());
}

/// \p M with its Relu replaced: channels 2i+1 use the gate of channel 2i, with slopes that are free.
std::unique_ptr<Model> shared(const Model &M) {
  std::unique_ptr<Model> Result = M.clone();
  for (Node &N : Result->graph()) {
    if (!N.is("Relu"))
      continue;
    Value *X = N.input(0);
    auto Before = Graph::iteratorTo(&N);
    Value *Evens = Result->graph().addInitializer("evens", Tensor::of<int64_t>({8}, {0, 2, 4, 6, 8, 10, 12, 14}));
    Value *Prototypes = Result->graph().insert(Before, "Gather", {X, Evens}, "prototypes");
    Prototypes->producer()->setAttribute("axis", int64_t(1));
    Value *Mask = insertDReLU(Before, Prototypes, 1, "mask");
    std::vector<int64_t> Index;
    std::vector<float> On, Off;
    for (int64_t Channel = 0; Channel < 16; ++Channel) {
      Index.push_back(Channel / 2);
      On.push_back(Channel % 2 ? 0.5f : 1.0f);
      Off.push_back(Channel % 2 ? 0.25f : 0.0f);
    }
    Value *Y = insertDReLUShare(Before, X, {Mask}, Index, On, Off, "gated_shared");
    N.output()->replaceAllUsesWith(Y);
    Result->graph().erase(&N);
    break;
  }
  return Result;
}

const Node *shareNode(const Model &M) {
  for (const Node &N : M.graph())
    if (isDReLUShare(N))
      return &N;
  return nullptr;
}

TEST(Initialize, TurnsInputsIntoInitialisers) {
  std::unique_ptr<Model> M = initialized(Architecture);
  EXPECT_EQ(M->graph().inputs().size(), 1u);
  EXPECT_EQ(M->graph().initializers().size(), 4u);
  auto Weights = weights(*M);
  EXPECT_EQ(Weights["b1"], std::vector<float>(16, 0.0f));
  EXPECT_EQ(weights(*initialized(Architecture)), Weights);
  EXPECT_NE(weights(*initialized(Architecture, 2)), Weights);
  llvm::Error Invalid = checkModel(*M);
  EXPECT_FALSE(bool(Invalid)) << llvm::toString(std::move(Invalid));
}

TEST(Initialize, WeightsHaveVarianceTwoOverFanIn) {
  std::unique_ptr<Model> M = initialized(R"(<ir_version: 8, opset_import: ["" : 17]>
g (float[N,8,9,9] x, float[64,8,3,3] w) => (float[N,64,7,7] y) { y = Conv(x, w) })");
  double Squares = 0;
  std::vector<float> Weights = weights(*M)["w"];
  for (float Weight : Weights)
    Squares += Weight * Weight;
  EXPECT_NEAR(Squares / Weights.size() * 72, 2.0, 0.2);
}

TEST(Initialize, Errors) {
  std::unique_ptr<Model> M =
      parse("<ir_version: 8, opset_import: [\"\" : 17]> g (float[N] x) => (float[N] y) { y = Relu(x) }");
  EXPECT_THAT(llvm::toString(initializeRandomly(*M, 0)), HasSubstr("no parameter"));
  M = parse("<ir_version: 8, opset_import: [\"\" : 17]> g (float[N,2] x, float[2,k] w) => (float[N,k] y) { y = "
            "MatMul(x, w) }");
  EXPECT_EQ(llvm::toString(initializeRandomly(*M, 0)), "parameter 'w' needs a fixed shape, got float[2,k]");
}

TEST(Transfer, GivesTheOriginalTheTunedWeights) {
  std::unique_ptr<Model> Source = initialized(Architecture, 2), Original = initialized(Architecture);
  std::unique_ptr<Model> Tuned = shared(*Source);
  llvm::cantFail(transferParameters(*Tuned, *Original));
  EXPECT_EQ(weights(*Original), weights(*Source));
  // A layer without a bias is given one.
  std::unique_ptr<Model> Bare = initialized(R"(<ir_version: 10, opset_import: ["" : 17]>
g (float[N,2] x, float[16,2] w1) => (float[N,16] hidden) { hidden = Gemm <transB = 1> (x, w1) })");
  llvm::cantFail(transferParameters(*Tuned, *Bare));
  EXPECT_EQ(weights(*Bare)["b1"], weights(*Source)["b1"]);
  std::unique_ptr<Model> Wide = initialized(R"(<ir_version: 10, opset_import: ["" : 17]>
g (float[N,3] x, float[16,3] w1) => (float[N,16] hidden) { hidden = Gemm <transB = 1> (x, w1) })");
  EXPECT_EQ(llvm::toString(transferParameters(*Tuned, *Wide)),
            "input 1 of 'hidden': expected float[16,2], got float[16,3]");
}

TEST(Training, LearnsFromLabels) {
  for (OptimizerKind Optimizer : {OptimizerKind::Sgd, OptimizerKind::AdamW}) {
    std::unique_ptr<Model> M = initialized(Architecture);
    Quadrants Images(2000), HeldOut(500);
    TrainingOptions Options = fromLabels();
    Options.Optimizer = Optimizer;
    if (Optimizer == OptimizerKind::AdamW)
      Options.LearningRate = 0.02;
    Options.HeldOut = &HeldOut;
    Options.WarmupSteps = 10;
    Options.ClipNorm = 5;
    TrainingResult Result = train(*M, nullptr, Images, Options);
    EXPECT_EQ(Result.Parameters, 32u + 16 + 32 + 2);
    ASSERT_TRUE(Result.Accuracy.has_value());
    EXPECT_GT(*Result.Accuracy, 0.95);
  }
}

/// Images of noise; a pixel's class is its sign, and one row has none.
class SignsOfPixels final : public ImageSet {
public:
  uint64_t size() const override { return 200; }
  llvm::ArrayRef<int64_t> shape() const override { return Shape; }
  bool hasLabels() const override { return true; }
  llvm::ArrayRef<int64_t> labelShape() const override { return llvm::ArrayRef(Shape).drop_front(); }
  int64_t label(uint64_t) const override { llvm_unreachable("every pixel has its own"); }
  void labels(uint64_t Index, std::vector<int64_t> &Into) const override {
    std::vector<float> Pixels(16);
    llvm::cantFail(batch({Index}, Pixels));
    for (size_t At = 0; At < 16; ++At)
      Into.push_back(At < 4 ? NoLabel : Pixels[At] > 0);
  }
  llvm::Error batch(llvm::ArrayRef<uint64_t> Indices, llvm::MutableArrayRef<float> Into) const override {
    for (size_t At = 0; At < Into.size(); ++At)
      Into[At] = static_cast<float>(2 * Random({Indices[At / 16], At % 16}).uniform() - 1);
    return llvm::Error::success();
  }

private:
  std::vector<int64_t> Shape = {1, 4, 4};
};

TEST(Training, LearnsFromLabelsOfPixels) {
  std::unique_ptr<Model> M = initialized(R"(<ir_version: 10, opset_import: ["" : 17]>
g (float[N,1,4,4] x, float[2,1,1,1] w, float[2] b) => (float[N,2,4,4] y) { y = Conv (x, w, b) })");
  SignsOfPixels Images;
  TrainingOptions Options = fromLabels(200);
  Options.Augment.Flip = true;
  Options.Augment.CropPadding = 1;
  Options.HeldOut = &Images;
  EXPECT_GT(*train(*M, nullptr, Images, Options).Accuracy, 0.95);
  // A model with one prediction an image cannot learn them.
  std::unique_ptr<Model> Whole = initialized(R"(<ir_version: 10, opset_import: ["" : 17]>
g (float[N,1,4,4] x, float[16,2] w) => (float[N,2] y) { f = Flatten (x)  y = MatMul (f, w) })");
  EXPECT_THAT(errorOf(*Whole, nullptr, Images, Options),
              HasSubstr("the output [64, 2] has 64 predictions, but the images have 1024 labels"));
}

TEST(Training, ReportsEachStep) {
  std::unique_ptr<Model> M = initialized(Architecture);
  Quadrants Images(200), HeldOut(50);
  TrainingOptions Options = fromLabels(10);
  Options.HeldOut = &HeldOut;
  Options.EvaluateEvery = 4;
  Options.WarmupSteps = 2;
  std::vector<TrainingStep> Steps;
  auto Result = trainModel(*M, nullptr, Images, Options, [&](const TrainingStep &Step) { Steps.push_back(Step); });
  ASSERT_TRUE(bool(Result));
  ASSERT_EQ(Steps.size(), 10u);
  EXPECT_DOUBLE_EQ(Steps[0].LearningRate, 0.05);
  EXPECT_DOUBLE_EQ(Steps[1].LearningRate, 0.1);
  EXPECT_DOUBLE_EQ(Steps[2].LearningRate, 0.1);
  EXPECT_LT(Steps[9].LearningRate, 0.01);
  EXPECT_DOUBLE_EQ(Steps[0].Sharpness, Options.FirstSharpness);
  EXPECT_GT(Steps[6].Sharpness, Steps[5].Sharpness);
  EXPECT_EQ(Steps[7].Sharpness, 0);
  for (const TrainingStep &Step : Steps)
    EXPECT_EQ(Step.Accuracy.has_value(), Step.Step == 4 || Step.Step == 8 || Step.Step == 10);
}

TEST(Training, SharedGatesFollowTheTeacherWithoutLabels) {
  std::unique_ptr<Model> Teacher = initialized(Architecture);
  Quadrants Labelled(2000), Images(2000, /*WithLabels=*/false), HeldOut(1000, /*WithLabels=*/false);
  train(*Teacher, nullptr, Labelled, fromLabels());
  std::unique_ptr<Model> Student = shared(*Teacher);
  TrainingOptions Options;
  Options.Steps = 400;
  Options.BatchSize = 64;
  Options.Optimizer = OptimizerKind::Sgd;
  Options.LearningRate = 0.05;
  Options.ActivationWeight = 0.1;
  Options.EmaDecay = 0.9;
  Options.HeldOut = &HeldOut;
  Options.EvaluateEvery = 1;
  std::vector<double> Accuracies;
  auto Result = trainModel(*Student, Teacher.get(), Images, Options,
                           [&](const TrainingStep &Step) { Accuracies.push_back(*Step.Accuracy); });
  ASSERT_TRUE(bool(Result)) << llvm::toString(Result.takeError());
  EXPECT_EQ(Result->MatchedGates, 1u);
  EXPECT_EQ(Result->Parameters, 32u + 16 + 32 + 2 + 16);
  EXPECT_GT(*Result->Accuracy, 0.95);
  EXPECT_GT(*Result->Accuracy, Accuracies.front());
  // Free slopes moved, the others did not.
  const Node &Share = *shareNode(*Student);
  const auto &On = *Share.attributeAs<std::vector<float>>("on");
  const auto &Off = *Share.attributeAs<std::vector<float>>("off");
  for (unsigned Channel = 0; Channel < 16; ++Channel) {
    EXPECT_EQ(On[Channel] == (Channel % 2 ? 0.5f : 1.0f), Channel % 2 == 0) << Channel;
    EXPECT_EQ(Off[Channel] == (Channel % 2 ? 0.25f : 0.0f), Channel % 2 == 0) << Channel;
  }
}

/// A mask may go to any operator: where it cannot be smooth, that operator gets its bits.
TEST(Training, MasksOfOtherOperatorsAreBits) {
  std::unique_ptr<Model> M = initialized(Architecture);
  Graph &G = M->graph();
  Node *Gate = llvm::find_if(G, [](const Node &N) { return N.is("Relu"); })->output()->producer();
  auto Before = Graph::iteratorTo(Gate);
  Value *X = Gate->input(0);
  Value *Closed = G.insert(Before, "Not", {insertDReLU(Before, X, 1, "open")}, "closed");
  Value *Zero = G.addInitializer("zero", Tensor::of<float>({}, {0}));
  Value *Y = G.insert(Before, "Where", {Closed, Zero, X}, "chosen");
  Gate->output()->replaceAllUsesWith(Y);
  G.erase(Gate);
  Quadrants Images(2000);
  TrainingOptions Options = fromLabels();
  Options.HeldOut = &Images;
  EXPECT_GT(*train(*M, nullptr, Images, Options).Accuracy, 0.95);
}

TEST(Training, SlopesAlone) {
  std::unique_ptr<Model> Teacher = initialized(Architecture), Student = shared(*Teacher);
  Quadrants Images(500);
  TrainingOptions Options;
  Options.Steps = 20;
  Options.BatchSize = 50;
  Options.Train = TrainedPart::Slopes;
  auto Before = weights(*Teacher);
  EXPECT_EQ(train(*Student, Teacher.get(), Images, Options).Parameters, 16u);
  auto After = weights(*Student);
  EXPECT_EQ(After, Before);
  EXPECT_EQ(errorOf(*Teacher, Teacher.get(), Images, Options), "the model has no free slopes to train");
}

constexpr llvm::StringLiteral Normalised = R"(
<ir_version: 10, opset_import: ["" : 17]>
g (float[N,2] x, float[2,8] w1, float[8] s, float[8] b, float[8] mean, float[8] var, float[8,2] w2)
    => (float[N,2] probabilities) {
  hidden = MatMul (x, w1)
  normal = BatchNormalization <momentum = 0.8> (hidden, s, b, mean, var)
  gated = Relu (normal)
  logits = MatMul (gated, w2)
  probabilities = Softmax <axis = 1> (logits)
})";

TEST(Training, BatchNormalizationLearnsItsStatistics) {
  std::unique_ptr<Model> M = initialized(Normalised);
  Quadrants Images(2000), HeldOut(500);
  TrainingOptions Options = fromLabels();
  Options.HeldOut = &HeldOut;
  EXPECT_GT(*train(*M, nullptr, Images, Options).Accuracy, 0.95);
  auto Weights = weights(*M);
  EXPECT_NE(Weights["mean"], std::vector<float>(8, 0.0f));
  EXPECT_NE(Weights["var"], std::vector<float>(8, 1.0f));
}

/// A training that is stopped as by a kill: it reports an interruption by leaving its checkpoint behind.
class Interrupted : public testing::TestWithParam<OptimizerKind> {};

TEST_P(Interrupted, GoesOnToTheSameWeights) {
  Quadrants Images(300), Short(300);
  TrainingOptions Options = fromLabels(40);
  Options.Optimizer = GetParam();
  Options.EmaDecay = 0.8;
  Options.BatchSize = 32;
  Options.Augment.MixupAlpha = 0.2;
  std::unique_ptr<Model> Whole = initialized(Normalised);
  train(*Whole, nullptr, Images, Options);

  llvm::SmallString<128> Folder;
  ASSERT_FALSE(llvm::sys::fs::createUniqueDirectory("deepshare-tune", Folder));
  std::string Kept = (Folder + "/kept").str();
  Options.Checkpoint = (Folder + "/checkpoint").str();
  Options.CheckpointEvery = 7;
  std::unique_ptr<Model> First = initialized(Normalised);
  // The checkpoint of step 14 is what a kill after step 16 would leave.
  auto Ran = trainModel(*First, nullptr, Images, Options, [&](const TrainingStep &Step) {
    if (Step.Step == 16)
      llvm::sys::fs::copy_file(Options.Checkpoint, Kept);
  });
  ASSERT_TRUE(bool(Ran)) << llvm::toString(Ran.takeError());
  EXPECT_EQ(weights(*First), weights(*Whole)); // checkpoints change nothing

  llvm::sys::fs::rename(Kept, Options.Checkpoint);
  std::unique_ptr<Model> Second = initialized(Normalised);
  TrainingResult Resumed = train(*Second, nullptr, Images, Options);
  EXPECT_EQ(Resumed.ResumedAt, 14u);
  EXPECT_EQ(weights(*Second), weights(*Whole));

  Options.LearningRate = 0.2;
  EXPECT_THAT(errorOf(*Second, nullptr, Images, Options),
              HasSubstr("is the checkpoint of a training with another model, other options;"));
  std::error_code Code;
  {
    llvm::raw_fd_ostream Damaged(Options.Checkpoint, Code);
    Damaged << "PK damaged";
  }
  EXPECT_THAT(errorOf(*Second, nullptr, Images, Options), HasSubstr("checkpoint " + Options.Checkpoint));
  llvm::sys::fs::remove_directories(Folder);
}

/// Noise on gates is part of a training's options: drawn anew in each step, and the same after an interruption.
TEST(Training, GateNoiseIsRepeatable) {
  std::unique_ptr<Model> Teacher = initialized(Architecture);
  Quadrants Images(300);
  TrainingOptions Options;
  Options.Steps = 20;
  Options.BatchSize = 50;
  Options.GateNoise = 2;
  auto Trained = [&] {
    std::unique_ptr<Model> Student = shared(*Teacher);
    TrainingResult Result = train(*Student, Teacher.get(), Images, Options);
    return std::pair(weights(*Student), Result);
  };
  auto [Noisy, Result] = Trained();
  EXPECT_EQ(Trained().first, Noisy);
  Options.Seed = 1;
  EXPECT_NE(Trained().first, Noisy);
  Options.Seed = 0;
  Options.GateNoise = 0;
  EXPECT_NE(Trained().first, Noisy);

  Options.GateNoise = 2;
  llvm::SmallString<128> Folder;
  ASSERT_FALSE(llvm::sys::fs::createUniqueDirectory("deepshare-tune", Folder));
  Options.Checkpoint = (Folder + "/checkpoint").str();
  Options.CheckpointEvery = 7;
  EXPECT_EQ(Trained().first, Noisy);
  // The checkpoint of step 14 is still there.
  auto [Resumed, Rest] = Trained();
  EXPECT_EQ(Rest.ResumedAt, 14u);
  EXPECT_EQ(Resumed, Noisy);
  Options.GateNoise = 3;
  std::unique_ptr<Model> Student = shared(*Teacher);
  EXPECT_THAT(errorOf(*Student, Teacher.get(), Images, Options), HasSubstr("other options"));
  Options.GateNoise = -1;
  EXPECT_EQ(errorOf(*Student, Teacher.get(), Images, Options),
            "expected a number of bits of gate noise from 0 to 62, got -1");
  llvm::sys::fs::remove_directories(Folder);
}

TEST(Training, RefusesTheCheckpointOfAnotherTraining) {
  Quadrants Images(300), OtherImages(301);
  TrainingOptions Options = fromLabels(10);
  llvm::SmallString<128> Folder;
  ASSERT_FALSE(llvm::sys::fs::createUniqueDirectory("deepshare-tune", Folder));
  Options.Checkpoint = (Folder + "/checkpoint").str();
  Options.CheckpointEvery = 5;
  std::unique_ptr<Model> M = initialized(Architecture), Teacher = initialized(Architecture, 2),
                         OtherTeacher = initialized(Architecture, 3);
  train(*M, Teacher.get(), Images, Options);

  auto Resume = [&](const Model *WithTeacher, const ImageSet &With, uint64_t Seed = 1) {
    std::unique_ptr<Model> Fresh = initialized(Architecture, Seed);
    return errorOf(*Fresh, WithTeacher, With, Options);
  };
  EXPECT_EQ(Resume(Teacher.get(), Images), "");
  EXPECT_THAT(Resume(OtherTeacher.get(), Images), HasSubstr("of a training with another teacher; remove it"));
  EXPECT_THAT(Resume(nullptr, Images), HasSubstr("of a training with another teacher; remove it"));
  EXPECT_THAT(Resume(Teacher.get(), OtherImages), HasSubstr("of a training with other images; remove it"));
  EXPECT_THAT(Resume(Teacher.get(), Images, 2), HasSubstr("of a training with another model; remove it"));
  Options.Augment.MixupAlpha = 1;
  EXPECT_THAT(Resume(OtherTeacher.get(), Images), HasSubstr("with another teacher, other options; remove it"));
  llvm::sys::fs::remove_directories(Folder);
}

INSTANTIATE_TEST_SUITE_P(Optimizers, Interrupted, testing::Values(OptimizerKind::Sgd, OptimizerKind::AdamW));

TEST(Training, StopsWhenTheLossIsNotFinite) {
  std::unique_ptr<Model> M = initialized(Architecture);
  auto Before = weights(*M);
  Quadrants Images(300);
  TrainingOptions Options = fromLabels(100);
  Options.LearningRate = 1e18;
  EXPECT_THAT(errorOf(*M, nullptr, Images, Options), HasSubstr("lower the learning rate (1e+18)"));
  EXPECT_EQ(weights(*M), Before);
}

TEST(Training, Errors) {
  std::unique_ptr<Model> M = initialized(Architecture);
  Quadrants Images(300), NoLabels(300, false);
  TrainingOptions Options;
  EXPECT_THAT(errorOf(*M, nullptr, Images, Options), HasSubstr("nothing to train for"));
  Options.LabelWeight = 1;
  EXPECT_THAT(errorOf(*M, nullptr, NoLabels, Options), HasSubstr("needs images with labels"));
  Options.Momentum = 1.5;
  EXPECT_EQ(errorOf(*M, nullptr, Images, Options), "expected a momentum from 0 to 0.9999, got 1.5");
  Options.Momentum = 0.9;
  Options.LearningRate = -1;
  EXPECT_EQ(errorOf(*M, nullptr, Images, Options), "expected a learning rate from 0 to inf, got -1");
  Options.LearningRate = 0.1;
  Options.WarmupSteps = 400;
  EXPECT_EQ(errorOf(*M, nullptr, Images, Options), "300 steps with 400 for warm-up leave nothing to train");
  Options.WarmupSteps = 0;
  Options.BatchSize = 0;
  EXPECT_EQ(errorOf(*M, nullptr, Images, Options), "expected a batch of 1 image or more, got 0");
  Options.BatchSize = 128;
  Options.Device = "tpu";
  EXPECT_EQ(errorOf(*M, nullptr, Images, Options), "device 'tpu': expected cpu, cuda, or cuda:n for GPU number n");
  Options.Device = "cuda:4095";
  EXPECT_THAT(errorOf(*M, nullptr, Images, Options), HasSubstr("device 'cuda:4095': "));
  Options.Device = "cpu";
  Options.Steps = 0;
  EXPECT_THAT(errorOf(*M, nullptr, Images, Options), HasSubstr("leave nothing to train"));
  Options.Steps = 10;
  Options.BatchSize = 1000;
  EXPECT_THAT(errorOf(*M, nullptr, Images, Options), HasSubstr("do not fill a batch"));
  Options.BatchSize = 10;
  std::unique_ptr<Model> One = initialized(R"(<ir_version: 8, opset_import: ["" : 17]>
g (float[N,2] x, float[2,1] w) => (float[N,1] y) { y = MatMul(x, w) })");
  EXPECT_THAT(errorOf(*One, nullptr, Images, Options), HasSubstr("but the model has outputs for 1 classes"));
  std::unique_ptr<Model> Wide = initialized(R"(<ir_version: 8, opset_import: ["" : 17]>
g (float[N,3] x, float[3,2] w) => (float[N,2] y) { y = MatMul(x, w) })");
  EXPECT_THAT(errorOf(*Wide, nullptr, Images, Options),
              HasSubstr("the model's input 'x' is float[N,3], but the images are float[2]"));
  std::unique_ptr<Model> Single = initialized(R"(<ir_version: 8, opset_import: ["" : 17]>
g (float[1,2] x, float[2,2] w) => (float[1,2] y) { y = MatMul(x, w) })");
  EXPECT_THAT(errorOf(*Single, nullptr, Images, Options),
              HasSubstr("the model's input 'x' takes 1 images at a time, but batches have 10"));
  Quadrants None(0);
  Options.HeldOut = &None;
  EXPECT_EQ(errorOf(*M, nullptr, Images, Options), "there is no held-out image");
}

} // namespace
