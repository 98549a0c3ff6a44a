//===- ImportTest.cpp - what the importer makes of a model ----------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "TestModels.h"

using namespace deepshare;
using namespace deepshare::test;
using testing::ElementsAre;
using testing::HasSubstr;

// A model whose nodes and initialisers the caller changes.
static ModelProto sample() {
  return toProto(*parse(
      modelText("float[2] X", "float[2] Y", "<float[2] W = {1, 2}> { [first] H = Add(X, W) [second] Y = Relu(H) }")));
}

static std::string messageFor(const ModelProto &P) { return messageOf(fromProto(P)); }

TEST(Import, ViewsTheBytes) {
  TemporaryFolder Folder;
  ModelProto P = sample();
  TensorProto &W = *P.mutable_graph()->mutable_initializer(0);
  W.Clear();
  W.set_name("W");
  W.set_data_type(TensorProto::FLOAT);
  W.add_dims(1 << 20);
  W.mutable_raw_data()->assign(4 << 20, '\1');
  Folder.write("model.onnx", P.SerializeAsString());
  std::unique_ptr<Model> M = llvm::cantFail(readModel(Folder.file("model.onnx")));
  const Tensor &T = *M->graph().initializers()[0]->constant();
  EXPECT_EQ(T.numElements(), 1 << 20);
  EXPECT_EQ(T.bytes().back(), '\1');
  auto *Buffer = static_cast<const llvm::MemoryBuffer *>(T.owner().get());
  EXPECT_EQ(Buffer->getBufferKind(), llvm::MemoryBuffer::MemoryBuffer_MMap);
  EXPECT_GE(T.bytes().data(), Buffer->getBufferStart());
  EXPECT_LE(T.bytes().end(), Buffer->getBufferEnd());
  Tensor Kept = T;
  M.reset();
  EXPECT_EQ(Kept.bytes().back(), '\1') << "the mapping lives as long as a tensor of it";
}

TEST(Import, ReplacingTheMappedFileIsSafe) {
  TemporaryFolder Folder;
  ModelProto P = sample();
  TensorProto &W = *P.mutable_graph()->mutable_initializer(0);
  W.clear_float_data();
  W.set_dims(0, 1 << 16);
  W.mutable_raw_data()->assign(4 << 16, '\1');
  Folder.write("model.onnx", P.SerializeAsString());
  std::unique_ptr<Model> M = llvm::cantFail(readModel(Folder.file("model.onnx")));
  ASSERT_EQ(messageOf(writeModel(*M, Folder.file("model.onnx"))), "");
  EXPECT_EQ(M->graph().initializers()[0]->constant()->bytes().back(), '\1');
  EXPECT_EQ(Folder.read("model.onnx"), P.SerializeAsString());
  EXPECT_THAT(Folder.list(), ElementsAre("model.onnx"));
}

TEST(Import, DefaultsOfInputs) {
  ModelProto P = sample();
  ValueInfoProto &Input = *P.mutable_graph()->add_input();
  Input.set_name("W");
  Input.mutable_type()->mutable_tensor_type()->set_elem_type(TensorProto::FLOAT);
  P.set_ir_version(3);
  std::unique_ptr<Model> Old = llvm::cantFail(fromProto(P));
  EXPECT_EQ(Old->graph().inputs().size(), 2u);
  EXPECT_TRUE(Old->graph().inputs()[1]->constant());
  P.set_ir_version(4);
  std::unique_ptr<Model> New = llvm::cantFail(fromProto(P));
  EXPECT_TRUE(New->graph().inputs()[1]->isOverridable());
  EXPECT_FALSE(New->graph().inputs()[1]->constant());
  EXPECT_TRUE(New->graph().inputs()[1]->initializer());
}

