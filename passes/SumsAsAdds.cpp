//===- SumsAsAdds.cpp - sums of two at a time -----------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
//   Sum(a, b, c)     =>      Add(Add(a, b), c)
//
// Legal if there are two terms or more: eliminate-identity hands a single one on. Bit-exact where a runtime adds from
// left to right, as most do, but for 16-bit floats, which are rounded after every Add.
//
// jaxonnxruntime's Sum does not broadcast, and CrypTen's is a sum over axes.
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
      if (N.is("Sum") && N.numInputs() > 1)
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
