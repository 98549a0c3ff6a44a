//===- GateSitesTest.cpp - every secure comparison is found and counted ---===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Analysis/CostSteps.h"
#include "deepshare/Analysis/GateSite.h"
#include "deepshare/Analysis/UnpricedOperators.h"
#include "deepshare/IR/ShareOps.h"
#include "deepshare/ONNX/ONNX.h"

#include "llvm/Support/FileSystem.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace deepshare;
using llvm::Expected;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

std::unique_ptr<Model> parse(const std::string &Body, const std::string &Input = "float[N,4,8,8] x",
                             const std::string &Functions = "") {
  std::string Text = "<ir_version: 10, opset_import: [\"\" : 17, \"local\" : 1]>\nmain (" + Input +
                     ") => (float[] y) {\n" + Body + "\n}\n" + Functions;
  Expected<std::unique_ptr<Model>> M = parseModelText(Text, "test.onnxtxt");
  if (!M) {
    ADD_FAILURE() << llvm::toString(M.takeError()) << Text;
    return nullptr;
  }
  if (llvm::Error Failed = inferShapes(**M))
    ADD_FAILURE() << llvm::toString(std::move(Failed));
  return std::move(*M);
}

std::vector<GateSite> sitesOf(Model &M) {
  Expected<std::vector<GateSite>> Sites = findGateSites(M);
  if (!Sites) {
    ADD_FAILURE() << llvm::toString(Sites.takeError());
    return {};
  }
  return std::move(*Sites);
}

/// "Kind name comparisons muxes depth; ..." of a graph.
std::string summary(const std::string &Body, const std::string &Input = "float[N,4,8,8] x") {
  std::unique_ptr<Model> M = parse(Body, Input);
  std::string Text;
  if (M)
    for (const GateSite &Site : sitesOf(*M))
      Text += (Text.empty() ? "" : "; ") + gateKindName(Site.Kind).str() + " " + Site.Name + " " +
              std::to_string(Site.DReLUs) + " " + std::to_string(Site.Muxes) + " " + std::to_string(Site.Depth);
  return Text;
}

/// The slopes of the only site.
std::pair<std::vector<float>, std::vector<float>> slopes(const std::string &Body) {
  std::unique_ptr<Model> M = parse(Body);
  std::vector<GateSite> Sites = M ? sitesOf(*M) : std::vector<GateSite>();
  EXPECT_EQ(Sites.size(), 1u) << Body;
  if (Sites.size() != 1)
    return {};
  EXPECT_EQ(Sites[0].Input->name(), "x");
  return {Sites[0].SlopeOn, Sites[0].SlopeOff};
}

TEST(GateSites, Relu) {
  std::unique_ptr<Model> M = parse("y = Relu(x)");
  std::vector<GateSite> Sites = sitesOf(*M);
  ASSERT_EQ(Sites.size(), 1u);
  const GateSite &Site = Sites[0];
  EXPECT_EQ(Site.Name, "y");
  EXPECT_EQ(Site.Kind, GateKind::Relu);
  EXPECT_EQ(Site.Gate, M->graph().outputs()[0]->producer());
  EXPECT_EQ(Site.ChannelAxis, 1u);
  EXPECT_EQ(Site.Channels, 4);
  EXPECT_THAT(Site.Spatial, ElementsAre(8, 8));
  EXPECT_EQ(Site.positions(), 64);
  EXPECT_EQ(Site.DReLUs, 256u);
  EXPECT_EQ(Site.Muxes, 256u);
  EXPECT_TRUE(Site.isShareable());
}

