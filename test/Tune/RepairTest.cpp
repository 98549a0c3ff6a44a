//===- RepairTest.cpp - closed-form repair of a rewritten model -----------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Tune/Repair.h"

#include "deepshare/Analysis/CostSteps.h"
#include "deepshare/Cost/CostReport.h"
#include "deepshare/Data/Random.h"
#include "deepshare/Exec/Exec.h"
#include "deepshare/ONNX/ONNX.h"
#include "deepshare/passes/Pass.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <iterator>
#include <numeric>

using namespace deepshare;
using testing::HasSubstr;

namespace {

/// Images of two channels of noise.
class Noise final : public ImageSet {
public:
  Noise(uint64_t Count, uint64_t Seed) : Count(Count), Seed(Seed) {}
  uint64_t size() const override { return Count; }
  llvm::ArrayRef<int64_t> shape() const override { return Shape; }
  bool hasLabels() const override { return false; }
  int64_t label(uint64_t) const override { return 0; }
  llvm::Error batch(llvm::ArrayRef<uint64_t> Indices, llvm::MutableArrayRef<float> Into) const override {
    constexpr size_t Size = 2 * 6 * 6;
    for (size_t At = 0; At < Indices.size(); ++At) {
      Random Numbers({Seed, Indices[At]});
      for (size_t I = 0; I < Size; ++I)
        Into[At * Size + I] = static_cast<float>(2 * Numbers.uniform() - 1);
    }
    return llvm::Error::success();
  }

private:
  uint64_t Count, Seed;
  std::vector<int64_t> Shape = {2, 6, 6};
};

constexpr llvm::StringLiteral Architecture = R"(
<ir_version: 10, opset_import: ["" : 17]>
net (float[N,2,6,6] x, float[4,2,3,3] w1, float[4,4,3,3] w2, float[4,4,3,3] w3, float[5,144] w4) => (float[N,5] logits) {
  c1 = Conv <pads = [1,1,1,1]> (x, w1)
  r1 = Relu (c1)
  c2 = Conv <pads = [1,1,1,1]> (r1, w2)
  r2 = Relu (c2)
  c3 = Conv <pads = [1,1,1,1]> (r2, w3)
  sum = Add (c3, r1)
  r3 = Relu (sum)
  flat = Flatten (r3)
  logits = Gemm <transB = 1> (flat, w4)
})";

/// A model whose inputs after the first become random weights.
std::unique_ptr<Model> withWeights(llvm::StringRef Text) {
  std::unique_ptr<Model> M = llvm::cantFail(parseModelText(Text, "test"));
  Random Numbers({7, 7});
  for (Value *Input : M->graph().inputs().drop_front().vec()) {
    std::vector<int64_t> Dims;
    for (const Dim &D : *Input->type()->Dims)
      Dims.push_back(D.size());
    std::vector<float> Values(*numElements(Dims));
    for (float &Weight : Values)
      Weight = static_cast<float>(Numbers.uniform() - 0.5);
    M->graph().setDefault(Input, Tensor::of<float>(Dims, Values));
  }
  return M;
}

Node &producerOf(Model &M, llvm::StringRef Output) {
  for (Node &N : M.graph())
    if (N.output()->name() == Output)
      return N;
  llvm_unreachable("no such layer");
}

class RepairTest : public testing::Test {
protected:
  void SetUp() override {
    Original = withWeights(Architecture);
    Rewritten = Original->clone();
  }

  /// Rewrites by a plan in which channel \p Replicate of r1 uses the gate of channel 0.
  void share(unsigned Replicate, float On, float Off) {
    PassContext Context;
    SitePlan Site{"r1", {}, {6, 6}};
    for (unsigned C = 0; C < 4; ++C)
      Site.Channels.push_back({GateSource{0, C, 1}, 1, 0});
    Site.Channels[Replicate] = {GateSource{0, 0, 1}, On, Off};
    Context.Plan.emplace();
    Context.Plan->Sites = {Site};
    llvm::cantFail(llvm::cantFail(Pipeline::parse("infer-shapes,share-gates")).run(*Rewritten, Context));
  }

  RepairResult repair() {
    RepairOptions Options;
    Options.Images = 512;
    Options.Measured = 0.25;
    return llvm::cantFail(repairModel(*Rewritten, *Original, Noise(512, 1), Options));
  }

  /// Mean squared difference of the two models' outputs on images that repair has not seen.
  double error() const {
    c10::InferenceMode Guard;
    at::Tensor Images = at::empty({256, 2, 6, 6});
    std::vector<uint64_t> Indices(256);
    std::iota(Indices.begin(), Indices.end(), 0);
    llvm::cantFail(Noise(256, 2).batch(Indices, {Images.data_ptr<float>(), static_cast<size_t>(Images.numel())}));
    auto Run = [&](const Model &M) { return llvm::cantFail(llvm::cantFail(Executor::create(M))->run({Images}))[0]; };
    return (Run(*Original) - Run(*Rewritten)).square().mean().item<double>();
  }

