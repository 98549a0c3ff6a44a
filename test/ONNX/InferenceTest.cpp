//===- InferenceTest.cpp - shape inference and checker --------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "TestModels.h"

using namespace deepshare;
using namespace deepshare::test;
using testing::HasSubstr;

static std::string typeOf(const Value *V) { return V->type() ? V->type()->str() : "unknown"; }

static Value *findValue(const Graph &G, llvm::StringRef Name) {
  for (const Node &N : G) {
    for (Value *V : N.outputs())
      if (V->name() == Name)
        return V;
    for (Graph *Subgraph : N.subgraphs())
      if (Value *V = findValue(*Subgraph, Name))
        return V;
  }
  return nullptr;
}

TEST(InferShapes, FillsInTypes) {
  std::unique_ptr<Model> M = parse(modelText("float[N,3,8,8] X", "float[N,K] Y",
                                             "{\n"
                                             "  C = Conv(X, X)\n"
                                             "  S = Shape(C)\n"
                                             "  I = Constant<value = int64 {0}>()\n"
                                             "  B = Gather<axis = 0>(S, I)\n"
                                             "  A = Constant<value = int64[1] {0}>()\n"
                                             "  U = Unsqueeze(B, A)\n"
                                             "  M = Constant<value = int64[1] {14400}>()\n"
                                             "  T = Concat<axis = 0>(U, M)\n"
                                             "  Y = Reshape(C, T)\n"
                                             "}"));
  // Too large for shape inference to see: its dimensions are enough.
  Graph &G = M->graph();
  std::vector<float> Weights(4 * 3 * 3 * 3 * 100);
  Value *W = G.addInitializer("big", Tensor::of<float>({400, 3, 3, 3}, Weights));
  G.begin()->setInput(1, W);
  ASSERT_EQ(messageOf(inferShapes(*M)), "");
  EXPECT_EQ(typeOf(findValue(G, "C")), "float[N,400,6,6]");
  EXPECT_EQ(typeOf(findValue(G, "T")), "int64[2]");
  EXPECT_EQ(typeOf(findValue(G, "Y")), "float[N,14400]") << "the reshape's target was propagated";
}

TEST(InferShapes, MultiplesOfTheBatch) {
  std::unique_ptr<Model> M = parse(modelText("float[N,3,8,8] X, float[M,3] Z", "float[A,B] Y",
                                             "{\n"
                                             "  T = Transpose<perm = [0, 2, 3, 1]>(X)\n"
                                             "  Columns = Constant<value = int64[2] {-1, 3}>()\n"
                                             "  Pixels = Reshape(T, Columns)\n"
                                             "  Row = Constant<value = int64[2] {-1, 192}>()\n"
                                             "  Images = Reshape(Pixels, Row)\n"
                                             "  Odd = Constant<value = int64[2] {-1, 7}>()\n"
                                             "  Uneven = Reshape(X, Odd)\n"
                                             "  Both = Concat<axis = 0>(Pixels, Z)\n"
                                             "  Zero = Constant<value = int64[1] {0}>()\n"
                                             "  Ten = Constant<value = int64[1] {10}>()\n"
                                             "  Some = Slice(Images, Zero, Ten, Zero)\n"
                                             "  Y = Relu(Some)\n"
                                             "}"));
  ASSERT_EQ(messageOf(inferShapes(*M)), "");
  Graph &G = M->graph();
  auto FirstOf = [&](llvm::StringRef Name) { return (*findValue(G, Name)->type()->Dims)[0]; };
  EXPECT_EQ(typeOf(findValue(G, "Pixels")), "float[64*N,3]");
  EXPECT_EQ(typeOf(findValue(G, "Images")), "float[N,192]");
  for (llvm::StringRef Unknown : {"Uneven", "Both", "Some"})
    EXPECT_FALSE(FirstOf(Unknown).isFixed() || FirstOf(Unknown).symbol() == "N") << Unknown.str();
  ASSERT_EQ(messageOf(inferShapes(*M)), "");
  EXPECT_EQ(FirstOf("Pixels"), Dim::multiple(64, "N")) << "told once, it stays";
}

