//===- GreaterAsLess.cpp - one direction of comparison --------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
//   Greater(a, b)            =>      Less(b, a)
//   GreaterOrEqual(a, b)     =>      LessOrEqual(b, a)
//
// Always legal, and bit-exact. jaxonnxruntime has no Greater.
//
// Scope: main graph, subgraphs.
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/GreaterAsLess.h"

#include "Rewriting.h"

using namespace deepshare;

namespace {
class GreaterAsLess : public Pass {
public:
  llvm::Expected<bool> run(Model &M, PassContext &) override {
    llvm::SmallVector<Node *> Comparisons;
    M.graph().walk([&](Node &N) {
      if ((N.is("Greater") || N.is("GreaterOrEqual")) && N.numInputs() == 2)
        Comparisons.push_back(&N);
    });
    for (Node *N : Comparisons)
      turn(*N);
    Turned += Comparisons.size();
    return !Comparisons.empty();
  }

  PassStatistics statistics() const override { return {{"comparisons turned", Turned}}; }

private:
  static void turn(Node &N) {
    Graph &G = *N.parent();
    Value *Less = G.insert(Graph::iteratorTo(&N), N.is("Greater") ? "Less" : "LessOrEqual", {N.input(1), N.input(0)},
                           N.output()->name() + "_less");
    Less->producer()->setName(N.name());
    takePlace(N, Less);
  }

  uint64_t Turned = 0;
};
} // namespace

PassInfo deepshare::greaterAsLessPass() {
  return {.Name = "greater-as-less",
          .Contract = "Turns Greater and GreaterOrEqual into Less and LessOrEqual of the exchanged operands.",
          .Options = {},
          .Create = createPass<GreaterAsLess>,
          .Alias = {},
          .Effect = PassEffect::Exact};
}
