//===- NodeCheck.cpp - nodes have what their operators need ---------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Passes read a node's operands by their place, and divide by strides and tile sizes. So that none has to ask whether
// an operand is there that the operator cannot do without, or whether a size is one, files are refused when they are
// read. So are functions that call themselves.
//
//===----------------------------------------------------------------------===//

#include "Importer.h"

#include "deepshare/IR/ShareOps.h"
#include "deepshare/Support/Error.h"

#include "onnx/defs/schema.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLExtras.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

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
  if (int64_t Group = N.intAttribute("group", 1); Group < 1)
    return Fail(fmt::format("attribute 'group': expected at least 1, got {}", Group));
  if (N.domain() == ShareDomain) {
    if (std::vector<int64_t> Block = N.intsAttribute("block"); !llvm::all_equal(Block))
      return Fail(
          fmt::format("attribute 'block': expected the same size along every axis, got [{}]", fmt::join(Block, ", ")));
    if (N.numOutputs() != 1)
      return Fail(fmt::format("expected 1 output, got {}", N.numOutputs()));
    for (unsigned I = 0; I < std::max(1u, N.numInputs()); ++I)
      if (I >= N.numInputs() || !N.input(I))
        return Fail(fmt::format("operand {} is missing", I));
    return llvm::Error::success();
  }
  if (!N.domain().empty())
    return llvm::Error::success();
  const OpSchema *Schema = OpSchemaRegistry::Schema(N.opType().str(), int(Opset), ONNX_DOMAIN);
  if (!Schema) {
    // Passes know operators by their names. Of those that no opset has (experimental ones of old exporters) none does.
    if (OpSchemaRegistry::Schema(N.opType().str(), ONNX_DOMAIN))
      return Fail(fmt::format("opset {} does not have this operator", Opset));
    return llvm::Error::success();
  }
  if (int(N.numInputs()) < Schema->min_input())
    return Fail(fmt::format("expected at least {} operands, got {}", Schema->min_input(), N.numInputs()));
  if (int(N.numInputs()) > Schema->max_input())
    return Fail(fmt::format("expected at most {} operands, got {}", Schema->max_input(), N.numInputs()));
  if (int(N.numOutputs()) < Schema->min_output())
    return Fail(fmt::format("expected at least {} outputs, got {}", Schema->min_output(), N.numOutputs()));
  if (int(N.numOutputs()) > Schema->max_output())
    return Fail(fmt::format("expected at most {} outputs, got {}", Schema->max_output(), N.numOutputs()));
  for (unsigned I = 0; I < N.numInputs() && !Schema->inputs().empty(); ++I) {
    const auto &Formals = Schema->inputs();
    const auto &Formal = Formals[std::min<size_t>(I, Formals.size() - 1)];
    bool IsKnown = I < Formals.size() || Formal.GetOption() == OpSchema::Variadic;
    if (!N.input(I) && IsKnown && Formal.GetOption() != OpSchema::Optional)
      return Fail(fmt::format("operand {} ({}) is left out", I, Formal.GetName()));
  }
  return llvm::Error::success();
}

namespace {
/// Follows calls of model-local functions. One that calls itself has no meaning in ONNX; a few that call each other
/// twice make any number of nodes.
class CallCheck {
public:
  explicit CallCheck(Model &M) : M(M) {}

  llvm::Error run() { return expand(M.graph()).takeError(); }

private:
  static constexpr uint64_t MaxNodes = 1 << 22;
  static constexpr unsigned MaxDepth = 100;

  static std::string nameOf(const Function &F) { return (F.Domain.empty() ? "" : F.Domain + ".") + F.Name; }

  /// The nodes of \p G once all calls in it are replaced by what they call.
  llvm::Expected<uint64_t> expand(Graph &G) {
    uint64_t Count = 0;
    llvm::Error Failed = llvm::Error::success();
    G.walk([&](Node &N) {
      const Function *F = Failed || Count > MaxNodes ? nullptr : M.function(N);
      ++Count;
      if (!F)
        return;
      llvm::Expected<uint64_t> Inner = expand(*F);
      if (Inner)
        Count += *Inner;
      else
        Failed = Inner.takeError();
    });
    if (Failed)
      return Failed;
    if (Count > MaxNodes)
      return makeError(fmt::format("graph '{}': expected at most {} nodes with all functions called, got more",
                                   G.name().str(), MaxNodes));
    return Count;
  }

  llvm::Expected<uint64_t> expand(const Function &F) {
    auto [Known, IsNew] = Counts.try_emplace(&F, std::nullopt);
    if (!IsNew) {
      if (!Known->second)
        return makeError(fmt::format("function '{}' calls itself, directly or through others", nameOf(F)));
      return *Known->second;
    }
    if (Depth == MaxDepth)
      return makeError(fmt::format("function '{}' is called more than {} calls deep", nameOf(F), MaxDepth));
    ++Depth;
    llvm::Expected<uint64_t> Count = expand(*F.Body);
    --Depth;
    if (Count)
      Counts[&F] = *Count;
    return Count;
  }

  Model &M;
  unsigned Depth = 0;
  /// Of the functions seen; nothing while one is looked into.
  llvm::DenseMap<const Function *, std::optional<uint64_t>> Counts;
};
} // namespace

/// ONNX's own checker allows as many.
static constexpr size_t MostFunctions = 10'000;

llvm::Error deepshare::onnx::checkNodes(Model &M) {
  if (M.functions().size() > MostFunctions)
    return makeError(fmt::format("expected at most {} functions, got {}", MostFunctions, M.functions().size()));
  auto CheckGraph = [](Graph &G, int64_t Opset) {
    llvm::Error Failed = llvm::Error::success();
    G.walk([&](Node &N) {
      if (!Failed)
        Failed = checkNode(N, Opset);
    });
    return Failed;
  };
  if (llvm::Error E = CallCheck(M).run())
    return E;
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
