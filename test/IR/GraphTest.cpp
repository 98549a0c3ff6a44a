//===- GraphTest.cpp - mutators and use lists -----------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/IR/Verifier.h"

#include <gmock/gmock.h>

using namespace deepshare;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

namespace {
/// X -> A -> B -> output, and A -> C.
class GraphTest : public testing::Test {
protected:
  Model M;
  Graph &G = M.graph();
  Value *X = G.addInput("X", makeTensorType(ElementType::Float32, {1, 4}));
  Value *A = G.insert(G.end(), "Relu", {X}, "A");
  Value *B = G.insert(G.end(), "Abs", {A}, "B");
  Value *C = G.insert(G.end(), "Add", {A, A}, "C");

  void SetUp() override {
    B->setType(makeTensorType(ElementType::Float32, {1, 4}));
    G.addOutput(B);
  }
  void TearDown() override { expectValid(); }

  void expectValid() {
    if (llvm::Error E = verify(M))
      ADD_FAILURE() << llvm::toString(std::move(E));
  }
  std::vector<std::string> order() {
    std::vector<std::string> Types;
    for (Node &N : G)
      Types.push_back(N.opType().str());
    return Types;
  }
  /// Adds a node with a subgraph that uses \p Captured and returns \p Returned (its own value if null).
  Node *addIf(Value *Captured, Value *Returned) {
    Node *N = G.insertNode(G.end(), "If", {X});
    auto Body = std::make_unique<Graph>(M, N);
    Value *Inner = Body->insert(Body->end(), "Neg", {Captured}, "inner");
    Body->addOutput(Returned ? Returned : Inner);
    N->addAttribute({"then_branch", std::move(Body), {}});
    N->addOutput(M.uniqueName("If"));
    return N;
  }
};
} // namespace

TEST_F(GraphTest, InsertListsUses) {
  EXPECT_THAT(X->uses(), ElementsAre(Use{A->producer(), 0}));
  EXPECT_THAT(A->uses(), UnorderedElementsAre(Use{B->producer(), 0}, Use{C->producer(), 0}, Use{C->producer(), 1}));
  EXPECT_TRUE(B->isGraphOutput());
  EXPECT_FALSE(B->isDead());
  EXPECT_TRUE(C->isDead());
  EXPECT_EQ(A->producer()->parent(), &G);
  EXPECT_THAT(order(), ElementsAre("Relu", "Abs", "Add"));
}

TEST_F(GraphTest, InsertsBefore) {
  G.insert(Graph::iteratorTo(B->producer()), "Neg", {A}, "A");
  EXPECT_THAT(order(), ElementsAre("Relu", "Neg", "Abs", "Add"));
}

TEST_F(GraphTest, NamesAreMadeUnique) {
  EXPECT_EQ(G.insert(G.end(), "Neg", {A}, "A")->name(), "A_1");
  EXPECT_EQ(G.insert(G.end(), "Neg", {A}, "A")->name(), "A_2");
  EXPECT_EQ(G.addInitializer("A", Tensor::scalar<float>(1))->name(), "A_3");
  M.reserveName("Z");
  EXPECT_EQ(M.uniqueName("Z"), "Z_1");
  EXPECT_EQ(M.uniqueName("fresh"), "fresh");
  EXPECT_NE(M.uniqueName(""), "");
}

TEST_F(GraphTest, SetInputMovesTheUse) {
  Node *Add = C->producer();
  Add->setInput(1, X);
  EXPECT_EQ(Add->input(1), X);
  EXPECT_THAT(A->uses(), UnorderedElementsAre(Use{B->producer(), 0}, Use{Add, 0}));
  EXPECT_THAT(X->uses(), UnorderedElementsAre(Use{A->producer(), 0}, Use{Add, 1}));
  Add->setInput(1, nullptr);
  EXPECT_EQ(Add->input(1), nullptr);
  EXPECT_THAT(X->uses(), ElementsAre(Use{A->producer(), 0}));
}

TEST_F(GraphTest, AddsAndTruncatesInputs) {
  Node *Add = C->producer();
  Add->addInput(nullptr);
  Add->addInput(X);
  EXPECT_EQ(Add->numInputs(), 4u);
  EXPECT_EQ(Add->input(9), nullptr);
  Add->truncateInputs(1);
  EXPECT_EQ(Add->numInputs(), 1u);
  EXPECT_THAT(X->uses(), ElementsAre(Use{A->producer(), 0}));
  EXPECT_THAT(A->uses(), UnorderedElementsAre(Use{B->producer(), 0}, Use{Add, 0}));
}

TEST_F(GraphTest, ReplaceUsesIf) {
  Value *N = G.insert(Graph::iteratorTo(B->producer()), "Neg", {X}, "N");
  A->replaceUsesIf(N, [](const Use &U) { return U.Index == 0; });
  EXPECT_THAT(A->uses(), ElementsAre(Use{C->producer(), 1}));
  EXPECT_THAT(N->uses(), UnorderedElementsAre(Use{B->producer(), 0}, Use{C->producer(), 0}));
}

TEST_F(GraphTest, ReplaceAllUses) {
  A->replaceAllUsesWith(X);
  EXPECT_TRUE(A->isDead());
  EXPECT_EQ(B->producer()->input(0), X);
  EXPECT_EQ(A->name(), "A");
  EXPECT_EQ(X->name(), "X");
}

