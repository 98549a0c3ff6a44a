//===- ExternalDataTest.cpp - tensors in files beside the model -----------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "TestModels.h"

using namespace deepshare;
using namespace deepshare::test;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

namespace {
class ExternalDataTest : public testing::Test {
protected:
  void SetUp() override {
    Folder.write("w.bin", std::string(16, 'x') + std::string(8000, 'w'));
    Proto = toProto(*parse(modelText("float[2000] X", "float[2000] Y", "{ Y = Add(X, X) }")));
    Proto.mutable_graph()->mutable_node(0)->set_input(1, "W");
    TensorProto &W = *Proto.mutable_graph()->add_initializer();
    W.set_name("W");
    W.set_doc_string("kept");
    W.set_data_type(TensorProto::FLOAT);
    W.add_dims(2000);
    W.set_data_location(TensorProto::EXTERNAL);
    set("location", "w.bin");
    set("offset", "16");
  }
  void set(const std::string &Key, const std::string &Text) {
    auto &Entries = *Proto.mutable_graph()->mutable_initializer(0)->mutable_external_data();
    for (StringStringEntryProto &Entry : Entries)
      if (Entry.key() == Key)
        return Entry.set_value(Text);
    StringStringEntryProto &Entry = *Entries.Add();
    Entry.set_key(Key);
    Entry.set_value(Text);
  }
  std::string message() { return messageOf(fromProto(Proto, Folder.path())); }

  TemporaryFolder Folder;
  ModelProto Proto;
};
} // namespace

TEST_F(ExternalDataTest, ReadsAndWrites) {
  Folder.write("in.onnx", Proto.SerializeAsString());
  std::unique_ptr<Model> M = llvm::cantFail(readModel(Folder.file("in.onnx")));
  const Tensor &W = *M->graph().initializers()[0]->constant();
  EXPECT_EQ(W.bytes().size(), 8000u);
  EXPECT_EQ(W.bytes().front(), 'w');
  EXPECT_EQ(W.storage(), TensorStorage::External);

  ASSERT_EQ(messageOf(writeModel(*M, Folder.file("out.onnx"))), "");
  EXPECT_THAT(Folder.list(), UnorderedElementsAre("w.bin", "in.onnx", "out.onnx", "out.onnx.data"));
  std::unique_ptr<Model> Again = llvm::cantFail(readModel(Folder.file("out.onnx")));
  EXPECT_EQ(*Again->graph().initializers()[0]->constant(), W);
  ModelProto P;
  ASSERT_TRUE(P.ParseFromString(Folder.read("out.onnx")));
  EXPECT_EQ(P.graph().initializer(0).doc_string(), "kept");
  EXPECT_EQ(P.graph().initializer(0).external_data(0).value(), "out.onnx.data");

  // Over the files that are mapped.
  ASSERT_EQ(messageOf(writeModel(*Again, Folder.file("out.onnx"))), "");
  EXPECT_EQ(*llvm::cantFail(readModel(Folder.file("out.onnx")))->graph().initializers()[0]->constant(), W);
}

TEST_F(ExternalDataTest, SerializesInside) {
  ModelProto P = toProto(*llvm::cantFail(fromProto(Proto, Folder.path())));
  EXPECT_EQ(P.graph().initializer(0).raw_data().size(), 8000u);
  EXPECT_EQ(P.graph().initializer(0).external_data_size(), 0);
}

TEST_F(ExternalDataTest, SmallTensorsStayInside) {
  std::unique_ptr<Model> M = llvm::cantFail(fromProto(Proto, Folder.path()));
  M->graph().addInitializer("small", Tensor::of<float>({2}, {1, 2}));
  ASSERT_EQ(messageOf(writeModel(*M, Folder.file("out.onnx"))), "");
  ModelProto P;
  ASSERT_TRUE(P.ParseFromString(Folder.read("out.onnx")));
  EXPECT_EQ(P.graph().initializer(1).raw_data().size(), 8u);
}