TEST(GateSites, EveryKindIsCounted) {
  EXPECT_EQ(summary("y = LeakyRelu(x)"), "LeakyRelu y 256 256 1");
  EXPECT_EQ(summary("y = PRelu(x, s)", "float[N,4,8,8] x, float[4,1,1] s"), "PRelu y 256 256 1");
  EXPECT_EQ(summary("y = Elu(x)"), "Elu y 256 256 1");
  EXPECT_EQ(summary("y = ThresholdedRelu(x)"), "ThresholdedRelu y 256 256 1");
  EXPECT_EQ(summary("y = Abs(x)"), "Abs y 256 256 1");
  EXPECT_EQ(summary("y = Sign(x)"), "Sign y 256 0 1");
  EXPECT_EQ(summary("y = HardSigmoid(x)"), "HardSigmoid y 512 512 1");
  EXPECT_EQ(summary("y = HardSwish(x)"), "HardSwish y 512 512 1");
  EXPECT_EQ(summary("y = MaxPool<kernel_shape = [3, 3], strides = [2, 2]>(x)"), "MaxPool y 288 288 4");
  EXPECT_EQ(summary("y = GlobalMaxPool(x)"), "GlobalMaxPool y 252 252 6");
  EXPECT_EQ(summary("y = ReduceMax<axes = [1]>(x)"), "Max y 192 192 2");
  EXPECT_EQ(summary("lo = Constant<value_float = 0.0>() hi = Constant<value_float = 6.0>() y = Clip(x, lo, hi)"),
            "Clip y 512 512 1");
  EXPECT_EQ(summary("hi = Constant<value_float = 6.0>() y = Clip(x, , hi)"), "Clip y 256 256 1");
  EXPECT_EQ(summary("y = Clip(x)"), "");
  EXPECT_EQ(summary("a = Neg(x) y = Max(x, a)"), "Max y 256 256 1");
  EXPECT_EQ(summary("a = Neg(x) b = Exp(x) zero = Constant<value_float = 0.0>() one = Constant<value_float = 1.0>()"
                    " y = Min(x, a, zero, b, one)"),
            "Min y 768 768 2");
}

TEST(GateSites, BitsAreFollowed) {
  const std::string Zero = "zero = Constant<value_float = 0.0>() ";
  // One Where that alone uses a comparison is one site.
  EXPECT_EQ(summary(Zero + "m = Greater(x, zero) y = Where(m, x, zero)"), "Where y 256 256 1");
  // A mask that is used twice is compared once.
  EXPECT_EQ(summary(Zero + "m = Greater(x, zero) a = Where(m, x, zero) b = Exp(x) c = Where(m, b, zero) y = Add(a, c)"),
            "Comparison m 256 0 1; Mux a 0 256 0; Mux c 0 256 0");
  // The lowered form: some channels are compared, all are chosen.
  EXPECT_EQ(summary(Zero + "two = Constant<value = int64[2] {0, 2}>() all = Constant<value = int64[4] {0, 1, 0, 1}>() "
                           "p = Gather<axis = 1>(x, two) m = Greater(p, zero) g = Gather<axis = 1>(m, all) "
                           "y = Where(g, x, zero)"),
            "Comparison m 128 0 1; Mux y 0 256 0");
  // Bits as numbers: the product is the mux; slopes chosen by a bit cost nothing until then.
  EXPECT_EQ(summary(Zero + "m = Less(zero, x) f = Cast<to = 1>(m) y = Mul(x, f)"),
            "Comparison m 256 0 1; Mux y 0 256 0");
  EXPECT_EQ(
      summary(Zero + "one = Constant<value_float = 1.0>() m = Less(zero, x) f = Where(m, one, zero) y = Mul(f, x)"),
      "Comparison m 256 0 1; Mux y 0 256 0");
  // A condition for all channels together is compared once.
  EXPECT_EQ(summary(Zero + "s = ReduceMean<axes = [1]>(x) m = Greater(s, zero) y = Where(m, x, zero)"),
            "Where y 64 256 1");
}

TEST(GateSites, PublicDataIsNotCounted) {
  EXPECT_EQ(summary("s = Shape(x) one = Constant<value = int64[1] {1}>() m = Equal(s, one) t = Where(m, s, s) "
                    "y = Expand(x, t)"),
            "");
  EXPECT_EQ(summary("a = Constant<value = float[2] {1, -1}>() b = Relu(a) c = ReduceMean(b) y = Mul(x, c)"), "");
}

