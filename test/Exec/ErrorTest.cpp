//===- ErrorTest.cpp - what lib/Exec says of models that it cannot run ----===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Graphs.h"

using namespace deepshare;

TEST(ExecErrors, UnknownOperatorsAreFoundBeforeTheRun) {
  TestModel T;
  Value *Y = T.node("Frobnicate", {T.input("x")}, "y", "com.example");
  Y->producer()->setName("frob");
  T.M.graph().addOutput(Y);
  EXPECT_FALSE(canExecute(*Y->producer()));
  EXPECT_EQ(messageOf(Executor::create(T.M)), "node 'frob' (Frobnicate): operator com.example.Frobnicate (opset 0) is "
                                              "neither known nor a function of the model");
}

TEST(ExecErrors, AttributesThatAreNotSupported) {
  TestModel T;
  Value *Y = T.node("Constant", {}, "y");
  Y->producer()->setAttribute("value_string", std::string("text"));
  EXPECT_FALSE(canExecute(*Y->producer()));
  EXPECT_EQ(messageOf(Executor::create(T.M)), "node 'y' (Constant): operator Constant is not supported with these "
                                              "attributes");
}

TEST(ExecErrors, OldOpsets) {
  TestModel T(6);
  T.node("Relu", {T.input("x")}, "y");
  EXPECT_EQ(messageOf(Executor::create(T.M)), "node 'y' (Relu): opset 6 is not supported, the oldest is 7");
}

TEST(ExecErrors, FunctionsThatCallThemselves) {
  TestModel T;
  T.M.addOpset("test", 1);
  Function F;
  F.Domain = "test";
  F.Name = "Endless";
  F.Body = std::make_unique<Graph>(T.M);
  Value *X = F.Body->addInput("X", std::nullopt);
  F.Body->addOutput(F.Body->insert(F.Body->end(), "Endless", {X}, "Y", "test"));
  T.M.functions().push_back(std::move(F));
  T.node("Endless", {T.input("x")}, "y", "test");
  EXPECT_EQ(messageOf(Executor::create(T.M)), "node 'y' (Endless): node 'Y' (Endless): the function calls itself");
}

TEST(ExecErrors, InputsThatDoNotFit) {
  TestModel T;
  TensorType Type{ElementType::Float32, Shape{Dim::symbolic("N"), Dim::fixed(3)}};
  T.M.graph().addOutput(T.node("Relu", {T.input("x", Type)}, "y"));
  std::unique_ptr<Executor> E = valueOf(Executor::create(T.M));
  EXPECT_EQ(messageOf(E->run({})), "expected 1 inputs, got 0");
  EXPECT_EQ(messageOf(E->run({at::ones({2, 4})})), "input 'x': expected float[N,3], got float[2,4]");
  EXPECT_EQ(messageOf(E->run({at::ones({2, 3, 1})})), "input 'x': expected float[N,3], got float[2,3,1]");
  EXPECT_EQ(messageOf(E->run({at::ones({2, 3}, at::kLong)})), "input 'x': expected float[N,3], got int64[2,3]");
  EXPECT_EQ(messageOf(E->run({at::Tensor()})), "input 'x' has no tensor");
  EXPECT_EQ(valueOf(E->run({at::ones({5, 3})}))[0].size(0), 5);
}

TEST(ExecErrors, KernelsNameTheNode) {
  TestModel T;
  Value *W = T.constant("w", at::zeros({4, 64, 3, 3}));
  Value *Y = T.node("Conv", {T.input("x"), W}, "y");
  Y->producer()->setName("first");
  T.M.graph().addOutput(Y);
  std::unique_ptr<Executor> E = valueOf(Executor::create(T.M));
  EXPECT_EQ(messageOf(E->run({at::ones({1, 32, 8, 8})})), "node 'first' (Conv): expected 64 channels, got 32");
  EXPECT_EQ(messageOf(E->run({at::ones({1, 64, 2, 8})})),
            "node 'first' (Conv): a window of 3 does not fit the padded size 2");
}

TEST(ExecErrors, MissingInputsAndWrongAttributes) {
  TestModel T;
  Value *X = T.input("x");
  auto MessageOf = [&](Value *Y, size_t Inputs) {
    return messageOf(executeNode(*Y->producer(), std::vector<at::Tensor>(Inputs, at::ones({2, 2}))));
  };
  EXPECT_EQ(MessageOf(T.node("Add", {X}, "a"), 1), "node 'a' (Add): input 1 is missing");
  Value *Y = T.node("Concat", {X, X}, "b");
  Y->producer()->setAttribute("axis", 2.0f);
  EXPECT_EQ(MessageOf(Y, 2), "node 'b' (Concat): attribute 'axis' has a wrong type");
  Y->producer()->setAttribute("axis", int64_t(7));
  EXPECT_EQ(MessageOf(Y, 2), "node 'b' (Concat): axis 7 is out of range for a tensor of 2 dimensions");
  EXPECT_EQ(MessageOf(Y, 1), "node 'b' (Concat): expected 2 inputs, got 1");
}

TEST(ExecErrors, IntegersAreNotDividedByZero) {
  TestModel T;
  Value *Y = T.node("Div", {T.input("a"), T.input("b")}, "y");
  std::vector<at::Tensor> Inputs = {at::ones({1}, at::kLong), at::zeros({1}, at::kLong)};
  EXPECT_EQ(messageOf(executeNode(*Y->producer(), Inputs)), "node 'y' (Div): ZeroDivisionError");
}