TEST(InferShapes, SizesThatOnlyFollowLargeBatchesAreUnknown) {
  std::unique_ptr<Model> M =
      parse(modelText("float[N,4] X, float[M,4] Z", "float[P,4] Y",
                      "{\n  S = Add(X, Z)\n  H = Shape(S)\n  E = Expand(X, H)\n  Y = Relu(E)\n}"));
  ASSERT_EQ(messageOf(inferShapes(*M)), "");
  EXPECT_EQ(typeOf(findValue(M->graph(), "Y")), "float[P,4]");
  EXPECT_NE((*findValue(M->graph(), "S")->type()->Dims)[0].symbol(), "N");
}

TEST(InferShapes, RoundedSizesAreNoMultiples) {
  // Every other row, each twice but the last: 2 * ((N + 1) / 2) - 1, which is N for odd N.
  std::unique_ptr<Model> M = parse(modelText("float[N,4] X", "float[P,4] Y",
                                             "{\n  Zero = Constant<value = int64[1] {0}>()\n"
                                             "  Two = Constant<value = int64[1] {2}>()\n"
                                             "  Last = Constant<value = int64[1] {-1}>()\n"
                                             "  End = Constant<value = int64[1] {9223372036854775807}>()\n"
                                             "  Half = Slice(X, Zero, End, Zero, Two)\n"
                                             "  Twice = Concat<axis = 0>(Half, Half)\n"
                                             "  Y = Slice(Twice, Zero, Last, Zero)\n}"));
  ASSERT_EQ(messageOf(inferShapes(*M)), "");
  EXPECT_EQ(typeOf(findValue(M->graph(), "Y")), "float[P,4]");
}

TEST(InferShapes, NamesOfSeveralSizesStay) {
  // A file's name of rows that are not known (K is an input) is no other's, though other rows of the name are.
  std::unique_ptr<Model> M = parse(modelText("float[N,4] X, int64[1] K", "float[num,4] Y, float[num,4] Z",
                                             "{\n  Zero = Constant<value = int64[1] {0}>()\n"
                                             "  Rows = Constant<value = int64[2] {-1, 4}>()\n"
                                             "  Y = Reshape(X, Rows)\n  Z = Slice(Y, Zero, K, Zero)\n}"));
  ASSERT_EQ(messageOf(inferShapes(*M)), "");
  EXPECT_EQ(typeOf(findValue(M->graph(), "Z")), "float[num,4]");
}

TEST(InferShapes, BatchesOfAnyName) {
  // The first size of an input is the batch, whatever it is called. An output is what is computed, whatever it is
  // called.
  for (auto [Batch, Rows] : {std::pair("N", "64*N"), {"\"2*N\"", "64*2*N"}, {"?", "64*batch"}}) {
    std::unique_ptr<Model> M = parse(
        modelText("float[5] M, float[" + std::string(Batch) + ",8,8,3] X", "float[" + std::string(Batch) + ",3] Y",
                  "{\n  Columns = Constant<value = int64[2] {-1, 3}>()\n  R = Reshape(X, Columns)\n"
                  "  Y = Relu(R)\n}"));
    for (int Time = 0; Time < 2; ++Time) {
      ASSERT_EQ(messageOf(inferShapes(*M)), "");
      EXPECT_EQ(typeOf(findValue(M->graph(), "Y")), "float[" + std::string(Rows) + ",3]");
    }
  }
}

TEST(InferShapes, UnnamedBatchesAreNamed) {
  std::unique_ptr<Model> M = parse(
      modelText("float[?,3] A, float[batch,?] B, float[?,8,3] C", "float[?,?] X, float[?,?] Y",
                "{\n  Columns = Constant<value = int64[2] {-1, 3}>()\n  X = Relu(A)\n  Y = Reshape(C, Columns)\n}"));
  ASSERT_EQ(messageOf(inferShapes(*M)), "");
  std::vector<std::string> Inputs;
  for (const Value *Input : M->graph().inputs())
    Inputs.push_back(typeOf(Input));
  EXPECT_THAT(Inputs, testing::ElementsAre("float[batch_1,3]", "float[batch,?]", "float[batch_2,8,3]"));
  EXPECT_EQ(typeOf(findValue(M->graph(), "X")), "float[batch_1,3]");
  EXPECT_EQ(typeOf(findValue(M->graph(), "Y")), "float[8*batch_2,3]") << "of each input's batch";
}

