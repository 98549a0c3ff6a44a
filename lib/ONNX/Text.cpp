//===- Text.cpp - ONNX text syntax ----------------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Text.h"
#include "Exporter.h"

#include "deepshare/ONNX/ONNX.h"

#include "onnx/defs/parser.h"
#include "onnx/defs/printer.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"

#include <fmt/format.h>

using namespace deepshare;
using namespace deepshare::onnx;

// ONNX's parser calls itself for nested types and graphs. Protobuf refuses messages nested 100 deep, and each level of
// text is at least one message.
static constexpr unsigned MaxDepth = 200;

static bool nestsTooDeep(llvm::StringRef Text) {
  unsigned Depth = 0;
  for (char C : Text) {
    if (C == '(' || C == '[' || C == '{')
      ++Depth;
    else if ((C == ')' || C == ']' || C == '}') && Depth)
      --Depth;
    if (Depth > MaxDepth)
      return true;
  }
  return false;
}

// ONNX's parser says where, what is there, and what it expected in three lines; an error is one.
static std::string asOneLine(llvm::StringRef Message) {
  llvm::SmallVector<llvm::StringRef> Lines;
  Message.trim().split(Lines, '\n', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  return llvm::join(Lines, ", ");
}

llvm::Expected<std::string> deepshare::onnx::parseText(llvm::StringRef Text) {
  if (nestsTooDeep(Text))
    return llvm::createStringError(fmt::format("brackets are nested more than {} deep", MaxDepth));
  ModelProto P;
  try {
    OnnxParser Parser(std::string_view(Text.data(), Text.size()));
    Common::Status Status = Parser.Parse(P);
    if (!Status.IsOK())
      return llvm::createStringError(asOneLine(Status.ErrorMessage()));
    if (!Parser.EndOfInput())
      return llvm::createStringError("there is more text after the end of the model");
  } catch (const std::exception &E) {
    return llvm::createStringError(E.what());
  }
  return P.SerializePartialAsString();
}

llvm::Expected<std::string> deepshare::printModelText(const Model &M) {
  ModelProto P;
  exportModel(M, P, {});
  try {
    return ProtoToString(P) + "\n";
  } catch (const std::exception &E) {
    return llvm::createStringError(fmt::format("cannot print the model as text: {}", E.what()));
  }
}
