//===- RingExecutorTest.cpp - models in a ring ----------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Graphs.h"

#include "deepshare/Exec/RingExecutor.h"
#include "deepshare/IR/ShareOps.h"

using namespace deepshare;

static constexpr RingOptions Exact{.Bits = 64, .Frac = 16, .Kind = Truncation::Exact};

/// Runs \p T in a ring and checks that no output is further than \p Bound from that in floats.
static std::unique_ptr<RingExecutor> runClose(const TestModel &T, llvm::ArrayRef<at::Tensor> Inputs, double Bound,
                                              RingOptions Options = Exact) {
  std::unique_ptr<RingExecutor> E = valueOf(RingExecutor::create(T.M, Options));
  RingOutputs Outputs = valueOf(E->run(Inputs));
  for (size_t I = 0; I < Outputs.Ring.size(); ++I) {
    const at::Tensor &Ring = Outputs.Ring[I], &Floats = Outputs.Floats[I];
    EXPECT_EQ(Ring.scalar_type(), Floats.scalar_type());
    EXPECT_EQ(Ring.sizes(), Floats.sizes());
    EXPECT_LE(at::abs(Ring.to(at::kDouble) - Floats.to(at::kDouble)).max().item<double>(), Bound) << "output " << I;
  }
  return E;
}

static Value *with(Value *V) { return V; }

/// \p V, whose node gets attributes: names and values in turn.
template <typename T, typename... Others> static Value *with(Value *V, llvm::StringRef Name, T Given, Others... More) {
  V->producer()->setAttribute(Name, std::move(Given));
  return with(V, More...);
}

TEST(RingExecutor, LayersAreThoseOfFloatsButForRounding) {
  at::manual_seed(1);
  TestModel T;
  Value *X = T.input("x");
  using Ints = std::vector<int64_t>;
  Value *A = with(T.node("Conv", {X, T.constant("w", at::randn({4, 2, 3, 3})), T.constant("b", at::randn({4}))}, "a"),
                  "pads", Ints{1, 1, 0, 2}, "strides", Ints{1, 2}, "group", int64_t(2));
  Value *N = T.node("BatchNormalization",
                    {A, T.constant("s", at::randn({4})), T.constant("o", at::randn({4})),
                     T.constant("m", at::randn({4})), T.constant("v", at::rand({4}) + 0.1)},
                    "n");
  Value *P =
      with(T.node("MaxPool", {N}, "p"), "kernel_shape", Ints{3, 3}, "pads", Ints{1, 1, 1, 1}, "strides", Ints{2, 2});
  Value *Q = with(T.node("AveragePool", {T.node("Relu", {P}, "r")}, "q"), "kernel_shape", Ints{2, 2}, "pads",
                  Ints{1, 0, 0, 1});
  Value *U = with(T.node("ConvTranspose", {Q, T.constant("t", at::randn({4, 3, 2, 2}))}, "u"), "strides", Ints{2, 2});
  Value *G = T.node("GlobalAveragePool", {with(T.node("LeakyRelu", {U}, "l"), "alpha", 0.3f)}, "g");
  Value *F = T.node("Flatten", {G}, "f");
  Value *Y = with(T.node("Gemm", {F, T.constant("h", at::randn({3, 5})), T.constant("c", at::randn({5}))}, "y"),
                  "alpha", 0.5f, "beta", 2.0f);
  T.M.graph().addOutput(Y);
  for (Truncation Kind : {Truncation::Exact, Truncation::Probabilistic, Truncation::Local}) {
    auto E = runClose(T, {at::randn({3, 4, 9, 9})}, 5e-3, {.Kind = Kind, .Seed = 5});
    EXPECT_TRUE(E->overflows().empty());
    EXPECT_TRUE(E->inFloats().empty());
    std::vector<SiteComparisons> Sites = E->comparisons();
    ASSERT_EQ(Sites.size(), 3u);
    EXPECT_EQ(Sites[0].Kind, "MaxPool");
    EXPECT_EQ(Sites[0].Count, 8u * 3 * 4 * 4 * 3);
    EXPECT_EQ(Sites[1].Name, "r");
    EXPECT_GT(Sites[1].MaxError, 0);
    EXPECT_LT(Sites[1].MaxError, 5e-3);
    EXPECT_LE(Sites[1].SumError, Sites[1].MaxError * Sites[1].Count);
  }
}