TEST(InferShapes, SizesThatDoNotDependOnTheBatch) {
  // Windows of 16 pixels, and back to images as exporters write it: all but the number of windows is computed.
  std::unique_ptr<Model> M = parse(modelText("float[N,8,8,3] X", "float[A,B,C] Y",
                                             "{\n  Windows = Constant<value = int64[3] {-1, 16, 3}>()\n"
                                             "  W = Reshape(X, Windows)\n  R = Relu(W)\n  H = Shape(X)\n"
                                             "  Zero = Constant<value = int64[1] {0}>()\n"
                                             "  One = Constant<value = int64[1] {1}>()\n"
                                             "  N = Slice(H, Zero, One)\n"
                                             "  Rest = Constant<value = int64[2] {-1, 3}>()\n"
                                             "  T = Concat<axis = 0>(N, Rest)\n  Y = Reshape(R, T)\n}"));
  ASSERT_EQ(messageOf(inferShapes(*M)), "");
  EXPECT_EQ(typeOf(findValue(M->graph(), "R")), "float[4*N,16,3]");
  EXPECT_EQ(typeOf(findValue(M->graph(), "Y")), "float[N,64,3]");
}

TEST(InferShapes, DeclaredNamesOfOutputsAreNotBelieved) {
  // Both outputs are said to be a batch. One has as many rows as pass a test; what follows from it is not N either.
  std::unique_ptr<Model> M = parse(modelText("float[N,8] X, int64[2] T", "float[N,8] Y, float[N,2] Z, float[P,Q] W",
                                             "{\n  Pairs = Constant<value = int64[2] {-1, 2}>()\n"
                                             "  Least = Constant<value = float {1.5}>()\n"
                                             "  F = ReduceMax<keepdims = 0, axes = [1]>(X)\n  B = Greater(F, Least)\n"
                                             "  Y = Compress<axis = 0>(X, B)\n  R = Relu(Y)\n  Z = Reshape(X, Pairs)\n"
                                             "  V = Relu(Z)\n  W = Expand(X, T)\n}"));
  for (int Time = 0; Time < 2; ++Time) {
    ASSERT_EQ(messageOf(inferShapes(*M)), "");
    for (llvm::StringRef Unknown : {"Y", "R"})
      EXPECT_THAT(typeOf(findValue(M->graph(), Unknown)), testing::StartsWith("float[unk__")) << Unknown.str();
    for (llvm::StringRef Known : {"Z", "V"})
      EXPECT_EQ(typeOf(findValue(M->graph(), Known)), "float[4*N,2]") << Known.str();
    EXPECT_EQ(typeOf(findValue(M->graph(), "W")), "float[P,8]") << "a name of its own";
  }
}

TEST(InferShapes, NamesInBodiesAreTheirOwn) {
  // N of the main graph and of the body are two.
  std::unique_ptr<Model> M =
      parse(modelText("bool C, int64 T, float[N,8] X, int64[2] K", "float[A,8] Y",
                      "{\n  E = Expand(X, K)\n  Y = Loop (T, C, E) <body = b (int64 i, bool c, float[N,8] s) => "
                      "(bool o, float[N,8] r) { o = Identity(c) r = Relu(s) }>\n}"));
  ASSERT_EQ(messageOf(inferShapes(*M)), "");
  EXPECT_EQ(typeOf(findValue(M->graph(), "r")).find("N"), std::string::npos);
}

TEST(InferShapes, SizesOfAFewBatchesSayNothingOfOthers) {
  // X[2:][-3:3] has 0, 0, 1, 2, 3, 2, 2, ... rows; and a row, every third, and every third but the first twice 1, 2, 4,
  // ...
  std::unique_ptr<Model> M =
      parse(modelText("float[N,8] X", "float[A,8] Y, float[B,8] Z",
                      "{\n  Zero = Constant<value = int64[1] {0}>()\n  One = Constant<value = int64[1] {1}>()\n"
                      "  Two = Constant<value = int64[1] {2}>()\n  Three = Constant<value = int64[1] {3}>()\n"
                      "  Last = Constant<value = int64[1] {-3}>()\n  Row = Constant<value = float[1,8] "
                      "{1, 2, 3, 4, 5, 6, 7, 8}>()\n  End = Constant<value = int64[1] {9223372036854775807}>()\n"
                      "  S = Slice(X, Two, End, Zero)\n  Y = Slice(S, Last, Three, Zero)\n"
                      "  P = Slice(X, One, End, Zero, Three)\n  Q = Slice(X, Two, End, Zero, Three)\n"
                      "  Z = Concat<axis = 0>(Row, P, Q, Q)\n}"));
  ASSERT_EQ(messageOf(inferShapes(*M)), "");
  EXPECT_EQ(typeOf(findValue(M->graph(), "Y")), "float[A,8]");
  EXPECT_EQ(typeOf(findValue(M->graph(), "Z")), "float[B,8]");
}