TEST(GateSites, SlopesOfShareableForms) {
  using Pair = std::pair<std::vector<float>, std::vector<float>>;
  auto Same = [](float On, float Off) { return Pair(std::vector<float>(4, On), std::vector<float>(4, Off)); };
  const std::string Constants = "zero = Constant<value_float = 0.0>() k = Constant<value_float = 0.25>() ";
  EXPECT_EQ(slopes("y = Relu(x)"), Same(1, 0));
  EXPECT_EQ(slopes("y = LeakyRelu<alpha = 0.5>(x)"), Same(1, 0.5));
  EXPECT_EQ(slopes("y = Abs(x)"), Same(1, -1));
  EXPECT_EQ(slopes("s = Constant<value = float[4,1,1] {1, 2, 3, 4}>() y = PRelu(x, s)"),
            Pair(std::vector<float>(4, 1), {1, 2, 3, 4}));
  EXPECT_EQ(slopes("s = Constant<value = float[1] {0.25}>() y = PRelu(x, s)"), Same(1, 0.25));
  EXPECT_TRUE(slopes("s = Constant<value = float[8] {1,2,3,4,5,6,7,8}>() y = PRelu(x, s)").first.empty());
  EXPECT_EQ(slopes(Constants + "y = Max(zero, x)"), Same(1, 0));
  EXPECT_EQ(slopes(Constants + "y = Min(x, zero)"), Same(0, 1));
  EXPECT_TRUE(slopes(Constants + "y = Max(x, k)").first.empty());
  EXPECT_EQ(slopes(Constants + "y = Clip(x, zero)"), Same(1, 0));
  EXPECT_EQ(slopes(Constants + "m = Greater(x, zero) y = Where(m, x, zero)"), Same(1, 0));
  EXPECT_EQ(slopes(Constants + "m = Less(x, zero) s = Mul(k, x) y = Where(m, s, x)"), Same(1, 0.25));
  EXPECT_EQ(slopes(Constants + "m = GreaterOrEqual(zero, x) n = Neg(x) y = Where(m, x, n)"), Same(-1, 1));
  EXPECT_TRUE(slopes(Constants + "m = Greater(x, k) y = Where(m, x, zero)").first.empty());
}

TEST(GateSites, ChannelsAndBatch) {
  EXPECT_EQ(summary("y = Relu(x)", "float[N,10] x"), "Relu y 10 10 1");
  EXPECT_EQ(summary("y = Relu(x)", "float[8,4,2,2] x"), "Relu y 16 16 1"); // an image of a fixed batch
  std::unique_ptr<Model> M = parse("a = MatMul(x, w) y = Relu(a)", "float[N,6,5] x, float[5,7] w");
  std::vector<GateSite> Sites = sitesOf(*M);
  ASSERT_EQ(Sites.size(), 1u);
  EXPECT_EQ(Sites[0].ChannelAxis, 2u);
  EXPECT_EQ(Sites[0].Channels, 7);
  EXPECT_THAT(Sites[0].Spatial, ElementsAre(6));
  EXPECT_EQ(Sites[0].DReLUs, 42u);
}

TEST(GateSites, BatchesOfSeveralInputs) {
  // A mask without a batch, and a vector, say nothing of the batch; nor does a name that looks like a multiple.
  EXPECT_EQ(summary("y = Relu(x)", "float[3,8] m, float[N,4,8,8] x"), "Relu y 256 256 1");
  EXPECT_EQ(summary("y = Relu(x)", "float[3,8] m, float[2,4,8,8] x"), "Relu y 256 256 1");
  EXPECT_EQ(summary("y = Relu(x)", "float[2,4,8,8] x, float[8] m"), "Relu y 256 256 1");
  std::unique_ptr<Model> M = parse("y = Relu(x)", "float[\"2*N\",4,8,8] x");
  std::vector<GateSite> Sites = sitesOf(*M);
  ASSERT_EQ(Sites.size(), 1u);
  EXPECT_EQ(Sites[0].DReLUs, 256u);
  EXPECT_EQ(Sites[0].Obstacle, "");
  // Windows of a second input, which has its own batch.
  EXPECT_EQ(summary("s = Constant <value = int64[3] {-1, 4, 4}> ()\nw = Reshape (x2, s)\ny = Relu(w)",
                    "float[N,4,8,8] x, float[M,4,8,8] x2"),
            "Relu y 256 256 1");
}

