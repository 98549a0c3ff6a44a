//===- SumsAsAdds.cpp - sums of two at a time -----------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
//   Sum(a, b, c)     =>      Add(Add(a, b), c)
//   Sum(a)           =>      Identity(a)
//
// Always legal; bit-exact where a runtime adds from left to right, as most do. jaxonnxruntime's Sum does not broadcast,
// and CrypTen's is a sum over axes.
//
// Scope: main graph, subgraphs.
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/SumsAsAdds.h"

#include "Rewriting.h"

using namespace deepshare;

namespace {
class SumsAsAdds : public Pass {
public:
  llvm::Expected<bool> run(Model &M, PassContext &) override {
    llvm::SmallVector<Node *> Sums;
    M.graph().walk([&](Node &N) {
      if (N.is("Sum") && N.numInputs() > 0 && !llvm::is_contained(N.inputs(), nullptr))
        Sums.push_back(&N);
    });
    for (Node *N : Sums)
      split(*N);
    Split += Sums.size();
    return !Sums.empty();
  }

  PassStatistics statistics() const override { return {{"sums split", Split}}; }

private:
  static void split(Node &N) {
    Graph &G = *N.parent();
    std::string Name = (N.output()->name() + "_sum").str();
    Value *Sum = N.input(0);
    for (Value *Term : N.inputs().drop_front())
      Sum = G.insert(Graph::iteratorTo(&N), "Add", {Sum, Term}, Name);
    if (N.numInputs() == 1)
      Sum = G.insert(Graph::iteratorTo(&N), "Identity", {Sum}, Name);
    Sum->producer()->setName(N.name());
    takePlace(N, Sum);
  }

  uint64_t Split = 0;
};
} // namespace

PassInfo deepshare::sumsAsAddsPass() {
  return {.Name = "sums-as-adds",
          .Contract = "Turns Sum into Adds, from left to right.",
          .Options = {},
          .Create = createPass<SumsAsAdds>,
          .Alias = {},
          .Effect = PassEffect::Reassociates};
}