TEST(InferShapes, ImagesComeBeforeVectors) {
  std::string Inputs;
  for (char Name = 'a'; Name < 'f'; ++Name)
    Inputs += std::string("float[n") + Name + "] " + Name + ", ";
  std::unique_ptr<Model> M =
      parse(modelText(Inputs + "float[N,4,4,3] X", "float[A,3] Y",
                      "{\n  Columns = Constant<value = int64[2] {-1, 3}>()\n  Y = Reshape(X, Columns)\n}"));
  ASSERT_EQ(messageOf(inferShapes(*M)), "");
  EXPECT_EQ(typeOf(findValue(M->graph(), "Y")), "float[16*N,3]");
}

TEST(InferShapes, MultiplesOfTheBatchReachBodies) {
  std::unique_ptr<Model> M = parse(
      modelText("bool C, int64 T, float[N,3,8,8] X", "float[rows,A] Y, float[rows,rows] Z",
                "{\n  Columns = Constant<value = int64[2] {-1, 3}>()\n  F = Reshape(X, Columns)\n"
                "  I = If (C) <then_branch = t () => (A) { A = Relu(F) }, else_branch = e () => (B) { B = Neg(F) }>\n"
                "  L = Loop (T, , I) <body = b (int64 i, bool c, float[] s) => (bool o, float[] r) "
                "{ o = Identity(c) r = Relu(s) }>\n  Y = Relu(L)\n  U = Transpose(Y)\n  Z = MatMul(Y, U)\n}"));
  for (int Time = 0; Time < 2; ++Time) {
    ASSERT_EQ(messageOf(inferShapes(*M)), "");
    for (llvm::StringRef Known : {"F", "A", "I", "L", "Y"})
      EXPECT_EQ(typeOf(findValue(M->graph(), Known)), "float[64*N,3]") << Known.str();
    EXPECT_EQ(typeOf(findValue(M->graph(), "Z")), "float[64*N,64*N]");
  }
}

TEST(InferShapes, LooksIntoSubgraphsAndFunctions) {
  std::unique_ptr<Model> M = parse("<ir_version: 8, opset_import: [\"\" : 17, \"d\" : 1]>\n"
                                   "g (bool C, float[N,4] X) => (Y) {\n"
                                   "  Z = d.F(X)\n"
                                   "  Y = If (C) <\n"
                                   "    then_branch = t () => (A) { A = Transpose(Z) },\n"
                                   "    else_branch = e () => (B) { B = Transpose(X) }>\n"
                                   "}\n"
                                   "<domain: \"d\", opset_import: [\"\" : 17]>\n"
                                   "F (x) => (y) { y = Relu(x) }");
  ASSERT_EQ(messageOf(inferShapes(*M)), "");
  EXPECT_EQ(typeOf(findValue(M->graph(), "Z")), "float[N,4]");
  EXPECT_EQ(typeOf(findValue(M->graph(), "A")), "float[4,N]");
  EXPECT_EQ(typeOf(findValue(M->graph(), "Y")), "float[4,N]");
}

TEST(InferShapes, RefinesKnownTypes) {
  std::unique_ptr<Model> M = parse(modelText("float[N,4] X", "float[M,K] Y", "{ H = Relu(X) Y = Foo(H) }"));
  findValue(M->graph(), "H")->setType(TensorType{ElementType::Float32, Shape{Dim(), Dim()}});
  ASSERT_EQ(messageOf(inferShapes(*M)), "");
  EXPECT_EQ(typeOf(findValue(M->graph(), "H")), "float[N,4]");
  EXPECT_EQ(typeOf(findValue(M->graph(), "Y")), "float[M,K]") << "of an unknown operator: left alone";
}