TEST_F(ExternalDataTest, Ranges) {
  set("length", "8000");
  EXPECT_EQ(message(), "no error");
  set("length", "8001");
  EXPECT_EQ(message(),
            "test.onnx: tensor 'W': expected 8001 bytes at offset 16 of external data 'w.bin', got a file of 8016");
  set("length", "7996");
  EXPECT_EQ(message(), "test.onnx: tensor 'W': expected 8000 bytes for float[2000], got 7996");
  set("length", "8000");
  set("offset", "18446744073709551615");
  EXPECT_THAT(message(), HasSubstr("expected 8000 bytes at offset 18446744073709551615"));
  set("offset", "-1");
  EXPECT_EQ(message(), "test.onnx: tensor 'W': expected a number as offset of its external data, got '-1'");
}

TEST_F(ExternalDataTest, LocationsOutsideTheFolder) {
  set("location", "/etc/passwd");
  EXPECT_EQ(message(), "test.onnx: tensor 'W': external data '/etc/passwd' is named by an absolute path; expected one "
                       "inside the model's folder");
  set("location", "../" + llvm::sys::path::filename(Folder.path()).str() + "/w.bin");
  EXPECT_THAT(message(), HasSubstr("leaves the model's folder by '..'"));
  ASSERT_FALSE(llvm::sys::fs::create_link("/etc/passwd", Folder.file("link")));
  set("location", "link");
  EXPECT_THAT(message(), HasSubstr("is a link that leaves the model's folder (to '/etc/passwd')"));
  ASSERT_FALSE(llvm::sys::fs::create_link("/etc", Folder.file("folder")));
  set("location", "folder/passwd");
  EXPECT_THAT(message(), HasSubstr("is a link that leaves the model's folder"));
  ASSERT_FALSE(llvm::sys::fs::create_link("w.bin", Folder.file("inside")));
  set("location", "inside");
  EXPECT_EQ(message(), "no error") << "a link inside the folder";
}

TEST_F(ExternalDataTest, FilesThatAreNone) {
  set("location", "none.bin");
  EXPECT_THAT(message(), HasSubstr("test.onnx: tensor 'W': cannot open external data"));
  ASSERT_FALSE(llvm::sys::fs::create_directory(Folder.file("folder")));
  for (const char *Location : {".", "./", "folder"}) {
    set("location", Location);
    EXPECT_EQ(message(), "test.onnx: tensor 'W': external data '" + Folder.file(Location) +
                             "' is a folder; expected a file in the model's folder");
  }
  set("location", "");
  EXPECT_EQ(message(), "test.onnx: tensor 'W': its external data has no usable location");
}

TEST_F(ExternalDataTest, WritesOverNoTensorsOfAnotherModel) {
  set("location", "out.onnx.data");
  set("offset", "0");
  Folder.write("out.onnx.data", std::string(8000, 'w'));
  Folder.write("in.onnx", Proto.SerializeAsString());
  std::unique_ptr<Model> M = llvm::cantFail(readModel(Folder.file("in.onnx")));
  EXPECT_EQ(M->files().Path, Folder.file("in.onnx"));
  std::string Kept = "tensors of '" + Folder.file("in.onnx") + "' are there";
  EXPECT_EQ(messageOf(writeModel(*M, Folder.file("out.onnx"))),
            "cannot write '" + Folder.file("out.onnx.data") + "': " + Kept);
  EXPECT_EQ(messageOf(writeModel(*M->clone(), Folder.file("out.onnx.data"))),
            "cannot write '" + Folder.file("out.onnx.data") + "': " + Kept);
  EXPECT_THAT(Folder.list(), UnorderedElementsAre("w.bin", "in.onnx", "out.onnx.data"));
  // A model may be written over itself.
  ASSERT_EQ(messageOf(writeModel(*M, Folder.file("in.onnx"))), "");
  EXPECT_THAT(Folder.list(), UnorderedElementsAre("w.bin", "in.onnx", "in.onnx.data", "out.onnx.data"));
  std::unique_ptr<Model> Again = llvm::cantFail(readModel(Folder.file("in.onnx")));
  ASSERT_EQ(messageOf(writeModel(*Again, Folder.file("in.onnx"))), "");
  EXPECT_EQ(llvm::cantFail(readModel(Folder.file("in.onnx")))->graph().initializers()[0]->constant()->bytes().size(),
            8000u);
}
