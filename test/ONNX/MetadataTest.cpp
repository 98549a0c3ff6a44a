//===- MetadataTest.cpp - a model's own notes -----------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/ONNX/ONNX.h"

#include "gtest/gtest.h"

using namespace deepshare;

TEST(Metadata, IsReadReplacedAndWritten) {
  auto M = llvm::cantFail(parseModelText(R"(<ir_version: 8, opset_import: ["" : 17],
    metadata_props: ["who": "an exporter", "twice": "first", "twice": "second"]>
    g (float[N,2] x) => (float[N,2] y) { y = Relu (x) })",
                                         "test"));
  EXPECT_EQ(metadataOf(*M, "who"), "an exporter");
  EXPECT_EQ(metadataOf(*M, "nothing"), "");
  setMetadata(*M, "twice", "third");
  setMetadata(*M, "new", "entry");
  auto Again = llvm::cantFail(readModelFromBytes(llvm::cantFail(serializeModel(*M)), "test"));
  EXPECT_EQ(metadataOf(*Again, "who"), "an exporter");
  EXPECT_EQ(metadataOf(*Again, "twice"), "third");
  EXPECT_EQ(metadataOf(*Again, "new"), "entry");
}
