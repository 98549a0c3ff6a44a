//===- CloneTest.cpp - deep copies of models ------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/IR/Verifier.h"

#include <gtest/gtest.h>

#include <sstream>

using namespace deepshare;

static void describe(const Graph &G, std::ostream &Out) {
  Out << "graph " << G.name().str() << ' ' << G.unmodelled().str() << '\n';
  auto DescribeValue = [&](const Value *V) {
    Out << ' ' << V->name().str() << ':' << (V->type() ? V->type()->str() : "?") << ':' << V->unmodelled().str() << ':'
        << V->isGraphInput() << V->isInitializer() << V->isOverridable() << V->isGraphOutput() << V->uses().size();
    if (const Tensor *T = V->initializer())
      Out << static_cast<const void *>(T->bytes().data());
  };
  for (const auto &Values : {G.inputs(), G.initializers(), G.outputs()})
    for (const Value *V : Values)
      DescribeValue(V);
  for (const Node &N : G) {
    Out << "\nnode " << N.name().str() << ' ' << N.domain().str() << ' ' << N.opType().str() << ' '
        << N.overload().str() << ' ' << N.unmodelled().str();
    for (const Value *V : N.inputs())
      Out << ' ' << (V ? V->name().str() : "-");
    Out << " =>";
    for (const Value *V : N.outputs())
      DescribeValue(V);
    for (const Attribute &A : N.attributes())
      Out << ' ' << A.Name << ' ' << A.Value.index() << ' ' << A.Unmodelled;
    for (const Graph *Subgraph : N.subgraphs())
      describe(*Subgraph, Out);
  }
  Out << '\n';
}

// Everything that a model says, in order.
static std::string describe(const Model &M) {
  std::ostringstream Out;
  Out << M.irVersion() << ' ' << M.unmodelled().str() << '\n';
  for (const OpsetImport &Import : M.opsets())
    Out << Import.Domain << ' ' << Import.Version << '\n';
  describe(M.graph(), Out);
  for (const Function &F : M.functions()) {
    Out << F.Domain << F.Name << F.Overload << F.Unmodelled << F.AttributeNames.size() << F.AttributeDefaults.size()
        << F.Opsets.size();
    describe(*F.Body, Out);
  }
  return Out.str();
}

TEST(Clone, CopiesEverything) {
  auto M = std::make_unique<Model>();
  M->setIRVersion(10);
  M->setUnmodelled("model");
  M->addOpset("", 17);
  M->addOpset("d", 1);
  Graph &G = M->graph();
  G.setName("g");
  G.setUnmodelled("graph");
  Value *X = G.addInput("X", makeTensorType(ElementType::Float32, {4}));
  Value *D = G.addInput("D", makeTensorType(ElementType::Float32, {1}));
  G.setDefault(D, Tensor::of<float>({1}, {1}));
  D->setOverridable(true);
  D->setUnmodelled("input");
  Value *W = G.addInitializer("W", Tensor::of<float>({4}, {1, 2, 3, 4}));
  G.addOpaqueInitializer("sparse")->setUnmodelled("sparse");
  Node *If = G.insertNode(G.end(), "If", {X, nullptr, W}, "d");
  If->setName("if");
  If->setOverload("o");
  If->setUnmodelled("node");
  If->addAttribute({"number", int64_t(3), "attribute"});
  If->addAttribute({"tensors", std::vector<Tensor>{Tensor::scalar(1.0f)}, {}});
  for (const char *Name : {"then_branch", "else_branch"}) {
    auto Body = std::make_unique<Graph>(*M, If);
    Body->addOutput(Body->insert(Body->end(), "Add", {X, W}, "inner"));
    Body->addOutput(X);
    If->addAttribute({Name, std::move(Body), {}});
  }
  If->addOutput("");
  Value *Y = If->addOutput("Y", makeTensorType(ElementType::Float32, {4}));
  G.addOutput(Y);
  G.addOutput(Y);
  Function F{"d", "F", "o", {"alpha"}, {}, {{"", 17}}, std::make_unique<Graph>(*M), "function"};
  F.AttributeDefaults.push_back({"beta", 0.5f, {}});
  F.Body->addOutput(F.Body->insert(F.Body->end(), "Relu", {F.Body->addInput("x", std::nullopt)}, "y"));
  M->functions().push_back(std::move(F));
  ASSERT_FALSE(llvm::errorToBool(verify(*M)));

  std::unique_ptr<Model> Copy = M->clone();
  std::string Before = describe(*M);
  EXPECT_EQ(describe(*Copy), Before);
  EXPECT_FALSE(llvm::errorToBool(verify(*Copy)));
  EXPECT_EQ(Copy->uniqueName("inner"), M->uniqueName("inner"));

  // Neither knows of the other.
  Copy->graph().insert(Copy->graph().end(), "Relu", {Copy->graph().inputs()[0]}, "more");
  EXPECT_EQ(describe(*M), Before);
  M.reset();
  EXPECT_FALSE(llvm::errorToBool(verify(*Copy)));
}
