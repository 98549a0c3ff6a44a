//===- TextTest.cpp - ONNX text and shape inference -----------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/ONNX/ONNX.h"

#include <gmock/gmock.h>

using namespace deepshare;

static constexpr const char *Small = R"(
<ir_version: 8, opset_import: ["" : 17]>
g (float[N,4] X) => (float[N,2] Y)
<float[4,2] W = {1, 2, 3, 4, 5, 6, 7, 8}>
{
  H = MatMul(X, W)
  Y = Relu(H)
}
)";

TEST(Text, ParsesAndPrints) {
  auto M = parseModelText(Small, "small");
  ASSERT_TRUE(!!M) << llvm::toString(M.takeError());
  EXPECT_EQ((*M)->graph().numNodes(), 2u);
  EXPECT_EQ((*M)->irVersion(), 8);
  EXPECT_EQ((*M)->opsetVersion(), 17);
  const Value *W = (*M)->graph().initializers().front();
  EXPECT_THAT(W->constant()->toVector<float>(), testing::ElementsAre(1, 2, 3, 4, 5, 6, 7, 8));
  auto Text = printModelText(**M);
  ASSERT_TRUE(!!Text) << llvm::toString(Text.takeError());
  auto Again = parseModelText(*Text, "again");
  ASSERT_TRUE(!!Again) << llvm::toString(Again.takeError());
  EXPECT_EQ(llvm::cantFail(printModelText(**Again)), *Text);
}

TEST(Text, InfersShapes) {
  auto M = llvm::cantFail(parseModelText(Small, "small"));
  ASSERT_FALSE(llvm::errorToBool(inferShapes(*M)));
  const Node &MatMul = *M->graph().begin();
  ASSERT_TRUE(MatMul.output()->type());
  EXPECT_EQ(MatMul.output()->type()->str(), "float[N,2]");
}
