//===- ExportTest.cpp - models that changed since import ------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "TestModels.h"

using namespace deepshare;
using namespace deepshare::test;
using testing::ElementsAre;
using testing::HasSubstr;

static std::vector<std::string> names(const google::protobuf::RepeatedPtrField<ValueInfoProto> &Infos) {
  std::vector<std::string> Names;
  for (const ValueInfoProto &Info : Infos)
    Names.push_back(Info.name());
  return Names;
}

static void addInfo(ModelProto &P, const char *Name, int Size) {
  ValueInfoProto &Info = *P.mutable_graph()->add_value_info();
  Info.set_name(Name);
  Info.set_doc_string(std::string("about ") + Name);
  TypeProto::Tensor &T = *Info.mutable_type()->mutable_tensor_type();
  T.set_elem_type(TensorProto::FLOAT);
  T.mutable_shape()->add_dim()->set_dim_value(Size);
  T.mutable_shape()->mutable_dim(0)->set_denotation("LENGTH");
}

namespace {
/// X -> A -> B -> C -> Y with value_info in an order of its own.
class ExportTest : public testing::Test {
protected:
  void SetUp() override {
    ModelProto P = toProto(
        *parse(modelText("float[4] X", "float[4] Y", "{ A = Relu(X) B = Abs(A) C = Neg(B) D = Neg(C) Y = Relu(D) }")));
    for (const char *Name : {"C", "elsewhere", "A", "B"})
      addInfo(P, Name, 4);
    M = llvm::cantFail(fromProto(P));
    Before = P.SerializeAsString();
  }
  Node &node(unsigned Index) { return *std::next(M->graph().begin(), Index); }

  std::unique_ptr<Model> M;
  std::string Before;
};
} // namespace

TEST_F(ExportTest, Untouched) { EXPECT_EQ(toProto(*M).SerializeAsString(), Before); }

TEST_F(ExportTest, InferredTypesFollowTheGivenOnes) {
  ASSERT_EQ(messageOf(inferShapes(*M)), "");
  ModelProto P = toProto(*M);
  EXPECT_THAT(names(P.graph().value_info()), ElementsAre("C", "elsewhere", "A", "B", "D"));
  P.mutable_graph()->mutable_value_info()->RemoveLast();
  EXPECT_EQ(P.SerializeAsString(), Before);
}

TEST_F(ExportTest, ValueInfoFollowsTheValues) {
  Value *A = node(0).output(), *B = node(1).output(), *C = node(2).output();
  B->replaceAllUsesWith(A);
  M->graph().erase(B->producer());
  A->setName("renamed");
  C->setType(makeTensorType(ElementType::Float32, {9}));
  ModelProto P = toProto(*M);
  EXPECT_THAT(names(P.graph().value_info()), ElementsAre("C", "elsewhere", "renamed"));
  const ValueInfoProto &Info = P.graph().value_info(0);
  EXPECT_EQ(Info.doc_string(), "about C");
  EXPECT_EQ(Info.type().tensor_type().shape().dim(0).dim_value(), 9);
  EXPECT_EQ(Info.type().tensor_type().shape().dim(0).denotation(), "LENGTH");
  EXPECT_EQ(P.graph().value_info(2).doc_string(), "about A");
  EXPECT_EQ(P.graph().node(1).input(0), "renamed");
}

TEST_F(ExportTest, ChangedAttributesAndTensors) {
  ModelProto P = toProto(*M);
  AttributeProto &A = *P.mutable_graph()->mutable_node(0)->add_attribute();
  A.set_name("a");
  A.set_type(AttributeProto::INT);
  A.set_doc_string("kept");
  M = llvm::cantFail(fromProto(P));
  EXPECT_EQ(toProto(*M).SerializeAsString(), P.SerializeAsString()) << "an absent value stays absent";
  EXPECT_EQ(node(0).intAttribute("a", 7), 0);
  node(0).setAttribute("a", std::vector<float>{1, 2});
  node(0).setAttribute("zero", int64_t(0));
  node(0).setAttribute("t", Tensor::of<int32_t>({2}, {3, 4}));
  ModelProto Q = toProto(*M);
  const NodeProto &N = Q.graph().node(0);
  EXPECT_EQ(N.attribute(0).type(), AttributeProto::FLOATS);
  EXPECT_EQ(N.attribute(0).floats_size(), 2);
  EXPECT_EQ(N.attribute(0).doc_string(), "kept");
  EXPECT_TRUE(N.attribute(1).has_i());
  EXPECT_EQ(N.attribute(2).t().raw_data().size(), 8u);
}

TEST_F(ExportTest, NewDomains) {
  M->addOpset("ai.deepshare", 1);
  M->graph().insert(M->graph().end(), "DReLU", {node(0).output()}, "mask", "ai.deepshare");
  ModelProto P = toProto(*M);
  EXPECT_EQ(P.opset_import(1).domain(), "ai.deepshare");
  EXPECT_EQ(P.graph().node(5).domain(), "ai.deepshare");
}

TEST_F(ExportTest, FilesAppearWhole) {
  TemporaryFolder Folder;
  ASSERT_EQ(messageOf(writeModel(*M, Folder.file("out.onnx"))), "");
  EXPECT_EQ(Folder.read("out.onnx"), Before);
  ASSERT_EQ(messageOf(writeModel(*M, Folder.file("out.onnxtxt"))), "");
  EXPECT_EQ(Folder.read("out.onnxtxt"), llvm::cantFail(printModelText(*M)));
  ASSERT_EQ(messageOf(writeModel(*M, Folder.file("out.onnx"))), "") << "replaces a file";
  EXPECT_THAT(Folder.list(), testing::UnorderedElementsAre("out.onnx", "out.onnxtxt"));

  ASSERT_FALSE(llvm::sys::fs::create_link("out.onnx", Folder.file("link.onnx")));
  ASSERT_EQ(messageOf(writeModel(*M, Folder.file("link.onnx"))), "");
  EXPECT_TRUE(llvm::sys::fs::is_symlink_file(Folder.file("link.onnx")));

  EXPECT_THAT(messageOf(writeModel(*M, Folder.path())), HasSubstr("it is a folder"));
  EXPECT_THAT(messageOf(writeModel(*M, Folder.file("none/out.onnx"))), HasSubstr("No such file or directory"));
}

TEST_F(ExportTest, AFullDiskLeavesTheOldFile) {
  if (!llvm::sys::fs::exists("/dev/full"))
    GTEST_SKIP() << "needs /dev/full";
  EXPECT_THAT(messageOf(writeModel(*M, "/dev/full")), HasSubstr("No space left on device"));
}
