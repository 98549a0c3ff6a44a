//===- NodeCheck.cpp - nodes have what their operators need ---------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Passes read a node's operands by their place, and divide by strides and tile sizes. So that none has to ask whether
// an operand is there that the operator cannot do without, or whether a size is one, files are refused when they are
// read.
//
//===----------------------------------------------------------------------===//

#include "Importer.h"

#include "deepshare/IR/ShareOps.h"
#include "deepshare/Support/Error.h"

#include "onnx/defs/schema.h"

#include <fmt/format.h>

using namespace deepshare;
using namespace deepshare::onnx;

/// Sizes are sizes, and no operand is left out that the operator needs.
static llvm::Error checkNode(const Node &N, int64_t Opset) {
  auto Fail = [&](const std::string &What) {
    std::string Name = N.numOutputs() && N.output() ? N.output()->name().str() : N.name().str();
    return makeError(fmt::format("node '{}' ({}): {}", Name, N.opType().str(), What));
  };
  for (llvm::StringRef Name : {"strides", "dilations", "kernel_shape", "block"})
    for (int64_t Size : N.intsAttribute(Name))
      if (Size < 1)
        return Fail(fmt::format("attribute '{}': expected sizes of at least 1, got {}", Name.str(), Size));
  if (N.domain() == ShareDomain) {
    for (unsigned I = 0; I < std::max(1u, N.numInputs()); ++I)
      if (I >= N.numInputs() || !N.input(I))
        return Fail(fmt::format("operand {} is missing", I));
    return llvm::Error::success();
  }
  const auto *Schema =
      N.domain().empty() ? OpSchemaRegistry::Schema(N.opType().str(), int(Opset), ONNX_DOMAIN) : nullptr;
  if (!Schema)
    return llvm::Error::success();
  if (int(N.numInputs()) < Schema->min_input())
    return Fail(fmt::format("expected at least {} operands, got {}", Schema->min_input(), N.numInputs()));
  for (unsigned I = 0; I < N.numInputs() && !Schema->inputs().empty(); ++I) {
    const auto &Formals = Schema->inputs();
    const auto &Formal = Formals[std::min<size_t>(I, Formals.size() - 1)];
    bool IsKnown = I < Formals.size() || Formal.GetOption() == OpSchema::Variadic;
    if (!N.input(I) && IsKnown && Formal.GetOption() != OpSchema::Optional)
      return Fail(fmt::format("operand {} ({}) is left out", I, Formal.GetName()));
  }
  return llvm::Error::success();
}

llvm::Error deepshare::onnx::checkNodes(Model &M) {
  auto CheckGraph = [](Graph &G, int64_t Opset) {
    llvm::Error Failed = llvm::Error::success();
    G.walk([&](Node &N) {
      if (!Failed)
        Failed = checkNode(N, Opset);
    });
    return Failed;
  };
  if (llvm::Error E = CheckGraph(M.graph(), M.opsetVersion()))
    return E;
  for (Function &F : M.functions()) {
    int64_t Opset = 0;
    for (const OpsetImport &Import : F.Opsets)
      if (Import.Domain.empty())
        Opset = Import.Version;
    if (llvm::Error E = CheckGraph(*F.Body, Opset))
      return E;
  }
  return llvm::Error::success();
}