TEST(RingExecutor, OperatorsAreThoseOfFloatsButForRounding) {
  at::manual_seed(3);
  TestModel T;
  using Ints = std::vector<int64_t>;
  Value *X = T.input("x"), *Z = T.input("z");
  Value *Low = T.constant("low", at::scalar_tensor(-0.4f)), *High = T.constant("high", at::scalar_tensor(0.7f));
  Value *Slopes = T.constant("slopes", at::rand({4, 1, 1}));
  std::vector<Value *> Results = {
      T.node("Abs", {X}, "abs"),
      T.node("Clip", {X, Low, High}, "clip"),
      T.node("Clip", {X, nullptr, High}, "clip_high"),
      with(T.node("HardSigmoid", {X}, "hard_sigmoid"), "alpha", 0.3f),
      T.node("HardSwish", {X}, "hard_swish"),
      T.node("PRelu", {X, Slopes}, "prelu"),
      with(T.node("ThresholdedRelu", {X}, "thresholded"), "alpha", 0.25f),
      T.node("Max", {X, Z, Low}, "max"),
      T.node("Min", {X, Z}, "min"),
      T.node("GlobalMaxPool", {X}, "global_max"),
      with(T.node("MaxPool", {X}, "max_pool"), "kernel_shape", Ints{2, 2}, "dilations", Ints{2, 1}, "ceil_mode",
           int64_t(1)),
      with(T.node("AveragePool", {X}, "counted"), "kernel_shape", Ints{3, 3}, "pads", Ints{1, 1, 1, 1},
           "count_include_pad", int64_t(1)),
      with(T.node("AveragePool", {X}, "ceiled"), "kernel_shape", Ints{2, 2}, "strides", Ints{2, 2}, "ceil_mode",
           int64_t(1)),
      with(T.node("ReduceMean", {X}, "reduce_mean"), "axes", Ints{1, 3}, "keepdims", int64_t(0)),
      T.node("ReduceSum", {X, T.constant("axes", at::tensor(Ints{2}))}, "reduce_sum"),
      T.node("Mean", {X, Z, Low}, "mean"),
      T.node("Sum", {X, Z, High}, "sum"),
      T.node("Sub", {Low, X}, "difference"),
      T.node("Mul", {X, Z}, "product"),
      T.node("Div", {X, High}, "quotient"),
      T.node("MatMul", {X, Z}, "matrices"),
      T.node("Greater", {X, Z}, "greater"),
      T.node("GreaterOrEqual", {X, Z}, "greater_equal"),
      T.node("Less", {X, Z}, "less"),
      T.node("LessOrEqual", {X, Z}, "less_equal"),
      T.node("Where", {T.node("Greater", {X, Low}, "above"), X, High}, "where"),
  };
  for (Value *V : Results)
    T.M.graph().addOutput(V);
  auto E = runClose(T, {at::randn({2, 4, 5, 5}), at::randn({2, 4, 5, 5})}, 1e-3);
  EXPECT_TRUE(E->inFloats().empty());
  for (const SiteComparisons &Site : E->comparisons())
    EXPECT_EQ(Site.Flips, 0u) << Site.Name;
}

TEST(RingExecutor, EntersSubgraphs) {
  TestModel T;
  Value *Condition = T.input("condition"), *X = T.input("x");
  Node *If = T.M.graph().insertNode(T.M.graph().end(), "If", {Condition});
  for (llvm::StringRef Branch : {"then_branch", "else_branch"}) {
    auto G = std::make_unique<Graph>(T.M, If);
    G->addOutput(G->insert(G->end(), Branch == "then_branch" ? "Relu" : "Neg", {X}, Branch));
    If->addAttribute({Branch.str(), std::move(G), ""});
  }
  T.M.graph().addOutput(If->addOutput("y"));
  at::Tensor In = at::tensor({-1.5f, 2.25f});
  EXPECT_EQ(runClose(T, {at::ones({}, at::kBool), In}, 0)->comparisons().size(), 1u);
  EXPECT_TRUE(runClose(T, {at::zeros({}, at::kBool), In}, 0)->comparisons().empty());
}

