//===- EliminateDeadCode.cpp - removes what nothing uses ------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
//   w = initialiser
//   a = Relu(x)
//   b = Mul(x, w)         nothing uses b       =>       a = Relu(x)
//   return a                                            return a
//
// A node goes when none of its outputs is used or listed among its graph's outputs; ONNX operators have no other
// effect. Walking backwards, one visit a node is enough: every user stands behind its producer, and the nodes of a
// subgraph are visited before those that stand in front of the node that holds it.
//
// Then go: initialisers without use; functions that no node calls, from the main graph or from a function that stays;
// imports of operator sets (but ONNX's own) that no node belongs to.
//
// What stays: graph inputs, since they are the model's interface, also those with a default that callers may override.
// An input that only lists an initialiser, as files before IR version 4 must, goes with it.
//
// Scope: main graph, subgraphs, functions.
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/EliminateDeadCode.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/StringSet.h"

using namespace deepshare;

namespace {
class EliminateDeadCode : public Pass {
public:
  llvm::Expected<bool> run(Model &M, PassContext &) override {
    uint64_t Before = Nodes + Initializers + Functions + Imports;
    removeDead(M.graph());
    for (Function &F : M.functions())
      removeDead(*F.Body);
    removeFunctions(M);
    removeImports(M);
    return Nodes + Initializers + Functions + Imports != Before;
  }

  PassStatistics statistics() const override {
    return {{"nodes removed", Nodes},
            {"initialisers removed", Initializers},
            {"functions removed", Functions},
            {"operator set imports removed", Imports}};
  }

private:
  void removeDead(Graph &G) {
    for (auto It = G.end(); It != G.begin();) {
      Node &N = *--It;
      if (llvm::all_of(N.outputs(), [](const Value *Output) { return Output->isDead(); })) {
        It = G.erase(&N);
        ++Nodes;
        continue;
      }
      for (Graph *Subgraph : N.subgraphs())
        removeDead(*Subgraph);
    }
    llvm::SmallVector<Value *> All(G.initializers());
    for (Value *Init : All)
      if (Init->isDead() && !Init->isOverridable()) {
        if (Init->isGraphInput())
          G.eraseInput(Init);
        else
          G.eraseInitializer(Init);
        ++Initializers;
      }
  }

  static void markCalled(Model &M, Graph &G, llvm::DenseSet<const Function *> &Called) {
    G.walk([&](Node &N) {
      const Function *Callee = M.function(N);
      if (Callee && Called.insert(Callee).second)
        markCalled(M, *Callee->Body, Called);
    });
  }

  void removeFunctions(Model &M) {
    llvm::DenseSet<const Function *> Called;
    markCalled(M, M.graph(), Called);
    std::vector<Function> Kept;
    for (Function &F : M.functions())
      if (Called.contains(&F))
        Kept.push_back(std::move(F));
    Functions += M.functions().size() - Kept.size();
    M.functions() = std::move(Kept);
  }

  // A function imports the operator sets of its own body, so only the main graph's nodes count.
  void removeImports(Model &M) {
    llvm::StringSet<> Used;
    M.graph().walk([&](Node &N) { Used.insert(N.domain()); });
    size_t Before = M.opsets().size();
    llvm::erase_if(M.opsets(), [&](const OpsetImport &I) { return !I.Domain.empty() && !Used.contains(I.Domain); });
    Imports += Before - M.opsets().size();
  }

  uint64_t Nodes = 0;
  uint64_t Initializers = 0;
  uint64_t Functions = 0;
  uint64_t Imports = 0;
};
} // namespace

PassInfo deepshare::eliminateDeadCodePass() {
  return {.Name = "eliminate-dead-code",
          .Contract = "Removes nodes, initialisers, functions and operator set imports that nothing uses.",
          .Options = {},
          .Create = createPass<EliminateDeadCode>,
          .Alias = {},
          .Effect = PassEffect::Exact};
}