TEST(GateSites, FunctionsAndSubgraphs) {
  std::unique_ptr<Model> M =
      parse("a = local.gate(x) y = local.gate(a)", "float[N,4,8,8] x",
            "<domain: \"local\", opset_import: [\"\" : 17]>\ngate (v) => (w) { t = Neg(v) w = Relu(t) }");
  std::vector<GateSite> Sites = sitesOf(*M);
  ASSERT_EQ(Sites.size(), 2u);
  EXPECT_EQ(Sites[0].Name, "a/w");
  EXPECT_EQ(Sites[1].Name, "y/w");
  EXPECT_EQ(Sites[0].DReLUs, 256u);
  EXPECT_FALSE(Sites[0].isShareable());
}

TEST(GateSites, RewrittenModelsCountThemselves) {
  std::unique_ptr<Model> M = parse("z = Neg(x) y = Identity(z)");
  Graph &G = M->graph();
  Node *Identity = G.outputs()[0]->producer();
  Value *X = Identity->input(0);
  Value *Plain = insertDReLU(Graph::iteratorTo(Identity), X, 1, "m");
  Value *Tiles = insertDReLU(Graph::iteratorTo(Identity), X, 2, "t");
  (void)Tiles;
  Value *Shared =
      insertDReLUShare(Graph::iteratorTo(Identity), X, {Plain}, {0, 1, -1, 0}, {1, 1, 0.5, 1}, {0, 0, 0.5, 0}, "s");
  Identity->setInput(0, Shared);
  std::string Text;
  for (const GateSite &Site : sitesOf(*M))
    Text += Site.Name + " " + std::to_string(Site.DReLUs) + " " + std::to_string(Site.Muxes) + "; ";
  EXPECT_EQ(Text, "m 256 0; t 64 0; s 0 192; ");
}

TEST(GateSites, UnknownShapesAreErrors) {
  Expected<std::unique_ptr<Model>> M =
      parseModelText("<ir_version: 10, opset_import: [\"\" : 17]>\nmain (float[N,C,8,8] x) => (float[N,C,8,8] y) "
                     "{ [gate] y = Relu(x) }",
                     "test.onnxtxt");
  ASSERT_TRUE(bool(M)) << llvm::toString(M.takeError());
  Expected<std::vector<GateSite>> Sites = findGateSites(**M);
  ASSERT_FALSE(bool(Sites));
  EXPECT_EQ(llvm::toString(Sites.takeError()), "node 'gate' (Relu): the shape of its output 'y' is float[N,C,8,8], "
                                               "expected all sizes but the batch to be known; those of input 'x' are "
                                               "not: export the model for images of one size");
  // The fault is of another node, which ONNX's inference passes over.
  M = parseModelText("<ir_version: 10, opset_import: [\"\" : 17]>\nmain (float[N,3,8,8] x) => (float[N,A,B,C] y) "
                     "{ [turn] t = Transpose <perm = [0, 1, 2, 9]> (x) n = Neg (t) [gate] y = Relu (n) }",
                     "test.onnxtxt");
  ASSERT_TRUE(bool(M)) << llvm::toString(M.takeError());
  EXPECT_THAT(llvm::toString(findGateSites(**M).takeError()),
              testing::EndsWith("to be known; the first unknown ones are those of node 'turn' (Transpose)"));
}

TEST(GateSites, UnknownShapesOfWhatIsComparedAreNotShared) {
  // The output's type is declared, and inference does not get through an operator of another domain.
  Expected<std::unique_ptr<Model>> M =
      parseModelText("<ir_version: 10, opset_import: [\"\" : 17, \"foreign\" : 1]>\n"
                     "main (float[N,4,8,8] x) => (float[N,4,8,8] y) { a = foreign.Op(x) y = Relu(a) }",
                     "test.onnxtxt");
  ASSERT_TRUE(bool(M));
  std::vector<GateSite> Sites = sitesOf(**M);
  ASSERT_EQ(Sites.size(), 1u);
  EXPECT_EQ(Sites[0].DReLUs, 256u);
  EXPECT_THAT(Sites[0].Obstacle.str(), HasSubstr("compares a tensor whose shape is unknown"));
}