TEST(Import, DomainsAndOptionalInputs) {
  ModelProto P = sample();
  NodeProto &N = *P.mutable_graph()->mutable_node(1);
  N.set_domain("ai.onnx");
  N.set_op_type("Clip");
  N.add_input("");
  N.add_input("W");
  std::unique_ptr<Model> M = llvm::cantFail(fromProto(P));
  const Node &Second = *std::next(M->graph().begin());
  EXPECT_TRUE(Second.is("Clip"));
  EXPECT_EQ(Second.numInputs(), 3u);
  EXPECT_EQ(Second.input(1), nullptr);
  EXPECT_EQ(toProto(*M).graph().node(1).domain(), "ai.onnx");
}

TEST(Import, FilesThatAreNoModels) {
  TemporaryFolder Folder;
  EXPECT_THAT(messageOf(readModel(Folder.file("none.onnx"))), HasSubstr("none.onnx': No such file"));
  EXPECT_THAT(messageOf(readModel(Folder.path())), HasSubstr("cannot read"));
  Folder.write("empty.onnx", "");
  EXPECT_EQ(messageOf(readModel(Folder.file("empty.onnx"))),
            Folder.file("empty.onnx") + ": not an ONNX model: it has no IR version");
  for (llvm::StringRef Foreign : {"\x89PNG\r\n\x1a\n and so on", "PK\x03\x04 a zip file", "{\"json\": true}"}) {
    Folder.write("foreign.onnx", Foreign);
    EXPECT_THAT(messageOf(readModel(Folder.file("foreign.onnx"))), HasSubstr("foreign.onnx: not an ONNX model"));
  }
  // A valid message of another kind: a tensor.
  Folder.write("tensor.onnx", sample().graph().initializer(0).SerializeAsString());
  EXPECT_THAT(messageOf(readModel(Folder.file("tensor.onnx"))), HasSubstr("tensor.onnx: not an ONNX model"));
}

TEST(Import, Versions) {
  ModelProto P = sample();
  P.set_ir_version(2);
  EXPECT_EQ(messageFor(P), "test.onnx: expected IR version 3 or later, got 2");
  P.set_ir_version(Version::IR_VERSION + 1);
  EXPECT_EQ(messageFor(P), "test.onnx: expected IR version " + std::to_string(Version::IR_VERSION) +
                               " or earlier, which are those that are known, got " +
                               std::to_string(Version::IR_VERSION + 1));
  P.set_ir_version(Version::IR_VERSION);
  EXPECT_EQ(messageFor(P), "no error");
  P.set_ir_version(3);
  P.mutable_opset_import(0)->set_version(6);
  EXPECT_EQ(llvm::cantFail(fromProto(P))->opsetVersion(), 6);
  P.clear_graph();
  EXPECT_EQ(messageFor(P), "test.onnx: not an ONNX model: it has no graph");
}

TEST(Import, NamesThatAreNotDefined) {
  ModelProto P = sample();
  P.mutable_graph()->mutable_node(0)->set_input(1, "lost");
  EXPECT_EQ(messageFor(P),
            "test.onnx: node 'first' (Add): input 'lost' is not defined by any input, initialiser or node");
  P = sample();
  P.mutable_graph()->mutable_output(0)->set_name("lost");
  EXPECT_EQ(messageFor(P), "test.onnx: graph 'g': its output 'lost' is not defined");
}

TEST(Import, OrderAndCycles) {
  ModelProto P = sample();
  P.mutable_graph()->mutable_node()->SwapElements(0, 1);
  EXPECT_EQ(messageFor(P), "test.onnx: node 'second' (Relu): input 'H' is the output of a later node, 'first' (Add); "
                           "expected nodes in an order without forward references");
  P = sample();
  P.mutable_graph()->mutable_node(0)->set_input(0, "H");
  EXPECT_THAT(messageFor(P), HasSubstr("node 'first' (Add): input 'H' is the output of the node itself"));
}

