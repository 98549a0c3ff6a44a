//===- Inlining.cpp - a function's body in place of its call --------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Inlining.h"

#include "deepshare/IR/Cloner.h"
#include "deepshare/ONNX/ONNX.h"

#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/ADT/StringSet.h"

#include <fmt/format.h>

using namespace deepshare;

//===----------------------------------------------------------------------===//
// Legality
//===----------------------------------------------------------------------===//

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
  if (!Caller.subgraphs().empty())
    return "it has a graph as an attribute, which may use values around the call";
  llvm::SmallVector<const Value *> Missing;
  for (auto [Index, Input] : llvm::enumerate(F.Body->inputs()))
    if (!Caller.input(Index))
      Missing.push_back(Input);
  if (returnsAny(*F.Body, Missing))
    return "its function hands on an input that the call leaves out";
  return refuseOpsets(M, F);
}

std::string deepshare::refuseOpsets(const Model &M, const Function &F) {
  std::string Reason;
  F.Body->walk([&](Node &N) {
    int64_t There = opsetVersion(F.Opsets, N.domain()), Here = M.opsetVersion(N.domain());
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
class Inliner : private Cloner {
public:
  Inliner(Node &Caller, const Function &F)
      : Cloner(Caller.parent()->model()), Caller(Caller), F(F), Stem(Caller.displayName().str()) {}

  void run() {
    for (auto [Index, Input] : llvm::enumerate(F.Body->inputs()))
      map(Input, Caller.input(Index));
    Graph &G = *Caller.parent();
    Graph::iterator Place = Graph::iteratorTo(&Caller);
    for (const Node &N : *F.Body)
      dropMissing(*cloneNode(N, G, Place));
    llvm::StringSet<> Used;
    F.Body->walk([&](const Node &N) { Used.insert(N.domain()); });
    for (const OpsetImport &Import : F.Opsets)
      if (Used.contains(Import.Domain))
        Into.addOpset(Import.Domain, Import.Version);
    replaceOutputs(G, Place);
    G.erase(&Caller);
    for (auto &[New, Name] : Renamed)
      New->setName(Name);
  }

private:
  /// Operands at the end that the call leaves out are left out, not named by "": importers of frameworks take the two
  /// for different things.
  static void dropMissing(Node &N) {
    unsigned Count = N.numInputs();
    while (Count > 0 && !N.input(Count - 1))
      --Count;
    N.truncateInputs(Count);
  }

  std::string nameOf(const Value &From) override {
    // An output that is left out has no name.
    return From.name().empty() ? "" : Into.uniqueName(Stem + "_" + From.name());
  }
  std::string nameOf(const Node &From) override { return From.name().empty() ? "" : Stem + "_" + From.name().str(); }

  void describe(const Value &From, Value &To) override {
    // What an exporter knows of types in a body may hold for some callers only: they are inferred anew.
    if (To.parent() != Caller.parent())
      To.setType(withoutNames(From.type()));
    if (To.isInitializer())
      To.setUnmodelled(From.unmodelled().str());
  }

  /// Fields that we do not model are left behind: they speak of values by the names of the function.
  std::string unmodelledOf(const Graph &) override { return ""; }

  /// For a reference: the attribute of the caller, or the function's default; null if there is neither.
  const Attribute *resolve(const Attribute &A) override {
    const auto *Reference = std::get_if<AttributeReference>(&A.Value);
    if (!Reference)
      return &A;
    if (const Attribute *Given = Caller.attribute(Reference->Name))
      return Given;
    auto Default = llvm::find_if(F.AttributeDefaults, [&](const Attribute &D) { return D.Name == Reference->Name; });
    return Default == F.AttributeDefaults.end() ? nullptr : &*Default;
  }

  /// Makes the copy's results the values that the caller's outputs were.
  void replaceOutputs(Graph &G, Graph::iterator Place) {
    llvm::SmallPtrSet<Value *, 4> Taken;
    for (unsigned Index = 0; Index < Caller.numOutputs(); ++Index) {
      Value *Old = Caller.output(Index);
      if (Old->name().empty())
        continue;
      Value *New = lookup(F.Body->outputs()[Index]);
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
  std::string Stem;
  std::vector<std::pair<Value *, std::string>> Renamed;
};
} // namespace

Graph::iterator deepshare::inlineCall(Node &Caller, const Function &F) {
  Graph &G = *Caller.parent();
  Graph::iterator Place = Graph::iteratorTo(&Caller);
  bool IsFirst = Place == G.begin();
  Graph::iterator Previous = IsFirst ? Place : std::prev(Place);
  Inliner(Caller, F).run();
  return IsFirst ? G.begin() : std::next(Previous);
}