TEST(GateSites, PlansOfOtherModelsAreRefused) {
  std::unique_ptr<Model> M = parse("a = Relu(x) y = Abs(a)");
  std::vector<GateSite> Sites = sitesOf(*M);
  auto Message = [&](std::vector<SitePlan> Planned) {
    SharePlan Plan;
    Plan.Sites = std::move(Planned);
    return llvm::toString(checkPlan(Plan, Sites, "plan.json"));
  };
  std::vector<ChannelPlan> Four(4, ChannelPlan{std::nullopt, 1, 1});
  EXPECT_EQ(Message({{"a", Four, {8, 8}}, {"y", Four, {8, 8}}}), "");
  EXPECT_EQ(Message({{"b", Four, {8, 8}}}),
            "plan.json: site 0 'b': the model has no gate of this name; the plan is for another model");
  EXPECT_EQ(Message({{"a", {ChannelPlan{std::nullopt, 1, 1}}, {8, 8}}}),
            "plan.json: site 0 'a': expected 4 channels, got 1");
  EXPECT_EQ(Message({{"a", Four, {8, 4}}}), "plan.json: site 0 'a': expected positions [8, 8], got [8, 4]");
  EXPECT_EQ(Message({{"y", Four, {8, 8}}, {"a", Four, {8, 8}}}),
            "plan.json: site 1 'a': it comes before site 0 in the model; sites must be in graph order");
}

TEST(GateSites, MaximaThatAveragesMayReplace) {
  auto CanAverage = [](const std::string &Body) {
    std::unique_ptr<Model> M = parse(Body);
    std::vector<GateSite> Sites = M ? sitesOf(*M) : std::vector<GateSite>();
    return !Sites.empty() && Sites[0].CanAverage;
  };
  EXPECT_TRUE(
      CanAverage("y = MaxPool<kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1], ceil_mode = 1>(x)"));
  EXPECT_TRUE(CanAverage("y = GlobalMaxPool(x)"));
  EXPECT_FALSE(CanAverage("y = MaxPool<kernel_shape = [2, 2], dilations = [2, 2]>(x)"));
  EXPECT_FALSE(CanAverage("m, i = MaxPool<kernel_shape = [2, 2]>(x) c = Cast<to = 1>(i) y = Add(m, c)"));
  EXPECT_FALSE(CanAverage("h = Cast<to = 10>(x) p = MaxPool<kernel_shape = [2, 2]>(h) y = Cast<to = 1>(p)"));
  EXPECT_FALSE(CanAverage("y = ReduceMax<axes = [2, 3]>(x)"));
}

TEST(GateSites, PlannedAveragePoolsAreChecked) {
  std::unique_ptr<Model> M = parse("a = MaxPool<kernel_shape = [2, 2]>(x) b = GlobalMaxPool(a) "
                                   "c = MaxPool<kernel_shape = [1, 2], dilations = [1, 2]>(a) y = Add(b, c)");
  std::vector<GateSite> Sites = sitesOf(*M);
  auto Message = [&](std::vector<AveragePoolPlan> Pools) {
    SharePlan Plan;
    Plan.AveragePools = std::move(Pools);
    return llvm::toString(checkPlan(Plan, Sites, "plan.json"));
  };
  std::vector<float> Four(4, 1);
  EXPECT_EQ(Message({{"a", Four}, {"b", Four}}), "");
  EXPECT_EQ(Message({{"p", Four}}),
            "plan.json: average pool 0 'p': the model has no pool of this name; the plan is for another model");
  EXPECT_EQ(Message({{"c", Four}}),
            "plan.json: average pool 0 'c': this MaxPool cannot become an average: its windows are dilated");
  EXPECT_EQ(Message({{"a", {1}}}), "plan.json: average pool 0 'a': expected 4 scales, one a channel, got 1");
  EXPECT_EQ(Message({{"b", Four}, {"a", Four}}), "plan.json: average pool 1 'a': it comes before average pool 0 in the "
                                                 "model; pools must be in graph order");
}

