//===- VerifierTest.cpp - each broken invariant is found ------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/IR/Verifier.h"

#include <gmock/gmock.h>

using namespace deepshare;
using testing::HasSubstr;

namespace {
class VerifierTest : public testing::Test {
protected:
  Model M;
  Graph &G = M.graph();
  Value *X = G.addInput("X", makeTensorType(ElementType::Float32, {4}));
  Value *A = G.insert(G.end(), "Relu", {X}, "A");
  Value *B = G.insert(G.end(), "Abs", {A}, "B");

  void SetUp() override {
    G.setName("g");
    G.addOutput(B);
    ASSERT_EQ(message(), "");
  }
  std::string message() {
    llvm::Error E = verify(M);
    return E ? llvm::toString(std::move(E)) : "";
  }
};
} // namespace

TEST_F(VerifierTest, Order) {
  G.moveBefore(B->producer(), G.begin());
  EXPECT_EQ(message(), "invalid graph 'g': node 'B' (Abs): input 0 ('A') is not defined before the node");
}

TEST_F(VerifierTest, UsesItself) {
  A->producer()->setInput(0, A);
  EXPECT_THAT(message(), HasSubstr("node 'A' (Relu): input 0 ('A') is not defined before the node"));
}

TEST_F(VerifierTest, OutputOfAnotherGraph) {
  Model Other;
  G.addOutput(Other.graph().addInput("Z", std::nullopt));
  EXPECT_EQ(message(), "invalid graph 'g': graph output 'Z' is not defined");
  G.setOutput(1, B);
}

TEST_F(VerifierTest, ValueOfAnotherModel) {
  Model Other;
  A->producer()->setInput(0, Other.graph().addInput("Z", std::nullopt));
  EXPECT_THAT(message(), HasSubstr("input 0 ('Z') is not defined before the node"));
  A->producer()->setInput(0, X);
}

TEST_F(VerifierTest, ValueOfAnInnerGraph) {
  Node *If = G.insertNode(G.begin(), "If", {X});
  auto Body = std::make_unique<Graph>(M, If);
  Value *Inner = Body->insert(Body->end(), "Neg", {X}, "inner");
  If->addAttribute({"then_branch", std::move(Body), {}});
  B->producer()->setInput(0, Inner);
  EXPECT_THAT(message(), HasSubstr("node 'B' (Abs): input 0 ('inner') is not defined before the node"));
}

TEST_F(VerifierTest, SubgraphUsesALaterValue) {
  Node *If = G.insertNode(G.begin(), "If", {X});
  auto Body = std::make_unique<Graph>(M, If);
  Body->insert(Body->end(), "Neg", {A}, "inner");
  If->addAttribute({"then_branch", std::move(Body), {}});
  EXPECT_THAT(message(), HasSubstr("node 'inner' (Neg): input 0 ('A') is not defined before the node"));
}

TEST_F(VerifierTest, SubgraphOfAnotherNode) {
  Node *If = G.insertNode(G.end(), "If", {X});
  If->addAttribute({"then_branch", std::make_unique<Graph>(M, A->producer()), {}});
  EXPECT_THAT(message(), HasSubstr("the graph's parent is not the node that holds it"));
}

TEST_F(VerifierTest, DuplicateNames) {
  B->setName("A");
  EXPECT_EQ(message(), "invalid graph 'g': two values are named 'A'");
}

TEST_F(VerifierTest, UsedWithoutName) {
  A->setName("");
  EXPECT_THAT(message(), HasSubstr("a value without a name is used"));
}

TEST_F(VerifierTest, HiddenName) {
  Node *If = G.insertNode(G.end(), "If", {X});
  auto Body = std::make_unique<Graph>(M, If);
  Value *Inner = Body->insert(Body->end(), "Neg", {X}, "inner");
  Body->insert(Body->end(), "Neg", {X}, "last");
  If->addAttribute({"then_branch", std::move(Body), {}});
  EXPECT_EQ(message(), "");
  Inner->setName("X");
  EXPECT_THAT(message(), HasSubstr("node 'last' (Neg): input 0 ('X') is hidden by another value of this name"));
}

TEST_F(VerifierTest, TensorsOfAnotherSize) {
  char Bytes[9] = {};
  G.addInitializer("W", Tensor::copy(ElementType::Float32, {2}, Bytes));
  EXPECT_EQ(message(), "invalid graph 'g': tensor 'W': expected 2 elements of 4 bytes, got 9 bytes");
}

TEST_F(VerifierTest, AttributesOfAnotherSize) {
  A->producer()->setAttribute("value", Tensor::copy(ElementType::Int64, {3}, {}));
  EXPECT_THAT(message(), HasSubstr("tensor 'value': expected 3 elements of 8 bytes, got 0 bytes"));
  A->producer()->setAttribute("value", std::vector<Tensor>{Tensor::copy(ElementType::Int64, {-3}, {})});
  EXPECT_THAT(message(), HasSubstr("tensor 'value' has impossible dimensions"));
}

TEST_F(VerifierTest, StringsOfAnotherCount) {
  G.addInitializer("S", Tensor::strings({3}, {"a", "b"}));
  EXPECT_THAT(message(), HasSubstr("tensor 'S': expected 3 strings, got 2"));
}

TEST_F(VerifierTest, Functions) {
  Function F{"d", "F", "", {}, {}, {}, std::make_unique<Graph>(M), ""};
  F.Body->setName("body");
  F.Body->addOutput(X);
  M.functions().push_back(std::move(F));
  EXPECT_EQ(message(), "invalid graph 'body': graph output 'X' is not defined");
  M.functions().clear();
}
