//===- ConstantsAsNodes.cpp - what is no weight becomes a node ------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
//   initialiser int64[2] shape       =>      shape = Constant <value = int64[2]> ()
//
// For every dense initialiser of integers or booleans that no caller overrides: indices, shapes, pads, axes, which are
// part of the architecture. CrypTen takes every initialiser for a weight to be encrypted, and can encrypt
// floating-point numbers only. Floating-point initialisers stay, but for the bounds of Clip: CrypTen's takes numbers.
//
// One node for each initialiser, at the head of the graph. Bit-exact.
//
// Scope: main graph, of IR version 4 or later (before, initialisers are inputs too).
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/ConstantsAsNodes.h"

#include "ConstantNode.h"

using namespace deepshare;

namespace {
class ConstantsAsNodes : public Pass {
public:
  llvm::Expected<bool> run(Model &M, PassContext &) override {
    uint64_t Before = Moved;
    Graph &G = M.graph();
    llvm::SmallVector<Value *> All(G.initializers());
    for (Value *Init : All) {
      const Tensor *T = Init->constant();
      if (!T || Init->isGraphInput() || Init->isGraphOutput() || (isFloatingPoint(T->elementType()) && !isBound(*Init)))
        continue;
      std::string Name = Init->name().str();
      Value *Node = insertConstant(G, G.begin(), *T, Name);
      Init->replaceAllUsesWith(Node);
      G.eraseInitializer(Init);
      Node->setName(Name);
      ++Moved;
    }
    return Moved != Before;
  }

  PassStatistics statistics() const override { return {{"initialisers made nodes", Moved}}; }

private:
  /// True if nothing but Clip uses \p V, as least or greatest value.
  static bool isBound(const Value &V) {
    return V.hasUses() && llvm::all_of(V.uses(), [](const Use &U) { return U.User->is("Clip") && U.Index > 0; });
  }

  uint64_t Moved = 0;
};
} // namespace

PassInfo deepshare::constantsAsNodesPass() {
  return {.Name = "constants-as-nodes",
          .Contract =
              "Turns initialisers of integers and booleans into Constant nodes, so that an importer does not take "
              "them for weights.",
          .Options = {},
          .Create = createPass<ConstantsAsNodes>,
          .Alias = {},
          .Effect = PassEffect::Exact};
}