  static const Tensor &weightsOf(Model &M, llvm::StringRef Output) {
    return *producerOf(M, Output).input(1)->initializer();
  }

  /// Spoils the weights of \p Layer, behind a second gate of the same channels, which changes nothing but the graph:
  /// the layer sees the original's inputs, and least squares recovers its weights.
  void spoil(llvm::StringRef Gate, llvm::StringRef Layer) {
    Value *Gated = producerOf(*Rewritten, Gate).output();
    Value *Twice = Rewritten->graph().insert(std::next(Gated->producer()->getIterator()), "Relu", {Gated}, "twice");
    Gated->replaceUsesIf(Twice, [&](const Use &U) { return U.User != Twice->producer(); });
    const Tensor &Right = weightsOf(*Original, Layer);
    std::vector<float> Wrong = Right.toVector<float>();
    for (float &Weight : Wrong)
      Weight *= 1.5f;
    producerOf(*Rewritten, Layer).input(1)->setInitializer(Tensor::of<float>(Right.dims(), Wrong));
  }

  std::unique_ptr<Model> Original, Rewritten;
};

TEST_F(RepairTest, LowersTheErrorOfSharing) {
  share(1, 0.5f, 0.25f);
  double Before = error();
  RepairResult Result = repair();
  EXPECT_LT(error(), 0.5 * Before);
  ASSERT_FALSE(Result.Layers.empty());
  for (const RepairedLayer &Layer : Result.Layers)
    EXPECT_LE(Layer.ErrorAfter, Layer.ErrorBefore) << Layer.Name;
}

/// What is left is a divergence of softmaxes: 0 for the same model, more for a worse plan.
TEST_F(RepairTest, SaysHowFarTheOutputsAreFromTheOriginals) {
  EXPECT_EQ(repair().Divergence, 0);
  share(1, 0.5f, 0.5f);
  double Linear = repair().Divergence.value();
  EXPECT_GT(Linear, 0);
  Rewritten = Original->clone();
  share(1, 1, 0.9f);
  double Worse = repair().Divergence.value();
  EXPECT_NE(Worse, Linear);
  EXPECT_LT(std::max(Worse, Linear), std::log(5));
}

TEST_F(RepairTest, LeavesWhatNoChangedGateReaches) {
  share(1, 0.5f, 0.25f);
  repair();
  EXPECT_EQ(weightsOf(*Rewritten, "c1"), weightsOf(*Original, "c1"));
  EXPECT_FALSE(weightsOf(*Rewritten, "c2") == weightsOf(*Original, "c2"));
}

TEST_F(RepairTest, LeavesAModelWithoutSharingAsItIs) {
  EXPECT_TRUE(repair().Layers.empty());
  EXPECT_EQ(error(), 0);
}

TEST_F(RepairTest, FindsTheWeightsThatGiveTheOriginal) {
  share(0, 1, 0);
  spoil("r1", "c2");
  EXPECT_GT(error(), 1e-3);
  repair();
  EXPECT_LT(error(), 1e-6);
}

class RepairedConvolution : public RepairTest, public testing::WithParamInterface<const char *> {
protected:
  void SetUp() override {
    Original =
        withWeights(std::string(R"(<ir_version: 10, opset_import: ["" : 17]> net (float[N,2,6,6] x, )") + GetParam());
    Rewritten = Original->clone();
  }
};

TEST_P(RepairedConvolution, GetsItsWeightsBack) {
  spoil("r", "y");
  EXPECT_GT(error(), 1e-3);
  repair();
  EXPECT_LT(error(), 1e-6);
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, RepairedConvolution,
    testing::Values(
        R"(float[4,1,3,2] w, float[4] b) => (float[N,A,B,C] y) { r = Relu (x)
           y = Conv <group = 2, strides = [2, 1], dilations = [1, 2], pads = [1, 0, 0, 2]> (r, w, b) })",
        R"(float[3,2,3] w) => (float[N,A,B] y) { r = Relu (x)  s = Constant <value_ints = [0, 2, 36]> ()
           t = Reshape (r, s)  y = Conv <strides = [2], pads = [1, 2]> (t, w) })",
        R"(float[3,2,2,2,3] w, float[3] b) => (float[N,A,B,C,D] y) { r = Relu (x)
           s = Constant <value_ints = [0, 2, 3, 3, 4]> ()  t = Reshape (r, s)
           y = Conv <pads = [1, 0, 1, 0, 1, 1]> (t, w, b) })",
        R"(float[2,3,3,2] w, float[3] b) => (float[N,A,B,C] y) { r = Relu (x)
           y = ConvTranspose <strides = [2, 3], dilations = [2, 1], pads = [1, 0, 0, 1], output_padding = [1, 0]>
             (r, w, b) })",
        R"(float[2,3,3,3] w) => (float[N,A,B,C] y) { r = Relu (x)
           y = ConvTranspose <group = 2, strides = [2, 2], pads = [1, 1, 1, 1]> (r, w) })"));

