//===- TestModels.h - what the tests of lib/ONNX share ----------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_TEST_ONNX_TESTMODELS_H
#define DEEPSHARE_TEST_ONNX_TESTMODELS_H

#include "deepshare/IR/Verifier.h"
#include "deepshare/ONNX/ONNX.h"

#include "onnx/onnx_pb.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

#include <gmock/gmock.h>

namespace deepshare::test {

using namespace onnx_deepshare;

/// The text of a model with these parameters, results and nodes.
inline std::string modelText(const std::string &Inputs, const std::string &Outputs, const std::string &Body) {
  return "<ir_version: 8, opset_import: [\"\" : 17]>\ng (" + Inputs + ") => (" + Outputs + ")\n" + Body;
}

/// Parses a model that must be right.
inline std::unique_ptr<Model> parse(const std::string &Text) {
  llvm::Expected<std::unique_ptr<Model>> M = parseModelText(Text, "test.onnxtxt");
  if (!M) {
    ADD_FAILURE() << llvm::toString(M.takeError());
    return std::make_unique<Model>();
  }
  if (llvm::Error E = verify(**M))
    ADD_FAILURE() << llvm::toString(std::move(E));
  return std::move(*M);
}

/// What \p M is written as.
inline ModelProto toProto(const Model &M) {
  if (llvm::Error E = verify(M))
    ADD_FAILURE() << llvm::toString(std::move(E));
  ModelProto P;
  EXPECT_TRUE(P.ParseFromString(llvm::cantFail(serializeModel(M))));
  return P;
}

/// Reads \p P as the file "test.onnx".
inline llvm::Expected<std::unique_ptr<Model>> fromProto(const ModelProto &P, llvm::StringRef Folder = "") {
  return readModelFromBytes(P.SerializeAsString(), "test.onnx", Folder);
}

/// The error's text; empty for success.
inline std::string messageOf(llvm::Error E) { return E ? llvm::toString(std::move(E)) : ""; }

/// The text of the error that must have happened.
template <typename T> std::string messageOf(llvm::Expected<T> Result) {
  return Result ? "no error" : llvm::toString(Result.takeError());
}

/// A folder that goes away with its content.
class TemporaryFolder {
public:
  TemporaryFolder() { EXPECT_FALSE(llvm::sys::fs::createUniqueDirectory("deepshare-onnx", Path)); }
  ~TemporaryFolder() { llvm::sys::fs::remove_directories(Path); }

  std::string file(llvm::StringRef Name) const { return (Path + "/" + Name).str(); }
  std::string path() const { return Path.str().str(); }
  void write(llvm::StringRef Name, llvm::StringRef Bytes) const {
    std::error_code Code;
    llvm::raw_fd_ostream Out(file(Name), Code);
    EXPECT_FALSE(Code) << Code.message();
    Out << Bytes;
  }
  std::string read(llvm::StringRef Name) const {
    auto Buffer = llvm::MemoryBuffer::getFile(file(Name));
    return Buffer ? (*Buffer)->getBuffer().str() : "no such file";
  }
  /// Names of the files in it.
  std::vector<std::string> list() const {
    std::vector<std::string> Names;
    std::error_code Code;
    for (llvm::sys::fs::directory_iterator I(Path, Code), End; I != End; I.increment(Code))
      Names.push_back(llvm::sys::path::filename(I->path()).str());
    return Names;
  }

private:
  llvm::SmallString<128> Path;
};

} // namespace deepshare::test

#endif // DEEPSHARE_TEST_ONNX_TESTMODELS_H
