//===- ExplicitShapes.cpp - Reshape to a shape that says all --------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
//   Reshape(x, [0, -1])      =>      Reshape(x, [-1, 64])
//   Squeeze(x, axes)         =>      Reshape(x, [-1, 64])
//
// Legal if all sizes of the result are known but one, which becomes -1. A Reshape is changed only if its shape has a 0,
// or is not a constant; a Squeeze if its axes are an input. CrypTen's importer knows neither. Bit-exact.
//
// Scope: main graph.
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/ExplicitShapes.h"

#include "ConstantNode.h"
#include "Rewriting.h"
#include "ShapeArithmetic.h"

#include "llvm/ADT/STLExtras.h"

using namespace deepshare;

namespace {
class ExplicitShapes : public Pass {
public:
  llvm::Expected<bool> run(Model &M, PassContext &) override {
    llvm::SmallVector<Node *> Nodes;
    for (Node &N : M.graph())
      if ((N.is("Reshape") && needsShape(N)) || (N.is("Squeeze") && N.numInputs() > 1))
        if (isKnown(N.output()))
          Nodes.push_back(&N);
    for (Node *N : Nodes)
      rewrite(*N);
    Changed += Nodes.size();
    return !Nodes.empty();
  }

  PassStatistics statistics() const override { return {{"nodes changed", Changed}}; }

private:
  static bool needsShape(const Node &N) {
    std::optional<std::vector<int64_t>> Shape = integersOperand(N, 1, "shape");
    return !Shape || llvm::is_contained(*Shape, 0);
  }

  static bool isKnown(const Value *V) {
    if (!V->type() || !V->type()->Dims)
      return false;
    return llvm::count_if(*V->type()->Dims, [](const Dim &Size) { return !Size.isFixed(); }) <= 1 &&
           llvm::none_of(*V->type()->Dims, [](const Dim &Size) { return Size.isFixed() && Size.size() == 0; });
  }

  static void rewrite(Node &N) {
    Graph &G = *N.parent();
    std::vector<int64_t> Sizes;
    for (const Dim &Size : *N.output()->type()->Dims)
      Sizes.push_back(Size.isFixed() ? Size.size() : -1);
    std::string Name = N.output()->name().str();
    Value *Shape = insertConstant(G, Graph::iteratorTo(&N),
                                  Tensor::of<int64_t>({static_cast<int64_t>(Sizes.size())}, Sizes), Name + "_shape");
    Value *Reshaped = G.insert(Graph::iteratorTo(&N), "Reshape", {N.input(0), Shape}, Name + "_reshaped");
    takePlace(N, Reshaped);
  }

  uint64_t Changed = 0;
};
} // namespace

PassInfo deepshare::explicitShapesPass() {
  return {.Name = "explicit-shapes",
          .Contract = "Gives Reshape a constant shape without zeros, and turns Squeeze by an operand into Reshape.",
          .Options = {},
          .Create = createPass<ExplicitShapes>,
          .Alias = {},
          .Effect = PassEffect::Exact};
}