TEST(Import, DuplicateNames) {
  ModelProto P = sample();
  P.mutable_graph()->mutable_node(1)->set_output(0, "X");
  EXPECT_EQ(messageFor(P), "test.onnx: node 'second' (Relu): its output 'X' is defined twice");
  P = sample();
  *P.mutable_graph()->add_input() = P.graph().input(0);
  EXPECT_EQ(messageFor(P), "test.onnx: graph 'g': two inputs are named 'X'");
  P = sample();
  *P.mutable_graph()->add_initializer() = P.graph().initializer(0);
  EXPECT_EQ(messageFor(P), "test.onnx: graph 'g': two initialisers are named 'W'");
  P = sample();
  P.mutable_graph()->mutable_node(1)->add_attribute()->set_name("a");
  P.mutable_graph()->mutable_node(1)->add_attribute()->set_name("a");
  EXPECT_EQ(messageFor(P), "test.onnx: node 'second' (Relu): it has attribute 'a' twice");
}

TEST(Import, TensorsOfAnotherSize) {
  auto Message = [](auto Change) {
    ModelProto P = sample();
    Change(*P.mutable_graph()->mutable_initializer(0));
    return messageFor(P);
  };
  EXPECT_EQ(Message([](TensorProto &T) { T.set_dims(0, 3); }),
            "test.onnx: tensor 'W': expected 12 bytes for float[3], got 8");
  EXPECT_EQ(Message([](TensorProto &T) { T.set_dims(0, -1); }), "test.onnx: tensor 'W': impossible dimensions [-1]");
  EXPECT_EQ(Message([](TensorProto &T) {
              T.set_dims(0, int64_t(1) << 62);
              T.add_dims(4);
            }),
            "test.onnx: tensor 'W': impossible dimensions [4611686018427387904,4]");
  EXPECT_EQ(Message([](TensorProto &T) { T.set_dims(0, int64_t(1) << 62); }),
            "test.onnx: tensor 'W': impossible dimensions [4611686018427387904]");
  EXPECT_EQ(Message([](TensorProto &T) { T.set_raw_data("abcd"); }),
            "test.onnx: tensor 'W': its elements are given twice");
  EXPECT_EQ(Message([](TensorProto &T) { T.add_int64_data(1); }),
            "test.onnx: tensor 'W': its elements are given twice");
  EXPECT_EQ(Message([](TensorProto &T) { T.clear_data_type(); }), "test.onnx: tensor 'W': it has no element type");
  EXPECT_EQ(Message([](TensorProto &T) {
              T.clear_float_data();
              T.set_data_type(TensorProto::STRING);
              T.add_string_data("one");
            }),
            "test.onnx: tensor 'W': expected string[2], got 1 strings");
}

TEST(Import, ElementTypes) {
  // Of types that the IR does not know the elements are kept as they are.
  for (int Type = TensorProto::FLOAT; TensorProto::DataType_IsValid(Type); ++Type) {
    ModelProto P = sample();
    TensorProto &W = *P.mutable_graph()->mutable_initializer(0);
    W.clear_float_data();
    W.set_dims(0, 0);
    W.set_data_type(Type);
    EXPECT_EQ(messageFor(P), "no error") << Type;
  }
  for (int Type : {99, -1, TensorProto::DataType_MAX + 1}) {
    std::string Reason = "expected an element type of ONNX, got number " + std::to_string(Type);
    ModelProto P = sample();
    P.mutable_graph()->mutable_initializer(0)->set_data_type(Type);
    EXPECT_EQ(messageFor(P), "test.onnx: tensor 'W': " + Reason);

    P = sample();
    AttributeProto &A = *P.mutable_graph()->mutable_node(1)->add_attribute();
    A.set_name("a");
    A.set_type(AttributeProto::TENSOR);
    A.mutable_t()->set_data_type(Type);
    EXPECT_EQ(messageFor(P), "test.onnx: node 'second' (Relu): tensor 'a': " + Reason);
    A.clear_t();
    A.set_type(AttributeProto::SPARSE_TENSOR);
    A.mutable_sparse_tensor()->mutable_values()->set_data_type(Type);
    EXPECT_EQ(messageFor(P), "test.onnx: node 'second' (Relu): tensor 'a': " + Reason);
    A.clear_sparse_tensor();
    A.set_type(AttributeProto::GRAPH);
    *A.mutable_g()->add_initializer() = sample().graph().initializer(0);
    A.mutable_g()->mutable_initializer(0)->set_data_type(Type);
    EXPECT_EQ(messageFor(P), "test.onnx: node 'second' (Relu): tensor 'W': " + Reason);

    P = sample();
    TensorProto &Sparse = *P.mutable_graph()->add_sparse_initializer()->mutable_values();
    Sparse.set_name("S");
    Sparse.set_data_type(Type);
    EXPECT_EQ(messageFor(P), "test.onnx: tensor 'S': " + Reason);
  }
}

