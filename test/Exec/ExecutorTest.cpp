//===- ExecutorTest.cpp - how graphs are run ------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Graphs.h"

#include "deepshare/IR/ShareOps.h"

using namespace deepshare;

static at::Tensor runOne(const Model &M, llvm::ArrayRef<at::Tensor> Inputs) {
  std::unique_ptr<Executor> E = valueOf(Executor::create(M));
  if (!E)
    return {};
  std::vector<at::Tensor> Outputs = valueOf(E->run(Inputs));
  return Outputs.empty() ? at::Tensor() : Outputs.front();
}

TEST(Executor, RunsAConvolution) {
  at::Tensor X = at::randn({2, 3, 8, 8}), W = at::randn({4, 3, 3, 3}), B = at::randn({4});
  TestModel T;
  Value *Y = T.node("Conv", {T.input("x"), T.constant("w", W), T.constant("b", B)}, "y");
  Y->producer()->setAttribute("pads", std::vector<int64_t>{1, 1, 1, 1});
  T.M.graph().addOutput(T.node("Relu", {Y}, "z"));
  EXPECT_TRUE(at::allclose(runOne(T.M, {X}), at::relu(at::conv2d(X, W, B, 1, 1)), 1e-5, 1e-5));
}

TEST(Executor, ReleasesValuesAfterTheirLastUse) {
  TestModel T;
  Value *A = T.node("Exp", {T.input("x")}, "a");
  Value *B = T.node("Exp", {A}, "b");
  Value *C = T.node("Add", {A, B}, "c");
  Value *D = T.node("Exp", {C}, "d");
  T.M.graph().addOutput(D);
  std::unique_ptr<Executor> E = valueOf(Executor::create(T.M));
  for (Value *V : {A, B, C, D})
    E->observe(V);
  llvm::DenseMap<const Value *, c10::weak_intrusive_ptr<c10::TensorImpl>> Seen;
  auto IsAlive = [&](Value *V) { return !Seen.find(V)->second.expired(); };
  auto Hook = [&](const Value &V, at::Tensor &Computed) {
    Seen.try_emplace(&V, c10::weak_intrusive_ptr<c10::TensorImpl>(Computed.getIntrusivePtr()));
    if (&V == C) {
      EXPECT_TRUE(IsAlive(A) && IsAlive(B));
    } else if (&V == D) {
      EXPECT_FALSE(IsAlive(A) || IsAlive(B));
    }
  };
  valueOf(E->run({at::ones({2})}, Hook));
  EXPECT_EQ(Seen.size(), 4u);
  EXPECT_FALSE(IsAlive(D));
}

TEST(Executor, ReleasesValuesThatNothingUses) {
  TestModel T;
  Value *X = T.input("x");
  Value *Dead = T.node("Exp", {X}, "dead");
  Value *A = T.node("Exp", {X}, "a");
  T.M.graph().addOutput(A);
  std::unique_ptr<Executor> E = valueOf(Executor::create(T.M));
  E->observe(Dead);
  E->observe(A);
  std::optional<c10::weak_intrusive_ptr<c10::TensorImpl>> Seen;
  auto Hook = [&](const Value &V, at::Tensor &Computed) {
    if (&V == Dead) {
      Seen.emplace(Computed.getIntrusivePtr());
    } else {
      EXPECT_TRUE(Seen->expired());
    }
  };
  valueOf(E->run({at::ones({2})}, Hook));
}

TEST(Executor, HooksReplaceValues) {
  TestModel T;
  Value *X = T.input("x");
  Value *A = T.node("Exp", {X}, "a");
  T.M.graph().addOutput(T.node("Neg", {A}, "y"));
  std::unique_ptr<Executor> E = valueOf(Executor::create(T.M));
  E->observe(X);
  E->observe(A);
  unsigned Calls = 0;
  auto Hook = [&](const Value &V, at::Tensor &Computed) {
    ++Calls;
    if (&V == A)
      Computed = Computed + 1;
    else
      Computed = at::zeros_like(Computed);
  };
  EXPECT_EQ(valueOf(E->run({at::ones({1})}, Hook))[0].item<float>(), -2);
  EXPECT_EQ(Calls, 2u);
  // Without a hook nothing is replaced.
  EXPECT_FLOAT_EQ(valueOf(E->run({at::zeros({1})}))[0].item<float>(), -1);
}

