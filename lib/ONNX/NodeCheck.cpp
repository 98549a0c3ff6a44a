//===- NodeCheck.cpp - nodes have what their operators need ---------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Passes read a node's operands, outputs and attributes by their place and name, and divide by strides and tile sizes.
// So that none has to ask whether one is there that the operator cannot do without, or whether a size is one, files are
// refused when they are read. So are functions that call themselves, and those that have an operator's name: whether
// they take its place, ONNX leaves to each runtime, and ONNX Runtime's answer is no.
//
//===----------------------------------------------------------------------===//

#include "Attributes.h"
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

/// The operator \p Type of ONNX's own domain as opset \p Opset defines it. ONNX Runtime knows some of later opsets in
/// files of earlier ones, and writes such files (LayerNormalization): of these it is the latest definition. Null for
/// operators that no opset has.
static const OpSchema *findSchema(llvm::StringRef Type, int64_t Opset) {
  const OpSchema *Schema = OpSchemaRegistry::Schema(Type.str(), int(Opset), ONNX_DOMAIN);
  return Schema ? Schema : OpSchemaRegistry::Schema(Type.str(), ONNX_DOMAIN);
}

/// True if \p Schema cannot do without its operand \p Index.
static bool needsOperand(const OpSchema &Schema, unsigned Index) {
  const auto &Formals = Schema.inputs();
  if (Formals.empty() || (Index >= Formals.size() && Formals.back().GetOption() != OpSchema::Variadic))
    return false;
  return Formals[std::min<size_t>(Index, Formals.size() - 1)].GetOption() != OpSchema::Optional;
}

/// "INTS", as ONNX calls attributes of this type.
static std::string typeName(int32_t Type) {
  return AttributeProto::AttributeType_Name(static_cast<AttributeProto::AttributeType>(Type));
}

/// Sizes are sizes, and \p N has the operands, outputs and attributes of its operator.
static llvm::Error checkNode(const Node &N, int64_t Opset) {
  auto Fail = [&](const std::string &What) {
    return makeError(fmt::format("node '{}' ({}): {}", N.displayName().str(), N.opType().str(), What));
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
  // Passes know operators by their names. Of those that no opset has (experimental ones of old exporters) none does.
  const OpSchema *Schema = findSchema(N.opType(), Opset);
  if (!Schema)
    return llvm::Error::success();
  if (Opset == 0)
    return Fail("no operator set of ONNX's own domain is imported");
  if (int(N.numInputs()) < Schema->min_input())
    return Fail(fmt::format("expected at least {} operands, got {}", Schema->min_input(), N.numInputs()));
  if (int(N.numInputs()) > Schema->max_input())
    return Fail(fmt::format("expected at most {} operands, got {}", Schema->max_input(), N.numInputs()));
  if (int(N.numOutputs()) < Schema->min_output())
    return Fail(fmt::format("expected at least {} outputs, got {}", Schema->min_output(), N.numOutputs()));
  if (int(N.numOutputs()) > Schema->max_output())
    return Fail(fmt::format("expected at most {} outputs, got {}", Schema->max_output(), N.numOutputs()));
  for (unsigned I = 0; I < N.numInputs(); ++I)
    if (!N.input(I) && needsOperand(*Schema, I)) {
      const auto &Formals = Schema->inputs();
      return Fail(
          fmt::format("operand {} ({}) is left out", I, Formals[std::min<size_t>(I, Formals.size() - 1)].GetName()));
    }
  for (const auto &[Name, Formal] : Schema->attributes()) {
    const Attribute *A = N.attribute(Name);
    if (!A && Formal.required)
      return Fail(fmt::format("attribute '{}' is missing", Name));
    if (A && typeOf(A->Value) != Formal.type)
      return Fail(
          fmt::format("attribute '{}': expected {}, got {}", Name, typeName(Formal.type), typeName(typeOf(A->Value))));
  }
  return llvm::Error::success();
}

namespace {
/// What the nodes of a function and the calls of it are checked by.
struct FunctionFacts {
  int64_t Opset = 0; ///< of ONNX's own domain; 0 if none is imported
  /// Of each input a use that cannot do without it, if there is one; bodies of control flow may not run.
  llvm::SmallVector<std::optional<Use>> Needs;

  explicit FunctionFacts(const Function &F) {
    for (const OpsetImport &Import : F.Opsets)
      if (Import.Domain.empty())
        Opset = Import.Version;
    for (const Value *Input : F.Body->inputs()) {
      const Use *Need = llvm::find_if(Input->uses(), [&](const Use &U) {
        bool IsOperator = U.User->domain().empty() && U.User->parent() == F.Body.get();
        const OpSchema *Schema = IsOperator ? findSchema(U.User->opType(), Opset) : nullptr;
        return Schema && needsOperand(*Schema, U.Index);
      });
      Needs.push_back(Need == Input->uses().end() ? std::nullopt : std::optional(*Need));
    }
  }
};
} // namespace

/// An error if \p Call leaves out an operand that its function needs.
static llvm::Error checkCall(const Node &Call, const FunctionFacts &Callee) {
  for (auto [Index, Need] : llvm::enumerate(Callee.Needs))
    if (Need && !Call.input(Index))
      return makeError(fmt::format("node '{}' ({}): operand {} is left out, which node '{}' ({}) of the function needs",
                                   Call.displayName().str(), Call.opType().str(), Index,
                                   Need->User->displayName().str(), Need->User->opType().str()));
  return llvm::Error::success();
}

static std::string nameOf(const Function &F) { return (F.Domain.empty() ? "" : F.Domain + ".") + F.Name; }

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
  llvm::DenseMap<const Function *, FunctionFacts> Facts;
  for (const Function &F : M.functions()) {
    if (F.Domain.empty() && findSchema(F.Name, 0))
      return makeError(fmt::format("function '{}': it has the name of an operator of ONNX's own domain", F.Name));
    Facts.try_emplace(&F, F);
  }
  auto CheckGraph = [&](Graph &G, int64_t Opset) {
    llvm::Error Failed = llvm::Error::success();
    G.walk([&](Node &N) {
      if (!Failed)
        Failed = checkNode(N, Opset);
      if (auto Callee = Facts.find(M.function(N)); !Failed && Callee != Facts.end())
        Failed = checkCall(N, Callee->second);
    });
    return Failed;
  };
  if (llvm::Error E = CallCheck(M).run())
    return E;
  if (llvm::Error E = CheckGraph(M.graph(), M.opsetVersion()))
    return E;
  for (const Function &F : M.functions())
    if (llvm::Error E = CheckGraph(*F.Body, Facts.find(&F)->second.Opset))
      return makeError(fmt::format("function '{}': {}", nameOf(F), llvm::toString(std::move(E))));
  return llvm::Error::success();
}