TEST_F(RepairTest, LeavesLayersThatDoNotFitTheMemory) {
  share(1, 0.5f, 0.25f);
  RepairOptions Options;
  // Enough for two batches and for the convolutions' 37 inputs, not for the matrix's 145.
  Options.Memory = 600'000;
  Options.Batch = 8;
  RepairResult Result = llvm::cantFail(repairModel(*Rewritten, *Original, Noise(512, 1), Options));
  EXPECT_EQ(Result.TooLarge, 1u);
  EXPECT_EQ(weightsOf(*Rewritten, "logits"), weightsOf(*Original, "logits"));
}

/// Scales of r1 fit the layer before it (its output has two users), those of r2 and r3 the layers behind them. Channel
/// 3 of r2 has slopes of two sizes, which stay.
class ScaledGates : public RepairTest {
protected:
  void SetUp() override {
    RepairTest::SetUp();
    GateSource Gate{0, 0, 1}, Tiles{0, 1, 2};
    Context.Plan.emplace();
    Context.Plan->Sites = {
        {"r1", {{Gate, 1, 0}, {Gate, 0.75, -0.75}, {std::nullopt, -0.5, -0.5}, {Tiles, 0, 2}}, {6, 6}},
        {"r2", {{Gate, 1.5, 0}, {Gate, 0.25, 0.25}, {std::nullopt, 0, 0}, {Tiles, 1, 0.25}}, {6, 6}},
        {"r3", {{std::nullopt, 0.5, 0.5}, {std::nullopt, 2, 2}, {std::nullopt, 1, 1}, {std::nullopt, -1, -1}}, {6, 6}}};
    run("infer-shapes,share-gates");
  }

  void run(llvm::StringRef Passes) { llvm::cantFail(llvm::cantFail(Pipeline::parse(Passes)).run(*Rewritten, Context)); }

  std::vector<float> slopes(llvm::StringRef Gate, llvm::StringRef Attribute) {
    return *producerOf(*Rewritten, Gate).attributeAs<std::vector<float>>(Attribute);
  }

  uint64_t truncations(Model &M, const SharePlan *Plan) {
    std::vector<GateSite> Sites = llvm::cantFail(findGateSites(M));
    return makeCostReport(costSteps(M, Sites), Plan, CostModel()).After.Gates.Truncations;
  }

  PassContext Context;
};

TEST_F(ScaledGates, FoldingChangesNoOutput) {
  Original = Rewritten->clone();
  run("fold-scales");
  EXPECT_LT(error(), 1e-11);
  EXPECT_THAT(slopes("r1", "on"), testing::ElementsAre(1, 1, -1, 0));
  EXPECT_THAT(slopes("r1", "off"), testing::ElementsAre(0, -1, -1, 1));
  EXPECT_THAT(slopes("r2", "on"), testing::ElementsAre(1, 1, 0, 1));
  EXPECT_THAT(slopes("r2", "off"), testing::ElementsAre(0, 1, 0, 0.25));
  EXPECT_FALSE(weightsOf(*Rewritten, "c1") == weightsOf(*Original, "c1"));
}

TEST_F(ScaledGates, CostWhatThePlanSaysAlsoAfterRepair) {
  EXPECT_EQ(truncations(*Context.Original, &*Context.Plan), 36u);
  EXPECT_EQ(truncations(*Rewritten, nullptr), 36u * 8);
  double Before = error();
  repair();
  EXPECT_LT(error(), 0.5 * Before);
  // Repair moved the scales, and kept slopes of one size so.
  EXPECT_NE(slopes("r1", "on")[1], 0.75f);
  EXPECT_EQ(slopes("r1", "on")[1], -slopes("r1", "off")[1]);
  run("fold-scales");
  EXPECT_EQ(truncations(*Rewritten, nullptr), 36u);
}

TEST_F(RepairTest, TakesSmallBatchesOfFewImages) {
  share(1, 0.5f, 0.25f);
  double Before = error();
  RepairResult Result = llvm::cantFail(repairModel(*Rewritten, *Original, Noise(100, 1), {}));
  EXPECT_EQ(Result.Images, 96u);
  EXPECT_LT(error(), Before);
}

TEST_F(RepairTest, NeedsTwoImages) {
  share(1, 0.5f, 0.25f);
  llvm::Expected<RepairResult> Result = repairModel(*Rewritten, *Original, Noise(1, 1), {});
  ASSERT_FALSE(static_cast<bool>(Result));
  EXPECT_THAT(llvm::toString(Result.takeError()), HasSubstr("at least 2 images (two batches), got 1"));
}

} // namespace
