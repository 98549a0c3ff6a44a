//===- Inlining.cpp - a function's body in place of its call --------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Inlining.h"

#include "deepshare/ONNX/ONNX.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/ADT/StringSet.h"

#include <fmt/format.h>

using namespace deepshare;

//===----------------------------------------------------------------------===//
// Legality
//===----------------------------------------------------------------------===//

static int64_t versionIn(llvm::ArrayRef<OpsetImport> Opsets, llvm::StringRef Domain) {
  for (const OpsetImport &Import : Opsets)
    if (Import.Domain == Domain)
      return Import.Version;
  return 0;
}

/// True if \p G, a graph of a function, or a subgraph of it, returns one of \p Missing.
static bool returnsAny(const Graph &G, llvm::ArrayRef<const Value *> Missing) {
  if (llvm::any_of(G.outputs(), [&](const Value *Output) { return llvm::is_contained(Missing, Output); }))
    return true;
  return llvm::any_of(G, [&](const Node &N) {
    return llvm::any_of(N.subgraphs(), [&](const Graph *Subgraph) { return returnsAny(*Subgraph, Missing); });
  });
}

std::string deepshare::refuseInlining(const Node &Caller, const Function &F) {
  const Model &M = Caller.parent()->model();
  if (Caller.numInputs() > F.Body->inputs().size())
    return fmt::format("it has {} inputs, its function {}", Caller.numInputs(), F.Body->inputs().size());
  if (Caller.numOutputs() > F.Body->outputs().size())
    return fmt::format("it has {} outputs, its function {}", Caller.numOutputs(), F.Body->outputs().size());
  llvm::SmallVector<const Value *> Missing;
  for (auto [Index, Input] : llvm::enumerate(F.Body->inputs()))
    if (!Caller.input(Index))
      Missing.push_back(Input);
  if (returnsAny(*F.Body, Missing))
    return "its function hands on an input that the call leaves out";
  std::string Reason;
  F.Body->walk([&](Node &N) {
    int64_t There = versionIn(F.Opsets, N.domain()), Here = versionIn(M.opsets(), N.domain());
    // A domain that the model lacks is imported with the body.
    if (!Reason.empty() || There == Here || !Here ||
        operatorSince(N.opType(), N.domain(), There) == operatorSince(N.opType(), N.domain(), Here))
      return;
    Reason =
        fmt::format("its function is written for opset {}{}, in which {} is not what it is in the model's opset {}",
                    There, N.domain().empty() ? "" : fmt::format(" of '{}'", N.domain().str()), N.opType().str(), Here);
  });
  return Reason;
}

//===----------------------------------------------------------------------===//
// The copy
//===----------------------------------------------------------------------===//

namespace {
class Inliner {
public:
  Inliner(Node &Caller, const Function &F)
      : Caller(Caller), F(F), M(Caller.parent()->model()), Stem(Caller.displayName().str()) {}

  Graph::iterator run() {
    for (auto [Index, Input] : llvm::enumerate(F.Body->inputs()))
      Copies[Input] = Caller.input(Index);
    Graph &G = *Caller.parent();
    Graph::iterator Place = Graph::iteratorTo(&Caller);
    bool IsFirst = Place == G.begin();
    Graph::iterator Previous = IsFirst ? Place : std::prev(Place);
    for (const Node &N : *F.Body)
      cloneNode(N, G, Place);
    for (const OpsetImport &Import : F.Opsets)
      if (Used.contains(Import.Domain))
        M.addOpset(Import.Domain, Import.Version);
    replaceOutputs(G, Place);
    G.erase(&Caller);
    for (auto &[New, Name] : Renamed)
      New->setName(Name);
    return IsFirst ? G.begin() : std::next(Previous);
  }

private:
  void cloneNode(const Node &From, Graph &To, Graph::iterator Before) {
    llvm::SmallVector<Value *, 4> Inputs;
    for (Value *Input : From.inputs())
      Inputs.push_back(Input ? Copies.lookup(Input) : nullptr);
    Node *Copy = To.insertNode(Before, From.opType(), Inputs, From.domain());
    Used.insert(From.domain());
    if (!From.name().empty())
      Copy->setName(Stem + "_" + From.name().str());
    Copy->setOverload(From.overload());
    Copy->setUnmodelled(From.unmodelled().str());
    for (const Attribute &A : From.attributes())
      if (const auto *Reference = std::get_if<AttributeReference>(&A.Value)) {
        if (const Attribute *Meant = resolve(Reference->Name))
          Copy->addAttribute(cloneAttribute(*Meant, A.Name, Copy));
      } else {
        Copy->addAttribute(cloneAttribute(A, A.Name, Copy));
      }
    for (Value *Output : From.outputs()) {
      // What an exporter knows of types in a body may hold for some callers only: they are inferred anew.
      Value *New = Copy->addOutput(Output->name().empty() ? "" : unique(*Output));
      if (&To != Caller.parent())
        New->setType(Output->type());
      Copies[Output] = New;
    }
  }

