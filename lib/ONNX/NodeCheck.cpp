//===- NodeCheck.cpp - nodes have what their operators need ---------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Passes read a node's operands, outputs and attributes by their place and name, and divide by strides and tile sizes.
// So that none has to ask whether one is there that the operator cannot do without, or whether a size is one, files are
// refused when they are read. So are functions that call themselves, and nodes of which a function and an operator have
// the name: which of them it is, ONNX leaves to each runtime.
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
static const OpSchema *findSchemaOrLatest(llvm::StringRef Type, int64_t Opset) {
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
  auto Fail = [&](const std::string &What) { return nodeError(N, What); };
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
  const OpSchema *Schema = findSchemaOrLatest(N.opType(), Opset);
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
  for (auto [Index, Formal] : llvm::enumerate(Schema->outputs()))
    if (Formal.GetOption() == OpSchema::Single && Index < N.numOutputs() && N.output(Index)->name().empty())
      return Fail(fmt::format("output {} ({}) is left out", Index, Formal.GetName()));
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

static std::string nameOf(const Function &F) { return (F.Domain.empty() ? "" : F.Domain + ".") + F.Name; }

namespace {
/// Follows calls of model-local functions, also of those that nobody calls. One that calls itself has no meaning in
/// ONNX; a few that call each other twice make any number of nodes.
class CallCheck {
public:
  explicit CallCheck(Model &M) : M(M) {}

  llvm::Error run() {
    if (llvm::Error E = expand(M.graph()).takeError())
      return E;
    for (const Function &F : M.functions())
      if (llvm::Error E = expand(F).takeError())
        return E;
    return llvm::Error::success();
  }

private:
  static constexpr uint64_t MaxNodes = 1 << 22;
  static constexpr unsigned MaxDepth = 100;

  /// A graph once all calls in it are replaced by what they call, and how deep those go.
  struct Expanded {
    uint64_t Nodes = 0;
    unsigned Depth = 0;
  };

  llvm::Expected<Expanded> expand(Graph &G) {
    Expanded Whole;
    llvm::Error Failed = llvm::Error::success();
    G.walk([&](Node &N) {
      const Function *F = Failed || Whole.Nodes > MaxNodes ? nullptr : M.function(N);
      ++Whole.Nodes;
      if (!F)
        return;
      llvm::Expected<Expanded> Inner = expand(*F);
      if (!Inner) {
        Failed = Inner.takeError();
        return;
      }
      Whole.Nodes += Inner->Nodes;
      Whole.Depth = std::max(Whole.Depth, Inner->Depth);
    });
    if (Failed)
      return Failed;
    if (Whole.Nodes > MaxNodes)
      return makeError(fmt::format("graph '{}': expected at most {} nodes with all functions called, got more",
                                   G.name().str(), MaxNodes));
    return Whole;
  }

  llvm::Expected<Expanded> expand(const Function &F) {
    auto [Known, IsNew] = Seen.try_emplace(&F, std::nullopt);
    if (!IsNew && !Known->second)
      return makeError(fmt::format("function '{}' calls itself, directly or through others", nameOf(F)));
    // As deep as it goes is as deep from wherever it is looked into, be it seen before or not.
    if (Depth + (IsNew ? 1 : Known->second->Depth) > MaxDepth)
      return makeError(fmt::format("function '{}' is called more than {} calls deep", nameOf(F), MaxDepth));
    if (!IsNew)
      return *Known->second;
    ++Depth;
    llvm::Expected<Expanded> Whole = expand(*F.Body);
    --Depth;
    if (!Whole)
      return Whole;
    ++Whole->Depth;
    Seen[&F] = *Whole;
    return Whole;
  }

  Model &M;
  unsigned Depth = 0;
  /// Of the functions seen; nothing while one is looked into.
  llvm::DenseMap<const Function *, std::optional<Expanded>> Seen;
};
} // namespace

namespace {
/// Which operands of its calls a function needs, which calls must not leave out.
class NeededOperands {
public:
  explicit NeededOperands(const Model &M) : M(M) {}

  /// Of each input of \p F a use that cannot do without it, if there is one. Calls must end (CallCheck).
  llvm::ArrayRef<std::optional<Use>> of(const Function &F) {
    if (auto Known = Needs.find(&F); Known != Needs.end())
      return Known->second;
    std::vector<std::optional<Use>> Found;
    for (const Value *Input : F.Body->inputs()) {
      const Use *Need = llvm::find_if(Input->uses(), [&](const Use &U) { return isNeeded(U, opsetVersion(F.Opsets)); });
      Found.push_back(Need == Input->uses().end() ? std::nullopt : std::optional(*Need));
    }
    return Needs[&F] = std::move(Found);
  }

private:
  bool isNeeded(const Use &U, int64_t Opset) {
    const Node &N = *U.User;
    if (const Function *Inner = M.function(N); Inner && N.domain() != ShareDomain) {
      llvm::ArrayRef<std::optional<Use>> InnerNeeds = of(*Inner);
      return U.Index < InnerNeeds.size() && InnerNeeds[U.Index];
    }
    if (!N.domain().empty())
      return N.domain() == ShareDomain;
    const OpSchema *Schema = findSchemaOrLatest(N.opType(), Opset);
    return Schema && needsOperand(*Schema, U.Index);
  }

  const Model &M;
  llvm::DenseMap<const Function *, std::vector<std::optional<Use>>> Needs;
};
} // namespace

/// An error if \p Call, of \p F, leaves out an operand that its function needs, or has the name of an operator.
static llvm::Error checkCall(const Node &Call, const Function &F, NeededOperands &Needed) {
  if (F.Domain.empty() && findSchemaOrLatest(F.Name, 0))
    return nodeError(Call, "the file has a function of this name, and ONNX an operator");
  for (auto [Index, Need] : llvm::enumerate(Needed.of(F)))
    if (Need && !Call.input(Index))
      return nodeError(Call, fmt::format("operand {} is left out, which node '{}' ({}) of the function needs", Index,
                                         Need->User->displayName().str(), Need->User->opType().str()));
  return llvm::Error::success();
}

/// ONNX's own checker allows as many.
static constexpr size_t MostFunctions = 10'000;

llvm::Error deepshare::onnx::checkNodes(Model &M) {
  if (M.functions().size() > MostFunctions)
    return makeError(fmt::format("expected at most {} functions, got {}", MostFunctions, M.functions().size()));
  NeededOperands Needed(M);
  auto CheckGraph = [&](Graph &G, int64_t Opset) {
    llvm::Error Failed = llvm::Error::success();
    G.walk([&](Node &N) {
      if (!Failed)
        Failed = checkNode(N, Opset);
      if (const Function *F = Failed ? nullptr : M.function(N))
        Failed = checkCall(N, *F, Needed);
    });
    return Failed;
  };
  if (llvm::Error E = CallCheck(M).run())
    return E;
  if (llvm::Error E = CheckGraph(M.graph(), M.opsetVersion()))
    return E;
  for (const Function &F : M.functions())
    if (llvm::Error E = CheckGraph(*F.Body, opsetVersion(F.Opsets)))
      return makeError(fmt::format("function '{}': {}", nameOf(F), llvm::toString(std::move(E))));
  return llvm::Error::success();
}