TEST_F(GraphTest, ReplacingAnOutputKeepsTheInterface) {
  G.addOutput(B);
  Value *N = G.insert(G.end(), "Neg", {A}, "N");
  B->setUnmodelled("docs");
  B->replaceAllUsesWith(N);
  EXPECT_THAT(G.outputs(), ElementsAre(N, N));
  EXPECT_EQ(N->name(), "B");
  EXPECT_EQ(N->type()->str(), "float[1,4]");
  EXPECT_EQ(N->unmodelled(), "docs");
  EXPECT_TRUE(B->isDead());
  G.erase(B->producer());
}

TEST_F(GraphTest, SubgraphsUseOuterValues) {
  Node *If = addIf(A, nullptr);
  EXPECT_EQ(A->uses().size(), 4u);
  A->replaceAllUsesWith(X);
  EXPECT_TRUE(A->isDead());
  EXPECT_EQ(If->subgraphs()[0]->begin()->input(0), X);
  G.erase(If);
  EXPECT_THAT(X->uses(), UnorderedElementsAre(Use{A->producer(), 0}, Use{B->producer(), 0}, Use{C->producer(), 0},
                                              Use{C->producer(), 1}));
}

TEST_F(GraphTest, SubgraphsReturnOuterValues) {
  Node *If = addIf(A, C);
  EXPECT_FALSE(C->isDead());
  EXPECT_TRUE(C->isGraphOutput());
  Value *N = G.insert(Graph::iteratorTo(If), "Neg", {A}, "N");
  C->replaceAllUsesWith(N);
  EXPECT_TRUE(C->isDead());
  EXPECT_THAT(If->subgraphs()[0]->outputs(), ElementsAre(N));
  // Only the outputs of the value's own graph are an interface.
  EXPECT_EQ(N->name(), "N");
  EXPECT_FALSE(N->isDead());
  G.erase(If);
  EXPECT_TRUE(N->isDead());
}

TEST_F(GraphTest, ErasesWhileIterating) {
  std::vector<std::string> Seen;
  for (Graph::iterator I = G.begin(); I != G.end();) {
    Node &N = *I;
    Seen.push_back(N.opType().str());
    I = N.output()->isDead() ? G.erase(&N) : std::next(I);
  }
  EXPECT_THAT(Seen, ElementsAre("Relu", "Abs", "Add"));
  EXPECT_THAT(order(), ElementsAre("Relu", "Abs"));
  EXPECT_EQ(A->uses().size(), 1u);
}

TEST_F(GraphTest, MovesNodes) {
  G.moveBefore(C->producer(), Graph::iteratorTo(B->producer()));
  EXPECT_THAT(order(), ElementsAre("Relu", "Add", "Abs"));
}

TEST_F(GraphTest, Initializers) {
  Value *W = G.addInitializer("W", Tensor::of<float>({2}, {1, 2}));
  EXPECT_TRUE(W->isInitializer());
  EXPECT_EQ(W->type()->str(), "float[2]");
  EXPECT_EQ(W->constant(), W->initializer());
  W->setInitializer(Tensor::of<float>({3}, {1, 2, 3}));
  EXPECT_EQ(W->type()->str(), "float[3]");
  G.eraseInitializer(W);
  EXPECT_THAT(G.initializers(), IsEmpty());
}

TEST_F(GraphTest, InputsWithDefaults) {
  G.setDefault(X, Tensor::of<float>({1, 4}, {1, 2, 3, 4}));
  EXPECT_TRUE(X->constant());
  X->setOverridable(true);
  EXPECT_FALSE(X->constant());
  EXPECT_TRUE(X->initializer());
  G.eraseInitializer(X);
  EXPECT_THAT(G.inputs(), ElementsAre(X));
  EXPECT_FALSE(X->isInitializer());
}

TEST_F(GraphTest, Attributes) {
  Node *N = A->producer();
  N->setAttribute("alpha", 0.5f);
  N->setAttribute("axes", std::vector<int64_t>{1, 2});
  N->setAttribute("mode", std::string("linear"));
  N->setAttribute("alpha", 0.25f);
  EXPECT_EQ(N->attributes().size(), 3u);
  EXPECT_EQ(N->floatAttribute("alpha", 1), 0.25f);
  EXPECT_EQ(N->intAttribute("alpha", 7), 7) << "another type counts as absent";
  EXPECT_THAT(N->intsAttribute("axes"), ElementsAre(1, 2));
  EXPECT_EQ(N->stringAttribute("mode", ""), "linear");
  EXPECT_TRUE(N->removeAttribute("mode"));
  EXPECT_FALSE(N->removeAttribute("mode"));
}

TEST_F(GraphTest, WalkVisitsSubgraphsAfterTheirNode) {
  addIf(A, nullptr);
  std::vector<std::string> Seen;
  G.walk([&](Node &N) { Seen.push_back(N.opType().str()); });
  EXPECT_THAT(Seen, ElementsAre("Relu", "Abs", "Add", "If", "Neg"));
}

TEST_F(GraphTest, DisplayName) {
  EXPECT_EQ(A->producer()->displayName(), "A");
  A->producer()->setName("first");
  EXPECT_EQ(A->producer()->displayName(), "first");
}