TEST(CostSteps, LayersAndWhatTheyWaitFor) {
  std::unique_ptr<Model> M =
      parse("a = Conv<pads = [1, 1, 1, 1]>(x, w) b = Relu(a) c = Abs(x) y = Concat<axis = 1>(b, c)",
            "float[N,4,8,8] x, float[6,4,3,3] w");
  std::vector<CostStep> Steps = costSteps(*M, sitesOf(*M));
  ASSERT_EQ(Steps.size(), 3u);
  EXPECT_TRUE(Steps[0].IsLinear);
  EXPECT_EQ(Steps[0].Kind, "Conv");
  EXPECT_EQ(Steps[0].Linear.Inputs, 256u);
  EXPECT_EQ(Steps[0].Linear.Unrolled, 64u * 36);
  EXPECT_EQ(Steps[0].Linear.Outputs, 384u);
  EXPECT_EQ(Steps[0].Linear.Products, 384u * 36);
  EXPECT_EQ(Steps[1].Name, "b");
  EXPECT_THAT(Steps[1].After, ElementsAre(0));
  EXPECT_THAT(Steps[2].After, ElementsAre());
}

TEST(CostSteps, AveragePoolingIsATruncationAnOutput) {
  std::unique_ptr<Model> M = parse("a = AveragePool<kernel_shape = [2, 2], strides = [2, 2]>(x) b = Relu(a) "
                                   "y = GlobalAveragePool(b)",
                                   "float[N,4,8,8] x");
  std::vector<CostStep> Steps = costSteps(*M, sitesOf(*M));
  ASSERT_EQ(Steps.size(), 3u);
  EXPECT_TRUE(Steps[0].IsLinear);
  EXPECT_EQ(Steps[0].Linear.Averages, 64u);
  EXPECT_EQ(Steps[2].Linear.Averages, 4u);
  EXPECT_THAT(Steps[2].After, ElementsAre(1));
}

TEST(CostSteps, LayersOfScalarsCostNothing) {
  std::unique_ptr<Model> M = parse("a = Conv(x, w) b = Gemm(x, w) y = MatMul(x, w)", "float x, float[2] w");
  EXPECT_TRUE(costSteps(*M, {}).empty());
}

TEST(CostSteps, ProductsByConstantsAreTruncations) {
  std::unique_ptr<Model> M = parse("c = Constant<value = float[4,1,1] {1.0, 0.5, -1.0, 2.0}>() a = Mul(x, c) "
                                   "h = Constant<value_float = -1.0>() b = Mul(h, a) y = Mul(a, b)");
  std::vector<CostStep> Steps = costSteps(*M, sitesOf(*M));
  ASSERT_EQ(Steps.size(), 1u);
  EXPECT_EQ(Steps[0].Name, "a");
  EXPECT_EQ(Steps[0].Truncations, 2u * 64);
  EXPECT_THAT(Steps[0].Shape, ElementsAre(4, 8, 8));
}

TEST(CostSteps, ResNets) {
  struct {
    const char *File;
    size_t Sites;
    uint64_t DReLUs;
  } Cases[] = {{"resnet20-cifar10.onnx", 19, 188416}, {"resnet32-cifar10.onnx", 31, 303104}};
  for (const auto &Case : Cases) {
    std::string Path = std::string(SHARED_FOLDER) + "/models/" + Case.File;
    if (!llvm::sys::fs::exists(Path))
      GTEST_SKIP() << "needs " << Path;
    Expected<std::unique_ptr<Model>> M = readModel(Path);
    ASSERT_TRUE(bool(M)) << llvm::toString(M.takeError());
    ASSERT_EQ(llvm::toString(inferShapes(**M)), "");
    std::vector<GateSite> Sites = sitesOf(**M);
    EXPECT_EQ(Sites.size(), Case.Sites);
    uint64_t DReLUs = 0;
    for (const GateSite &Site : Sites)
      DReLUs += Site.DReLUs;
    EXPECT_EQ(DReLUs, Case.DReLUs);
  }
}