TEST(Executor, ConstantsMayBeReplaced) {
  TestModel T;
  Value *W = T.constant("w", at::full({1}, 2.0));
  T.M.graph().addOutput(T.node("Mul", {T.input("x"), W}, "y"));
  std::unique_ptr<Executor> E = valueOf(Executor::create(T.M));
  EXPECT_EQ(valueOf(E->run({at::ones({1})}))[0].item<float>(), 2);
  E->setConstant(W, E->constant(W) + 1);
  EXPECT_EQ(valueOf(E->run({at::ones({1})}))[0].item<float>(), 3);
}

TEST(Executor, AnOutputMayBeAnInputOrAConstantAndTwice) {
  TestModel T;
  Value *X = T.input("x"), *W = T.constant("w", at::full({1}, 2.0));
  for (Value *V : {X, W, X})
    T.M.graph().addOutput(V);
  std::unique_ptr<Executor> E = valueOf(Executor::create(T.M));
  std::vector<at::Tensor> Outputs = valueOf(E->run({at::ones({1})}));
  ASSERT_EQ(Outputs.size(), 3u);
  EXPECT_EQ(Outputs[0].item<float>(), 1);
  EXPECT_EQ(Outputs[1].item<float>(), 2);
  EXPECT_EQ(Outputs[2].item<float>(), 1);
}

TEST(Executor, SubgraphsReadOuterValues) {
  TestModel T;
  Value *Condition = T.input("condition"), *X = T.input("x");
  Value *A = T.node("Exp", {X}, "a");
  Node *If = T.M.graph().insertNode(T.M.graph().end(), "If", {Condition});
  for (llvm::StringRef Branch : {"then_branch", "else_branch"}) {
    auto G = std::make_unique<Graph>(T.M, If);
    G->addOutput(Branch == "then_branch" ? G->insert(G->end(), "Add", {A, A}, Branch)
                                         : G->insert(G->end(), "Neg", {X}, Branch));
    If->addAttribute({Branch.str(), std::move(G), ""});
  }
  T.M.graph().addOutput(If->addOutput("y"));
  at::Tensor Yes = at::ones({}, at::kBool), No = at::zeros({}, at::kBool);
  EXPECT_FLOAT_EQ(runOne(T.M, {Yes, at::zeros({1})}).item<float>(), 2);
  EXPECT_FLOAT_EQ(runOne(T.M, {No, at::ones({1})}).item<float>(), -1);
}

