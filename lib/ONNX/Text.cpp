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

static bool isSparse(const AttributeProto &A);

// Whether a node of these, or of graphs that they hold, has a sparse tensor, or a graph a sparse initialiser.
template <typename Nodes> static bool anySparse(const Nodes &All) {
  return llvm::any_of(All, [](const NodeProto &N) { return llvm::any_of(N.attribute(), isSparse); });
}

static bool isSparse(const GraphProto &G) { return G.sparse_initializer_size() > 0 || anySparse(G.node()); }

static bool isSparse(const AttributeProto &A) {
  return A.has_sparse_tensor() || A.sparse_tensors_size() > 0 || (A.has_g() && isSparse(A.g())) ||
         llvm::any_of(A.graphs(), [](const GraphProto &G) { return isSparse(G); });
}

// What ONNX's printer passes over without a word.
static bool hasNoTextForm(const ModelProto &P) {
  return isSparse(P.graph()) || llvm::any_of(P.functions(), [](const FunctionProto &F) {
           return F.attribute_proto_size() > 0 || anySparse(F.node());
         });
}

bool deepshare::hasTextForm(const Model &M) {
  ModelProto P;
  exportModel(M, P, {});
  return !hasNoTextForm(P);
}

llvm::Expected<std::string> deepshare::printModelText(const Model &M) {
  ModelProto P;
  exportModel(M, P, {});
  if (hasNoTextForm(P))
    return llvm::createStringError("the model has sparse tensors, or functions with defaults of attributes, for which "
                                   "ONNX text has no form: write "
                                   ".onnx");
  try {
    return ProtoToString(P) + "\n";
  } catch (const std::exception &E) {
    return llvm::createStringError(fmt::format("cannot print the model as text: {}", E.what()));
  }
}
