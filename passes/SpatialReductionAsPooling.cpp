//===- SpatialReductionAsPooling.cpp - ReduceMean to GlobalAveragePool ----===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
//   ReduceMean <keepdims = 1> (x, axes)  =>  GlobalAveragePool(x)
//   ReduceMean <keepdims = 0> (x, axes)  =>  Flatten(GlobalAveragePool(x))
//
// Legal if x holds floats and the axes, an attribute or a constant operand, are all its spatial ones (2, 3, ...). The
// forms of ReduceMean differ between opsets, and importers know some; GlobalAveragePool has one. The order of summation
// may differ: equal within rounding.
//
// Scope: main graph.
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/SpatialReductionAsPooling.h"

#include "Rewriting.h"
#include "ShapeArithmetic.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/Sequence.h"

using namespace deepshare;

namespace {
class SpatialReductionAsPooling : public Pass {
public:
  llvm::Expected<bool> run(Model &M, PassContext &) override {
    llvm::SmallVector<Node *> Nodes;
    for (Node &N : M.graph())
      if (N.is("ReduceMean") && isSpatial(N))
        Nodes.push_back(&N);
    for (Node *N : Nodes)
      rewrite(*N);
    Changed += Nodes.size();
    return !Nodes.empty();
  }

  PassStatistics statistics() const override { return {{"reductions made pooling", Changed}}; }

private:
  static bool isSpatial(const Node &N) {
    const std::optional<TensorType> &Type = N.input(0)->type();
    // Of integers there is no pooling.
    int64_t Rank = Type && isFloatingPoint(Type->Element) ? Type->rank().value_or(0) : 0;
    std::vector<int64_t> Axes = constantIntegers(N.input(1)).value_or(N.intsAttribute("axes"));
    for (int64_t &Axis : Axes)
      Axis += Axis < 0 ? Rank : 0;
    llvm::sort(Axes);
    return Rank > 2 && llvm::equal(Axes, llvm::seq<int64_t>(2, Rank));
  }

  static void rewrite(Node &N) {
    Graph &G = *N.parent();
    std::string Name = N.output()->name().str();
    Value *Result = G.insert(Graph::iteratorTo(&N), "GlobalAveragePool", {N.input(0)}, Name + "_pooled");
    if (N.intAttribute("keepdims", 1) == 0)
      Result = G.insert(Graph::iteratorTo(&N), "Flatten", {Result}, Name + "_flat");
    takePlace(N, Result);
  }

  uint64_t Changed = 0;
};
} // namespace

PassInfo deepshare::spatialReductionAsPoolingPass() {
  return {.Name = "spatial-reduction-as-pooling",
          .Contract = "Turns ReduceMean over all spatial axes into GlobalAveragePool.",
          .Options = {},
          .Create = createPass<SpatialReductionAsPooling>,
          .Alias = {},
          .Effect = PassEffect::Reassociates};
}