  /// The attribute of the caller, or the function's default; null if there is neither.
  const Attribute *resolve(llvm::StringRef Name) const {
    if (const Attribute *Given = Caller.attribute(Name))
      return Given;
    auto Default = llvm::find_if(F.AttributeDefaults, [&](const Attribute &A) { return A.Name == Name; });
    return Default == F.AttributeDefaults.end() ? nullptr : &*Default;
  }

  Attribute cloneAttribute(const Attribute &From, llvm::StringRef Name, Node *ParentNode) {
    Attribute To{Name.str(), {}, From.Unmodelled};
    std::visit(
        [&](const auto &Payload) {
          using T = std::decay_t<decltype(Payload)>;
          if constexpr (std::is_same_v<T, std::unique_ptr<Graph>>) {
            To.Value = cloneSubgraph(*Payload, ParentNode);
          } else if constexpr (std::is_same_v<T, std::vector<std::unique_ptr<Graph>>>) {
            std::vector<std::unique_ptr<Graph>> Graphs;
            Graphs.reserve(Payload.size());
            for (const std::unique_ptr<Graph> &G : Payload)
              Graphs.push_back(cloneSubgraph(*G, ParentNode));
            To.Value = std::move(Graphs);
          } else {
            To.Value = Payload;
          }
        },
        From.Value);
    return To;
  }

  /// Fields that we do not model are left behind: they speak of values by the names of the function.
  std::unique_ptr<Graph> cloneSubgraph(const Graph &From, Node *ParentNode) {
    auto To = std::make_unique<Graph>(M, ParentNode);
    To->setName(From.name());
    for (Value *Input : From.inputs())
      Copies[Input] = To->addInput(unique(*Input), Input->type());
    for (Value *Init : From.initializers()) {
      if (Init->isGraphInput()) {
        To->setDefault(Copies[Init], *Init->initializer());
        Copies[Init]->setOverridable(Init->isOverridable());
        continue;
      }
      Value *Copy = To->addOpaqueInitializer(unique(*Init));
      if (Init->initializer())
        Copy->setInitializer(*Init->initializer());
      Copy->setType(Init->type());
      Copy->setUnmodelled(Init->unmodelled().str());
      Copies[Init] = Copy;
    }
    for (const Node &N : From)
      cloneNode(N, *To, To->end());
    for (Value *Output : From.outputs())
      To->addOutput(Copies.lookup(Output));
    return To;
  }

  std::string unique(const Value &V) { return M.uniqueName(Stem + "_" + V.name()); }

  /// Makes the copy's results the values that the caller's outputs were.
  void replaceOutputs(Graph &G, Graph::iterator Place) {
    llvm::SmallPtrSet<Value *, 4> Taken;
    for (unsigned Index = 0; Index < Caller.numOutputs(); ++Index) {
      Value *Old = Caller.output(Index);
      if (Old->name().empty())
        continue;
      Value *New = Copies.lookup(F.Body->outputs()[Index]);
      // What the function hands on, or returns twice, cannot have the output's name.
      bool IsOwn = New && New->producer() && !llvm::is_contained(F.Body->inputs(), F.Body->outputs()[Index]);
      if (!IsOwn || !Taken.insert(New).second)
        New = G.insert(Place, "Identity", {New}, Old->name());
      New->setType(Old->type());
      New->setUnmodelled(Old->unmodelled().str());
      Renamed.emplace_back(New, Old->name().str());
      Old->replaceAllUsesWith(New);
    }
  }

  Node &Caller;
  const Function &F;
  Model &M;
  std::string Stem;
  /// Of the body's values; null for an input that the caller leaves out.
  llvm::DenseMap<const Value *, Value *> Copies;
  std::vector<std::pair<Value *, std::string>> Renamed;
  /// Domains of the body's operators.
  llvm::StringSet<> Used;
};
} // namespace

Graph::iterator deepshare::inlineCall(Node &Caller, const Function &F) { return Inliner(Caller, F).run(); }
