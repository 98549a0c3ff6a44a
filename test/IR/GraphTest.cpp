//===- GraphTest.cpp - mutators, use lists, clones ------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/IR/Verifier.h"

#include <gtest/gtest.h>

using namespace deepshare;

TEST(Graph, InsertKeepsUses) {
  Model M;
  Graph &G = M.graph();
  Value *X = G.addInput("X", makeTensorType(ElementType::Float32, {1, 4}));
  Value *Y = G.insert(G.end(), "Relu", {X}, "Y");
  G.addOutput(Y);
  ASSERT_EQ(X->uses().size(), 1u);
  EXPECT_EQ(X->uses()[0], (Use{Y->producer(), 0}));
  EXPECT_FALSE(llvm::errorToBool(verify(M)));
}