/// Measured in CrypTen 0.4.1 and SPU 0.9.5 (docs/cost-models.md).
TEST(CostSteps, MeasuredTotalsOfResNet20) {
  std::string Path = std::string(SHARED_FOLDER) + "/models/resnet20-cifar10.onnx";
  if (!llvm::sys::fs::exists(Path))
    GTEST_SKIP() << "needs " << Path;
  Expected<std::unique_ptr<Model>> M = readModel(Path);
  ASSERT_TRUE(bool(M)) << llvm::toString(M.takeError());
  ASSERT_EQ(llvm::toString(inferShapes(**M)), "");
  std::vector<CostStep> Steps = costSteps(**M, sitesOf(**M));
  CostReport CrypTen = makeCostReport(Steps, nullptr, llvm::cantFail(loadCostModel("crypten-64")));
  EXPECT_EQ(CrypTen.Before.bytes(), 94717696);
  EXPECT_EQ(CrypTen.Before.ComparisonSteps, 19u);
  EXPECT_EQ(CrypTen.Before.Rounds, 191);
  CostReport Semi2k = makeCostReport(Steps, nullptr, llvm::cantFail(loadCostModel("semi2k-64")));
  EXPECT_EQ(Semi2k.Before.bytes(), 57264464);
  CostReport Cheetah = makeCostReport(Steps, nullptr, llvm::cantFail(loadCostModel("cheetah-64")));
  EXPECT_NEAR(Cheetah.Before.bytes() - Cheetah.Before.FixedBytes, 36594285, 0.03 * 36594285);
  CostReport Aby3 = makeCostReport(Steps, nullptr, llvm::cantFail(loadCostModel("aby3-64")));
  EXPECT_NEAR(Aby3.Before.bytes(), 42207520, 100);
}

/// "Name elements; ..." of what has no price.
std::string unpriced(const Model &M) {
  std::string Text;
  for (const UnpricedOperator &Operator : findUnpricedOperators(M, {}))
    Text += (Text.empty() ? "" : "; ") + Operator.Name + " " + std::to_string(Operator.Elements);
  return Text;
}

TEST(UnpricedOperators, FormsOfLinearOperators) {
  auto Of = [](const std::string &Body) { return unpriced(*parse(Body, "float[N,4] x, float[4] s, float[M,1,2] i")); };
  EXPECT_EQ(Of("z = Constant<value_floats = [0.0, 1.0, 0.0, 1.0]>() y = BatchNormalization(x, z, s, s, z)"), "");
  EXPECT_EQ(Of("z = Constant<value_floats = [0.0, 1.0, 0.0, 1.0]>() y = BatchNormalization(x, z, z, z, s)"),
            "BatchNormalization 4");
  EXPECT_EQ(Of("c = Cast<to = 6>(x) y = Cast<to = 1>(c)"), "Cast 4");
  EXPECT_EQ(Of("c = Cast<to = 11>(x) y = Cast<to = 1>(c)"), "");
  EXPECT_EQ(Of("y = Einsum<equation = \"nc->n\">(x)"), "");
  // Numbers that are computed of constants and shapes.
  EXPECT_EQ(Of("z = Constant<value_floats = [0.0, 1.0, 0.0, 1.0]>() o = Identity(z) e = Exp(o) "
               "n = Shape(x) f = Cast<to = 1>(n) r = Sqrt(f) b = BatchNormalization(x, e, s, s, o) "
               "i0 = Constant<value_int = 0>() k = Gather(r, i0) y = Mul(b, k)"),
            "");
  EXPECT_EQ(Of("z = Constant<value_float = 2.0>() y = Einsum<equation = \",nc,c->nc\">(z, x, s)"),
            "Einsum of two values 4");
}

TEST(UnpricedOperators, NodesWithoutOutputs) {
  std::unique_ptr<Model> M = parse("y = Relu(x)");
  M->graph().insertNode(M->graph().end(), "Sink", {M->graph().inputs()[0]}, "local");
  EXPECT_EQ(unpriced(*M), "local.Sink 0");
}

} // namespace