TEST(RingExecutor, WhatOnlyMovesIsExact) {
  TestModel T;
  Value *X = T.input("x");
  auto Indices = [&](llvm::StringRef Name, std::vector<int64_t> Of) { return T.constant(Name, at::tensor(Of)); };
  Value *Joined = with(T.node("Concat", {X, T.constant("k", at::full({2, 1, 3}, 0.5))}, "joined"), "axis", int64_t(1));
  Value *Picked = with(T.node("Gather", {Joined, Indices("i", {3, 0, -1})}, "picked"), "axis", int64_t(1));
  Value *Padded = T.node(
      "Pad", {Picked, Indices("pads", {0, 0, 1, 0, 0, 0}), T.constant("fill", at::scalar_tensor(0.25f))}, "padded");
  Value *Cut = T.node(
      "Slice", {Padded, Indices("start", {3}), Indices("end", {-100}), Indices("axis", {2}), Indices("step", {-2})},
      "cut");
  Value *Flat = T.node("Reshape", {T.node("Transpose", {Cut}, "turned"), Indices("shape", {-1, 2})}, "flat");
  Value *Kept =
      T.node("Where",
             {T.node("Less", {Flat, T.constant("zero", at::zeros({}))}, "less"), T.node("Neg", {Flat}, "minus"), Flat},
             "kept");
  T.M.graph().addOutput(Kept);
  T.M.graph().addOutput(T.node("Max", {Kept, T.constant("bound", at::full({1}, 0.5))}, "top"));
  // Multiples of 2^-16 in, the same out.
  at::Tensor In = at::round(at::randn({2, 3, 3}) * 0x1p16) / 0x1p16;
  auto E = runClose(T, {In}, 0);
  EXPECT_EQ(E->comparisons().size(), 2u);
  for (const SiteComparisons &Site : E->comparisons())
    EXPECT_EQ(Site.Flips, 0u);
}

TEST(RingExecutor, CountsFlipsByImage) {
  TestModel T;
  T.M.graph().addOutput(T.node("Relu", {T.input("x")}, "y"));
  std::unique_ptr<RingExecutor> E = valueOf(RingExecutor::create(T.M, Exact));
  // Less than half a unit is 0.
  RingOutputs Outputs =
      valueOf(E->run({at::tensor({0x1p-20f, -1.0f, 0x1p-18f, 0x1p-18f, 0.0f, 3.0f}).reshape({3, 2})}));
  EXPECT_EQ(Outputs.Flips, (std::vector<uint64_t>{1, 2, 0}));
  SiteComparisons Site = E->comparisons().front();
  EXPECT_EQ(Site.Flips, 3u);
  EXPECT_EQ(Site.Count, 6u);
  EXPECT_EQ(Site.MaxError, 0x1p-18);
  EXPECT_EQ(Site.Largest, 3);
}

TEST(RingExecutor, NamesNodesThatLeaveTheRing) {
  TestModel T;
  Value *Double = T.node("Add", {T.input("x"), T.input("z")}, "double");
  T.M.graph().addOutput(T.node("Mul", {Double, T.constant("c", at::full({1}, 40.0))}, "y"));
  std::unique_ptr<RingExecutor> E =
      valueOf(RingExecutor::create(T.M, {.Bits = 16, .Frac = 6, .Kind = Truncation::Exact}));
  // The ring reaches from -512 to 512: 600 wraps to -424, and 20 * 40 to -224.
  at::Tensor X = at::tensor({300.0f, 20.0f, 1.0f});
  RingOutputs Outputs = valueOf(E->run({X, at::tensor({300.0f, 0.0f, 0.0f})}));
  EXPECT_EQ(Outputs.Ring.front()[1].item<float>(), -224);
  EXPECT_EQ(Outputs.Ring.front()[2].item<float>(), 40);
  std::vector<NodeElements> Overflows = E->overflows();
  ASSERT_EQ(Overflows.size(), 2u);
  EXPECT_EQ(Overflows[0].Name, "double");
  EXPECT_EQ(Overflows[0].Outside, 1u);
  EXPECT_EQ(Overflows[1].Kind, "Mul");
  EXPECT_EQ(Overflows[1].Outside, 2u);
  EXPECT_EQ(Overflows[1].Count, 3u);
}

