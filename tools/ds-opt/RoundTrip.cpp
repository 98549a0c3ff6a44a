//===- RoundTrip.cpp - checks that a model survives printing --------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "RoundTrip.h"

#include "deepshare/ONNX/ONNX.h"

#include <fmt/format.h>

using namespace deepshare;

/// Write, read, write: an error unless both writings are the same.
static llvm::Error check(const Model &M, llvm::StringRef Form,
                         llvm::function_ref<llvm::Expected<std::string>(const Model &)> Write,
                         llvm::function_ref<llvm::Expected<std::unique_ptr<Model>>(llvm::StringRef)> Read) {
  llvm::Expected<std::string> First = Write(M);
  if (!First)
    return First.takeError();
  llvm::Expected<std::unique_ptr<Model>> Again = Read(*First);
  if (!Again)
    return llvm::createStringError(
        fmt::format("the {} form of the model does not read back: {}", Form.str(), llvm::toString(Again.takeError())));
  llvm::Expected<std::string> Second = Write(**Again);
  if (!Second)
    return Second.takeError();
  if (*First == *Second)
    return llvm::Error::success();
  size_t Common = std::mismatch(First->begin(), First->end(), Second->begin(), Second->end()).first - First->begin();
  return llvm::createStringError(fmt::format(
      "the {} form of the model changes when it is read and written again, from byte {} on", Form.str(), Common));
}

llvm::Error deepshare::checkRoundTrip(const Model &M) {
  if (hasTextForm(M))
    if (llvm::Error E =
            check(M, "text", printModelText, [](llvm::StringRef Text) { return parseModelText(Text, "round trip"); }))
      return E;
  return check(M, "binary", serializeModel,
               [](llvm::StringRef Bytes) { return readModelFromBytes(Bytes, "round trip"); });
}
