//===- MergeComparisons.cpp - one comparison a site -----------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
//   A = Gather(X, a)                             F = Concat(Reshape(A), Reshape(sums of 2x2 tiles of B))
//   B = Gather(X, b)                             M = DReLU(F)
//   M1 = DReLU(A)                      =>        M1 = Reshape(Slice(M))
//   M2 = DReLU <block = [2, 2]> (B)              M2 = Reshape(Slice(M))
//
// A site whose channels have gates of their own at single positions and for tiles has several DReLUs, and a framework
// computes one after the other: seven rounds or more each. Merged, the rounds are paid once; the bytes stay.
//
// A set of DReLU nodes is merged, at the place of the last one, if
//   1. their inputs are one value, or are gathered from one value by constants,
//   2. the inputs' channels and spatial sizes are known,
//   3. no node before the last of them uses an earlier one's mask.
// The sum of a tile has the sign of its mean, but for rounding in the last place.
//
// Scope: main graph.
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/MergeComparisons.h"

#include "Rewriting.h"
#include "TileSums.h"
#include "deepshare/IR/ShareOps.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/STLExtras.h"

using namespace deepshare;

namespace {
class MergeComparisons : public Pass {
public:
  llvm::Expected<bool> run(Model &M, PassContext &) override {
    Graph &G = M.graph();
    uint64_t Before = Merged;
    llvm::DenseMap<const Node *, unsigned> Place;
    llvm::MapVector<Value *, llvm::SmallVector<Node *>> Sets;
    for (auto [Index, N] : llvm::enumerate(G)) {
      Place[&N] = Index;
      if (isDReLU(N) && N.input(0) && elementsOfImage(*N.input(0)) && (!N.attribute("block") || hasKnownTiles(N)))
        Sets[rootOf(N.input(0))].push_back(&N);
    }
    for (auto &[Root, Nodes] : Sets)
      if (Nodes.size() > 1 && areFreeUntil(Nodes, Place))
        merge(G, Nodes);
    return Merged != Before;
  }

  PassStatistics statistics() const override { return {{"comparisons merged into others", Merged}}; }

private:
  static Value *rootOf(Value *V) {
    while (V->producer() && V->producer()->is("Gather") && V->producer()->input(1) &&
           V->producer()->input(1)->constant())
      V = V->producer()->input(0);
    return V;
  }

  static bool areFreeUntil(llvm::ArrayRef<Node *> Nodes, const llvm::DenseMap<const Node *, unsigned> &Place) {
    unsigned Last = Place.lookup(Nodes.back());
    return llvm::all_of(Nodes, [&](const Node *N) {
      return llvm::all_of(N->output()->uses(),
                          [&](const Use &U) { return U.User->parent() == N->parent() && Place.lookup(U.User) > Last; });
    });
  }

  void merge(Graph &G, llvm::ArrayRef<Node *> Nodes) {
    Graph::iterator Before = Graph::iteratorTo(Nodes.back());
    std::string Name = Nodes.front()->output()->name().str();
    llvm::SmallVector<Value *> Flat;
    llvm::SmallVector<llvm::SmallVector<int64_t>> Shapes;
    llvm::SmallVector<int64_t> Starts = {0};
    for (Node *N : Nodes) {
      Value *Compared = N->input(0);
      if (std::vector<int64_t> Block = N->intsAttribute("block"); !Block.empty())
        Compared = insertTileSums(Before, Compared, Block.front(), N->output()->name());
      llvm::SmallVector<int64_t> Dims = {-1};
      int64_t Elements = 1;
      for (const Dim &Size : llvm::drop_begin(*Compared->type()->Dims)) {
        Dims.push_back(Size.size());
        Elements *= Size.size();
      }
      Shapes.push_back(Dims);
      Starts.push_back(Starts.back() + Elements);
      Flat.push_back(G.insert(Before, "Reshape", {Compared, insertIntegers(G, {-1, Elements}, Name + "_flat_shape")},
                              Name + "_flat"));
    }
    Value *All = G.insert(Before, "Concat", Flat, Name + "_compared");
    All->producer()->setAttribute("axis", int64_t(1));
    All->setType(TensorType{ElementType::Float32, Shape{Dim(), Dim::fixed(Starts.back())}});
    Value *Bits = insertDReLU(Before, All, 1, Name + "_merged");
    Value *Axis = insertIntegers(G, {1}, Name + "_axis");
    for (auto [I, N] : llvm::enumerate(Nodes)) {
      Value *Part = G.insert(Before, "Slice",
                             {Bits, insertIntegers(G, {Starts[I]}, Name + "_start"),
                              insertIntegers(G, {Starts[I + 1]}, Name + "_end"), Axis},
                             Name + "_part");
      Value *Mask = G.insert(Before, "Reshape", {Part, insertIntegers(G, Shapes[I], Name + "_mask_shape")},
                             N->output()->name() + "_mask");
      std::string MaskName = N->output()->name().str();
      Mask->setType(N->output()->type());
      N->output()->replaceAllUsesWith(Mask);
      Mask->setName(MaskName);
    }
    for (Node *N : Nodes)
      N->parent()->erase(N);
    Merged += Nodes.size() - 1;
  }

  uint64_t Merged = 0;
};
} // namespace

PassInfo deepshare::mergeComparisonsPass() {
  return {.Name = "merge-comparisons",
          .Contract = "Merges the DReLUs of one site, of single positions and of tiles, into one comparison.",
          .Options = {},
          .Create = createPass<MergeComparisons>,
          .Alias = {},
          .Effect = PassEffect::Reassociates};
}