// ONNX Runtime runs graphs that list an output twice, but no such function, and no model without outputs.
TEST(Import, Outputs) {
  ModelProto P = sample();
  *P.mutable_graph()->add_output() = P.graph().output(0);
  EXPECT_EQ(llvm::cantFail(fromProto(P))->graph().outputs().size(), 2u);
  P.mutable_graph()->clear_output();
  TemporaryFolder Folder;
  Folder.write("none.onnx", P.SerializeAsString());
  EXPECT_EQ(messageOf(readModel(Folder.file("none.onnx"))),
            Folder.file("none.onnx") + ": graph 'g': expected at least 1 output, got none");
  std::string Calls = "<ir_version: 8, opset_import: [\"\" : 17, \"d\" : 1]>\n"
                      "g (float X) => (float Y, float Z) { Y, Z = d.F(X) }"
                      "<domain: \"d\", opset_import: [\"\" : 17]> F (A) => (B, B) { B = Relu(A) }";
  EXPECT_EQ(llvm::toString(parseModelText(Calls, "test.onnx").takeError()),
            "test.onnx: function 'F': it lists its output 'B' twice");
}

TEST(Import, ErrorsInSubgraphsNameTheWay) {
  ModelProto P = toProto(*parse(modelText("bool C, float X", "float Y",
                                          "{ [choice] Y = If(C) <then_branch = t () => (float A) { A = Relu(X) },"
                                          " else_branch = e () => (float B) { B = Relu(X) }> }")));
  P.mutable_graph()->mutable_node(0)->mutable_attribute(1)->mutable_g()->mutable_node(0)->set_input(0, "A");
  EXPECT_EQ(messageFor(P), "test.onnx: node 'choice' (If): node 'B' (Relu): input 'A' is not defined by any input, "
                           "initialiser or node");
}

