//===- DamageTest.cpp - damaged models never crash ------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "TestModels.h"

#include <random>

using namespace deepshare;
using namespace deepshare::test;

// Something of everything: subgraphs, functions, raw and typed tensors, value_info, unknown fields.
static std::string sample() {
  std::unique_ptr<Model> M = parse("<ir_version: 10, opset_import: [\"\" : 17, \"d\" : 1], producer_name: \"p\">\n"
                                   "g (bool C, float[N,2] X) => (float[N,2] Y)\n"
                                   "<float[2] W = {1, 2}, int64[1] I = {3}, string[1] S = {\"s\"}, float[N,2] Z> {\n"
                                   "  Z = d.F <alpha = 0.5> (X)\n"
                                   "  K = Constant <value = float[2] {1, 2}, list = [1, 2], name = \"n\"> ()\n"
                                   "  Y = If (C) <\n"
                                   "    then_branch = t () => (A) { A = Add(Z, W) },\n"
                                   "    else_branch = e () => (B) <float[2] V = {3, 4}> { B = Add(Z, V) }>\n"
                                   "}\n"
                                   "<domain: \"d\", opset_import: [\"\" : 17]>\n"
                                   "F <alpha> (x) => (y) { y = LeakyRelu <alpha : float = @alpha> (x) }");
  M->graph().addInitializer("raw", Tensor::of<float>({2}, {5, 6}));
  return llvm::cantFail(serializeModel(*M)) + std::string("\xC0\xB8\x02\x07", 4);
}

// Reads bytes that may be anything. If they are a model after all, every later step must cope with it.
static bool survives(const std::string &Bytes) {
  llvm::Expected<std::unique_ptr<Model>> M = readModelFromBytes(Bytes, "damaged.onnx");
  if (!M) {
    EXPECT_NE(llvm::toString(M.takeError()), "");
    return false;
  }
  EXPECT_EQ(messageOf(verify(**M)), "");
  llvm::consumeError(inferShapes(**M));
  llvm::consumeError(checkModel(**M));
  llvm::consumeError(printModelText(*(*M)->clone()).takeError());
  llvm::Expected<std::string> Written = serializeModel(**M);
  EXPECT_TRUE(!!Written) << llvm::toString(Written.takeError());
  return true;
}

TEST(Damage, Truncated) {
  std::string Bytes = sample();
  ASSERT_TRUE(survives(Bytes));
  int Models = 0;
  for (size_t Size = 0; Size < Bytes.size(); ++Size)
    Models += survives(Bytes.substr(0, Size));
  EXPECT_LT(Models, 10) << "only ends between fields of the outermost message leave a model";
}

TEST(Damage, FlippedBytes) {
  std::string Bytes = sample();
  std::mt19937 Random(1);
  int Models = 0;
  for (int Round = 0; Round < 4000; ++Round) {
    std::string Damaged = Bytes;
    for (unsigned Flips = 1 + Random() % 3; Flips; --Flips)
      Damaged[Random() % Damaged.size()] = static_cast<char>(Random());
    Models += survives(Damaged);
  }
  EXPECT_GT(Models, 0);
  EXPECT_LT(Models, 4000);
}

TEST(Damage, Noise) {
  std::mt19937 Random(2);
  for (int Round = 0; Round < 2000; ++Round) {
    std::string Bytes(Random() % 200, '\0');
    for (char &C : Bytes)
      C = static_cast<char>(Random());
    EXPECT_FALSE(survives(Bytes));
  }
}

TEST(Damage, Text) {
  std::string Text = llvm::cantFail(printModelText(*llvm::cantFail(readModelFromBytes(sample(), "sample"))));
  std::mt19937 Random(3);
  for (int Round = 0; Round < 2000; ++Round) {
    std::string Damaged = Text;
    Damaged[Random() % Damaged.size()] = static_cast<char>(Random());
    if (llvm::Expected<std::unique_ptr<Model>> M = parseModelText(Damaged, "damaged"))
      EXPECT_EQ(messageOf(verify(**M)), "");
    else
      llvm::consumeError(M.takeError());
  }
}