TEST(RingExecutor, ComputesInFloatsWhatTheRingCannot) {
  TestModel T;
  Value *X = T.input("x");
  Value *S = with(T.node("Softmax", {X}, "s"), "axis", int64_t(-1));
  T.M.graph().addOutput(T.node("Div", {S, T.node("Exp", {X}, "e")}, "y"));
  // Constants alone are no secret: they are computed as they would be before a protocol starts.
  T.M.graph().addOutput(T.node("Mul", {X, T.node("Sqrt", {T.constant("c", at::full({1}, 2.0))}, "root")}, "z"));
  auto E = runClose(T, {at::randn({4, 5})}, 1e-3);
  std::vector<std::string> Kinds;
  for (const NodeElements &N : E->inFloats())
    Kinds.push_back(N.Kind);
  EXPECT_EQ(Kinds, (std::vector<std::string>{"Softmax", "Exp", "Div"}));
}

TEST(RingExecutor, RunsSharedGatesAndTheirTiles) {
  at::manual_seed(2);
  TestModel T;
  Value *X = T.input("x", makeTensorType(ElementType::Float32, {2, 4, 6, 6}));
  Value *Mask = insertDReLU(T.M.graph().end(), X, 1, "mask"), *Tiles = insertDReLU(T.M.graph().end(), X, 2, "tiles");
  Value *Y =
      insertDReLUShare(T.M.graph().end(), X, {Mask}, {0, 0, 2, -1}, {1, 0.5f, 1, 0.3f}, {0, 0.1f, -1, 0.3f}, "y");
  T.M.graph().addOutput(Y);
  T.M.graph().addOutput(with(T.node("Cast", {Tiles}, "bits"), "to", int64_t(1)));
  auto E = runClose(T, {at::randn({2, 4, 6, 6})}, 1e-3);
  // A function's comparisons have the name of its call.
  ASSERT_EQ(E->comparisons().size(), 2u);
  EXPECT_EQ(E->comparisons()[0].Name, "mask");
  EXPECT_EQ(E->comparisons()[1].Name, "tiles");
  EXPECT_EQ(E->comparisons()[1].Count, 2u * 4 * 3 * 3);
  EXPECT_TRUE(E->inFloats().empty());
}

TEST(RingExecutor, WholeSlopesAreNotTruncated) {
  TestModel T;
  Value *X = T.input("x");
  Value *Y = with(T.node("LeakyRelu", {X}, "y"), "alpha", -1.0f);
  T.M.graph().addOutput(T.node("Mul", {Y, T.constant("c", at::full({1}, 3.0))}, "z"));
  at::Tensor In = at::round(at::randn({100}) * 0x1p16) / 0x1p16;
  runClose(T, {In}, 0, {.Kind = Truncation::Local});
}

TEST(RingExecutor, BoundsThatNothingReachesAreNotCompared) {
  TestModel T;
  Value *X = T.input("x"), *Zero = T.constant("zero", at::zeros({}));
  Value *Most = T.constant("most", at::scalar_tensor(std::numeric_limits<float>::max()));
  T.M.graph().addOutput(T.node("Clip", {X, Zero, Most}, "y"));
  auto E = runClose(T, {at::tensor({-1.0f, 2.0f, 3.0f})}, 0);
  EXPECT_EQ(E->comparisons().front().Count, 3u);
}

TEST(RingExecutor, RunsFloatsAlone) {
  TestModel T;
  T.M.graph().addOutput(T.node("Relu", {T.input("x")}, "y"));
  std::unique_ptr<RingExecutor> E = valueOf(RingExecutor::create(T.M, Exact));
  EXPECT_EQ(valueOf(E->runFloats({at::tensor({-5.0f, 2.0f})})).front()[1].item<float>(), 2);
  EXPECT_EQ(E->comparisons().front().Largest, 5);
}

TEST(RingExecutor, BitsOfComparisons) {
  EXPECT_EQ(bitsToCompare(0, 16), 2u);
  EXPECT_EQ(bitsToCompare(0x1p-16, 16), 2u);
  EXPECT_EQ(bitsToCompare(1, 16), 18u);
  EXPECT_EQ(bitsToCompare(1.5, 16), 19u);
  EXPECT_EQ(bitsToCompare(1.5, 16, 0), 18u);
}

TEST(RingExecutor, RefusesRingsAndOperators) {
  TestModel T;
  T.M.graph().addOutput(T.node("Frobnicate", {T.input("x")}, "y"));
  EXPECT_NE(messageOf(RingExecutor::create(T.M, Exact)).find("node 'y' (Frobnicate)"), std::string::npos);
  EXPECT_EQ(messageOf(RingExecutor::create(T.M, {.Bits = 4})), "expected a ring of 8 to 64 bits, got 4");
}