TEST(Import, NodesHaveWhatTheirOperatorsNeed) {
  auto Message = [](const std::string &Body) {
    return llvm::toString(parseModelText(modelText("float[N,4,8,8] X", "float Y", Body), "test.onnx").takeError());
  };
  EXPECT_EQ(Message("{ Y = Conv(X) }"), "test.onnx: node 'Y' (Conv): expected at least 2 operands, got 1");
  EXPECT_EQ(Message("{ C = Relu(X) Y = Add(\"\", C) }"), "test.onnx: node 'Y' (Add): operand 0 (A) is left out");
  EXPECT_EQ(Message("{ Y = MaxPool<kernel_shape = [2, 2], strides = [0, 2]>(X) }"),
            "test.onnx: node 'Y' (MaxPool): attribute 'strides': expected sizes of at least 1, got 0");
  EXPECT_EQ(Message("{ W = Relu(X) Y = Conv<group = 0>(X, W) }"),
            "test.onnx: node 'Y' (Conv): attribute 'group': expected at least 1, got 0");
  EXPECT_EQ(Message("{ Y = Add(X, X, X) }"), "test.onnx: node 'Y' (Add): expected at most 2 operands, got 3");
  EXPECT_EQ(Message("{ Y, Z = Relu(X) }"), "test.onnx: node 'Y' (Relu): expected at most 1 outputs, got 2");
  EXPECT_EQ(Message("{ , Y = LSTM<hidden_size = 3>(X, X) }"),
            "test.onnx: node 'Y' (LSTM): expected at least 3 operands, got 2");
  EXPECT_EQ(Message("{ , Z = MaxPool<kernel_shape = [2, 2]>(X) Y = Neg(X) }"),
            "test.onnx: node 'Z' (MaxPool): output 0 (Y) is left out");
  EXPECT_EQ(Message("{ Y = Concat(X, X) }"), "test.onnx: node 'Y' (Concat): attribute 'axis' is missing");
  EXPECT_EQ(Message("{ Y = Concat<axis = 1.5>(X, X) }"),
            "test.onnx: node 'Y' (Concat): attribute 'axis': expected INT, got FLOAT");
  EXPECT_EQ(Message("{ Y = ATen(X) }"), "") << "no opset has it: an old exporter's own";
  EXPECT_EQ(Message("{ Y = Gelu(X) }"), "") << "ONNX Runtime writes operators of later opsets into files";
  EXPECT_EQ(Message("{ Y = Gelu(X, X) }"), "test.onnx: node 'Y' (Gelu): expected at most 1 operands, got 2");
}

TEST(Import, FunctionsHaveWhatTheirOperatorsNeed) {
  auto Message = [](const std::string &Body, const std::string &Function) {
    return llvm::toString(
        parseModelText("<ir_version: 8, opset_import: [\"\" : 17, \"d\" : 1]>\ng (float X) => (float Y) " + Body +
                           Function,
                       "test.onnx")
            .takeError());
  };
  EXPECT_EQ(Message("{ Y = d.F() }", "<domain: \"d\", opset_import: [\"\" : 17]> F (A) => (B) { B = Relu(A) }"),
            "test.onnx: node 'Y' (F): operand 0 is left out, which node 'B' (Relu) of the function needs");
  EXPECT_EQ(Message("{ Y = d.F(X) }", "<domain: \"d\", opset_import: [\"\" : 17]> F (A, M) => (B) { B = Clip(A, M) }"),
            "");
  EXPECT_EQ(Message("{ Y = d.F(X) }", "<domain: \"d\", opset_import: [\"d\" : 1]> F (A) => (B) { B = Relu(A) }"),
            "test.onnx: function 'd.F': node 'B' (Relu): no operator set of ONNX's own domain is imported");
  std::string Relu = "<domain: \"\", opset_import: [\"\" : 17]> Relu (A) => (B) { B = Neg(A) }";
  EXPECT_EQ(Message("{ Y = Abs(X) }", Relu), "");
  EXPECT_EQ(Message("{ Y = Relu(X) }", Relu),
            "test.onnx: node 'Y' (Relu): the file has a function of this name, and ONNX an operator");
  // What a function hands on to another, and to a body.
  EXPECT_EQ(Message("{ Y = d.F() }", "<domain: \"d\", opset_import: [\"d\" : 1]> F (A) => (B) { B = d.G(A) }"
                                     "<domain: \"d\", opset_import: [\"\" : 17]> G (A) => (B) { B = Relu(A) }"),
            "test.onnx: node 'Y' (F): operand 0 is left out, which node 'B' (G) of the function needs");
  EXPECT_EQ(
      Message(
          "{ Y = d.F(X) }",
          "<domain: \"d\", opset_import: [\"\" : 17]> F (A, C) => (B) { One = Constant<value = bool {1}>() "
          "B = If(One) <then_branch = t () => (T) { T = Identity(C) }, else_branch = e () => (E) { E = Relu(A) }> }"),
      "test.onnx: node 'Y' (F): operand 1 is left out, which node 'T' (Identity) of the function needs");
}