// y = running sums of the rows of x, one a trip.
TEST(Executor, HooksSeeBodiesAtEveryTrip) {
  TestModel T;
  Value *X = T.input("x"), *Start = T.constant("start", at::zeros({1}));
  Node *Scan = T.M.graph().insertNode(T.M.graph().end(), "Scan", {Start, X});
  auto Body = std::make_unique<Graph>(T.M, Scan);
  Value *Sum = Body->addInput("sum", std::nullopt), *Row = Body->addInput("row", std::nullopt);
  Value *Added = Body->insert(Body->end(), "Add", {Sum, Row}, "added");
  Body->addOutput(Added);
  Body->addOutput(Body->insert(Body->end(), "Neg", {Added}, "negated"));
  Scan->addAttribute({"body", std::move(Body), ""});
  Scan->addAttribute({"num_scan_inputs", int64_t(1), ""});
  Scan->addOutput("last");
  T.M.graph().addOutput(Scan->addOutput("y"));
  std::unique_ptr<Executor> E = valueOf(Executor::create(T.M));
  E->observe(Row);
  E->observe(Added);
  std::vector<float> Rows, Sums;
  auto Hook = [&](const Value &V, at::Tensor &Computed) {
    (&V == Row ? Rows : Sums).push_back(Computed.item<float>());
    if (&V == Added)
      Computed = Computed * 2;
  };
  at::Tensor Y = valueOf(E->run({at::tensor({1.f, 2.f, 3.f}).view({3, 1})}, Hook)).front();
  EXPECT_EQ(Rows, std::vector<float>({1, 2, 3}));
  EXPECT_EQ(Sums, std::vector<float>({1, 4, 11}));
  EXPECT_TRUE(at::equal(Y, at::tensor({-2.f, -8.f, -22.f}).view({3, 1})));
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

/// Scaled(X; factor = 3) calls Inner(X; slope = factor), which is LeakyRelu(X; alpha = slope).
static void addScaled(Model &M) {
  for (auto [Name, Called, Given, Taken] :
       {std::tuple("Inner", "LeakyRelu", "slope", "alpha"), {"Scaled", "Inner", "factor", "slope"}}) {
    Function F;
    F.Domain = "test";
    F.Name = Name;
    F.Opsets = {{"", 17}, {"test", 1}};
    if (llvm::StringRef(Name) == "Scaled")
      F.AttributeDefaults.push_back({Given, 3.0f, ""});
    else
      F.AttributeNames = {Given};
    F.Body = std::make_unique<Graph>(M);
    Value *X = F.Body->addInput("X", std::nullopt);
    bool IsOuter = llvm::StringRef(Called) == "Inner";
    Value *Y = F.Body->insert(F.Body->end(), Called, {X}, "Y", IsOuter ? "test" : "");
    Y->producer()->setAttribute(Taken, AttributeReference{Given, 1});
    F.Body->addOutput(Y);
    M.functions().push_back(std::move(F));
  }
  M.addOpset("test", 1);
}

TEST(Executor, ResolvesAttributeReferencesThroughCalls) {
  for (bool IsGiven : {true, false}) {
    TestModel T;
    addScaled(T.M);
    Value *Y = T.node("Scaled", {T.input("x")}, "y", "test");
    if (IsGiven)
      Y->producer()->setAttribute("factor", 5.0f);
    T.M.graph().addOutput(Y);
    EXPECT_TRUE(canExecute(*Y->producer()));
    EXPECT_FLOAT_EQ(runOne(T.M, {at::full({1}, -1.0)}).item<float>(), IsGiven ? -5 : -3);
    std::vector<at::Tensor> Outputs = valueOf(executeNode(*Y->producer(), {at::full({1}, -1.0)}));
    EXPECT_FLOAT_EQ(Outputs[0].item<float>(), IsGiven ? -5 : -3);
  }
}

/// The native kernels compute what the functions' bodies say.
TEST(Executor, NativeGatesEqualTheirBodies) {
  at::manual_seed(1);
  TestModel T;
  Value *A = T.input("a", makeTensorType(ElementType::Float32, {2, 3, 4, 4}));
  Value *B = T.input("b", makeTensorType(ElementType::Float32, {2, 5, 4, 4}));
  Value *MaskA = insertDReLU(T.M.graph().end(), A, 1, "mask_a");
  Value *MaskB = insertDReLU(T.M.graph().end(), B, 1, "mask_b");
  Value *Y = insertDReLUShare(T.M.graph().end(), B, {MaskA, MaskB}, {7, -1, 0, 3, 2}, {1, 0.5f, 2, -1, 1},
                              {0, 0.5f, -1, 0.25f, 0}, "y");
  Value *Z = insertDReLUShare(T.M.graph().end(), A, {MaskA}, {0, 1, -1}, {1, 2, 3}, {0, -1, 3}, "z");
  T.M.graph().addOutput(Y);
  T.M.graph().addOutput(Z);

  // Under another domain there is no native kernel.
  std::unique_ptr<Model> Bodies = T.M.clone();
  for (Function &F : Bodies->functions())
    F.Domain = "bodies";
  for (Node &N : llvm::make_early_inc_range(Bodies->graph())) {
    Node *Copy = Bodies->graph().insertNode(N.getIterator(), N.opType(), N.inputs(), "bodies");
    Copy->setOverload(N.overload());
    for (llvm::StringRef Name : {"mask", "on", "off"})
      if (const Attribute *Found = N.attribute(Name)) {
        if (const auto *Integers = std::get_if<std::vector<int64_t>>(&Found->Value))
          Copy->setAttribute(Name, *Integers);
        else
          Copy->setAttribute(Name, std::get<std::vector<float>>(Found->Value));
      }
    N.output()->replaceAllUsesWith(Copy->addOutput(Bodies->uniqueName("copy")));
    Bodies->graph().erase(&N);
  }

  std::vector<at::Tensor> Inputs = {at::randn({2, 3, 4, 4}), at::randn({2, 5, 4, 4})};
  std::vector<at::Tensor> Native = valueOf(valueOf(Executor::create(T.M))->run(Inputs));
  std::vector<at::Tensor> Spelled = valueOf(valueOf(Executor::create(*Bodies))->run(Inputs));
  for (unsigned I = 0; I < 2; ++I)
    EXPECT_TRUE(at::equal(Native[I], Spelled[I])) << "output " << I;
}

TEST(Executor, DReLUOfTilesComparesMeans) {
  TestModel T;
  Value *X = T.input("x", makeTensorType(ElementType::Float32, {1, 1, 3, 3}));
  T.M.graph().addOutput(insertDReLU(T.M.graph().end(), X, 2, "mask"));
  at::Tensor In = at::tensor({3.0f, -1.0f, -1.0f, -1.0f, -0.5f, 2.0f, 1.0f, -2.0f, 5.0f}).reshape({1, 1, 3, 3});
  at::Tensor Expected = at::tensor({1, 1, 0, 1}).to(at::kBool).reshape({1, 1, 2, 2});
  EXPECT_TRUE(at::equal(runOne(T.M, {In}), Expected));
}

//===----------------------------------------------------------------------===//
// Single nodes
//===----------------------------------------------------------------------===//

TEST(ExecuteNode, IntegersAreExact) {
  constexpr int64_t Big = (int64_t(1) << 60) + 1;
  TestModel T;
  Value *A = T.input("a"), *B = T.input("b");
  auto Run = [&](llvm::StringRef OpType, int64_t Left, int64_t Right) {
    std::vector<at::Tensor> Inputs = {at::scalar_tensor(Left, at::dtype(at::kLong)),
                                      at::scalar_tensor(Right, at::dtype(at::kLong))};
    Value *Y = T.node(OpType, {A, B}, "y");
    EXPECT_TRUE(canExecute(*Y->producer()));
    at::Tensor Result = valueOf(executeNode(*Y->producer(), Inputs))[0];
    EXPECT_EQ(Result.scalar_type(), at::kLong);
    return Result.item<int64_t>();
  };
  EXPECT_EQ(Run("Add", Big, 1), Big + 1);
  EXPECT_EQ(Run("Sub", Big, 1), Big - 1);
  EXPECT_EQ(Run("Mul", Big, 3), Big * 3);
  EXPECT_EQ(Run("Div", Big, 1), Big);
  EXPECT_EQ(Run("Div", -7, 2), -3);
  EXPECT_EQ(Run("Mod", -7, 2), 1);
  EXPECT_EQ(Run("Max", Big, Big - 1), Big);
  EXPECT_EQ(Run("Pow", 3, 39), 4052555153018976267);
}

TEST(ExecuteNode, LeavesOutWhatIsNotAskedFor) {
  TestModel T;
  Node *N = T.M.graph().insertNode(T.M.graph().end(), "Dropout", {T.input("x")});
  N->addOutput("y");
  N->addOutput("");
  std::vector<at::Tensor> Outputs = valueOf(executeNode(*N, {at::ones({2})}));
  ASSERT_EQ(Outputs.size(), 2u);
  EXPECT_TRUE(Outputs[0].defined());
  EXPECT_FALSE(Outputs[1].defined());
}
