//===- TextTest.cpp - ONNX text -------------------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "TestModels.h"

using namespace deepshare;
using namespace deepshare::test;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST(Text, ParsesAndPrints) {
  std::unique_ptr<Model> M = parse(modelText("float[N,4] X", "float[N,2] Y",
                                             "<float[4,2] W = {1, 2, 3, 4, 5, 6, 7, 8}>\n"
                                             "{ H = MatMul(X, W) # a comment\n Y = Relu(H) }"));
  EXPECT_EQ(M->graph().numNodes(), 2u);
  EXPECT_EQ(M->irVersion(), 8);
  EXPECT_EQ(M->opsetVersion(), 17);
  const Value *W = M->graph().initializers().front();
  EXPECT_THAT(W->constant()->toVector<float>(), testing::ElementsAre(1, 2, 3, 4, 5, 6, 7, 8));
  std::string Text = llvm::cantFail(printModelText(*M));
  EXPECT_EQ(llvm::cantFail(printModelText(*parse(Text))), Text);
}

TEST(Text, PrintsRawTensors) {
  std::unique_ptr<Model> M = parse(modelText("float[2] X", "float[2] Y", "{ Y = Relu(X) }"));
  Graph &G = M->graph();
  G.begin()->addInput(G.addInitializer("W", Tensor::of<float>({2}, {1.5, -2})));
  EXPECT_THAT(llvm::cantFail(printModelText(*M)), HasSubstr("float[2] W =  {1.5,-2}"));
}

TEST(Text, SyntaxErrors) {
  auto Message = [](llvm::StringRef Text) { return messageOf(parseModelText(Text, "bad.onnxtxt")); };
  EXPECT_THAT(Message(modelText("float[2] X", "float[2] Y", "{ Y = Relu(X }")),
              AllOf(HasSubstr("bad.onnxtxt: [ParseError"), Not(HasSubstr("\n"))));
  EXPECT_THAT(Message(modelText("float[2] X", "float[2] Y", "{ Y = Relu(X) } 7")), HasSubstr("bad.onnxtxt: "));
  EXPECT_THAT(Message(""), HasSubstr("bad.onnxtxt: "));
  EXPECT_THAT(Message(std::string(100000, '(')), HasSubstr("brackets are nested more than 200 deep"));
  std::string Deep = "Y = Relu(X)";
  for (int I = 0; I < 150; ++I)
    Deep = "Y = If(X) <then_branch = g () => (float Y) { " + Deep + " }>";
  EXPECT_THAT(Message(modelText("float X", "float Y", "{" + Deep + "}")), HasSubstr("bad.onnxtxt: "));
}