TEST(InferShapes, IsRepeatable) {
  std::unique_ptr<Model> M = parse(modelText("float[N,4] X", "float[N,4] Y", "{ H = Relu(X) Y = Relu(H) }"));
  ASSERT_EQ(messageOf(inferShapes(*M)), "");
  std::string Once = llvm::cantFail(serializeModel(*M));
  ASSERT_EQ(messageOf(inferShapes(*M)), "");
  EXPECT_EQ(llvm::cantFail(serializeModel(*M)), Once);
}

TEST(InferShapes, ContradictionsNameTheNode) {
  EXPECT_EQ(
      messageOf(inferShapes(*parse(modelText("float[1,4] X", "float[1,5] Y", "{ Y = Relu(X) }")))),
      "cannot infer shapes: node 'Y' (Relu): Inferred shape and existing shape differ in dimension 1: (4) vs (5)");
  EXPECT_EQ(messageOf(inferShapes(*parse(modelText("float[1,4] X, float[3] Z", "Y", "{ [sum] Y = Add(X, Z) }")))),
            "cannot infer shapes: node 'sum' (Add): Incompatible dimensions");
  EXPECT_THAT(messageOf(inferShapes(*parse(modelText("float[4] X", "int64[4] Y", "{ Y = Relu(X) }")))),
              HasSubstr("node 'Y' (Relu): Inferred elem type differs from existing elem type"));
  EXPECT_EQ(messageOf(inferShapes(*parse(modelText("float[4] X, int64[4] Z", "Y", "{ Y = Add(X, Z) }")))),
            "cannot infer shapes: node 'Y' (Add): B has inconsistent type tensor(int64)");
  EXPECT_EQ(messageOf(inferShapes(
                *parse(modelText("float[1,4,8,8] X, float[4,4,1,1] W", "Y", "{ Y = Conv<strides = [1]>(X, W) }")))),
            "cannot infer shapes: node 'Y' (Conv): Attribute strides has incorrect size");
  EXPECT_EQ(messageOf(inferShapes(*parse(modelText("float[N,8] X, float[9,4] W", "Y", "{ Y = Gemm(X, W) }")))),
            "cannot infer shapes: node 'Y' (Gemm): Dimension mismatch in unification between 9 and 8");
  EXPECT_EQ(messageOf(inferShapes(*parse(
                modelText("float[8,8] X", "Y", "{ T = Constant<value = int64[2] {7, -1}>() Y = Reshape(X, T) }")))),
            "cannot infer shapes: node 'Y' (Reshape): Dimension could not be inferred: incompatible shapes");
  EXPECT_THAT(
      messageOf(inferShapes(*parse(modelText(
          "float[1,1,8,8] X", "Y",
          "{ Y = MaxPool<kernel_shape = [2, 2], pads = [4611686018427387904, 0, 4611686018427387904, 0]>(X) }")))),
      HasSubstr("node 'Y' (MaxPool): Integer overflow while adding"));
  EXPECT_THAT(messageOf(inferShapes(*parse(modelText("float[4] X", "Y", "{ Y = com.microsoft.Gelu(X) }")))),
              HasSubstr("node name Y. No opset import for domain com.microsoft"));
}

TEST(InferShapes, OldOperatorSets) {
  std::unique_ptr<Model> M = parse("<ir_version: 3, opset_import: [\"\" : 6]> g (float[1] X) => (float[1] Y) "
                                   "{ Y = Relu(X) }");
  EXPECT_EQ(messageOf(inferShapes(*M)),
            "expected ONNX operator set 7 or later, got 6; convert the model with onnx.version_converter");
}

TEST(CheckModel, KnowsOperators) {
  EXPECT_EQ(messageOf(checkModel(*parse(modelText("float[1] X", "float[1] Y", "{ Y = Relu(X) }")))), "");
  EXPECT_THAT(messageOf(checkModel(*parse(modelText("float[1] X", "float[1] Y", "{ Y = Relu<slope = 1>(X) }")))),
              HasSubstr("ONNX's checker refuses the model: "));
  EXPECT_THAT(messageOf(checkModel(*parse(modelText("float[1] X", "float[1] Y", "{ Y = NoSuch(X) }")))),
              HasSubstr("NoSuch"));
}