TEST(Import, TilesAreSquare) {
  std::string Text = "<ir_version: 10, opset_import: [\"\" : 18, \"ai.deepshare\" : 1]>\n"
                     "g (float[N,4,8,8] X) => (bool Y) { Y = ai.deepshare.DReLU:block<block = [2, 4]>(X) }";
  EXPECT_EQ(messageOf(parseModelText(Text, "test.onnx")),
            "test.onnx: node 'Y' (DReLU): attribute 'block': expected the same size along every axis, got [2, 4]");
}

// Functions F0 .. F<Count-1>, each of which calls the next twice, and the last \p Last.
static std::string callsText(unsigned Count, const std::string &Last) {
  std::string Text =
      "<ir_version: 10, opset_import: [\"\" : 17, \"d\" : 1]>\ng (float X) => (float Y) { Y = d.F0(X) }\n";
  for (unsigned I = 0; I < Count; ++I) {
    std::string Next = I + 1 < Count ? "d.F" + std::to_string(I + 1) : Last;
    Text += "<domain: \"d\", opset_import: [\"\" : 17, \"d\" : 1]>\nF" + std::to_string(I) +
            " (x) => (y) { h = " + Next + "(x) y = " + Next + "(h) }\n";
  }
  return Text;
}

TEST(Import, CallsWithoutEnd) {
  EXPECT_EQ(messageOf(parseModelText(callsText(3, "Relu"), "test.onnx")), "no error");
  EXPECT_EQ(messageOf(parseModelText(callsText(3, "d.F1"), "test.onnx")),
            "test.onnx: function 'd.F1' calls itself, directly or through others");
  EXPECT_EQ(messageOf(parseModelText(
                "<ir_version: 10, opset_import: [\"\" : 17]>\ng (float X) => (float Y) { Y = Relu(X) }\n"
                "<domain: \"d\", opset_import: [\"d\" : 1]>\nNobodyCalls (x) => (y) { y = d.NobodyCalls(x) }",
                "test.onnx")),
            "test.onnx: function 'd.NobodyCalls' calls itself, directly or through others");
  EXPECT_THAT(messageOf(parseModelText(callsText(64, "Relu"), "test.onnx")),
              HasSubstr("expected at most 4194304 nodes with all functions called, got more"));
  EXPECT_THAT(messageOf(parseModelText(callsText(200, "Relu"), "test.onnx")),
              HasSubstr("is called more than 100 calls deep"));
  // Functions that nobody calls, the one that the others lead to first: they are as deep as in another order.
  std::string Chain = "<ir_version: 10, opset_import: [\"\" : 17]>\ng (float X) => (float Y) { Y = Relu(X) }\n";
  for (unsigned I = 0; I < 101; ++I)
    Chain += "<domain: \"d\", opset_import: [\"\" : 17, \"d\" : 1]>\nF" + std::to_string(I) +
             " (x) => (y) { y = " + (I ? "d.F" + std::to_string(I - 1) : "Relu") + "(x) }\n";
  EXPECT_EQ(messageOf(parseModelText(Chain, "test.onnx")),
            "test.onnx: function 'd.F99' is called more than 100 calls deep");
}

TEST(Import, DeepNesting) {
  GraphProto Body = sample().graph();
  for (int I = 0; I < 60; ++I) {
    GraphProto Outer = sample().graph();
    NodeProto &N = *Outer.mutable_node(1);
    N.set_op_type("If");
    AttributeProto &A = *N.add_attribute();
    A.set_name("then_branch");
    A.set_type(AttributeProto::GRAPH);
    A.mutable_g()->Swap(&Body);
    Body.Swap(&Outer);
  }
  ModelProto P = sample();
  P.mutable_graph()->Swap(&Body);
  EXPECT_THAT(messageFor(P), HasSubstr("messages are nested more than 100 deep"));
}
