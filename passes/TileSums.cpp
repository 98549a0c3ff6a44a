//===- TileSums.cpp - what a DReLU of tiles compares ----------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "TileSums.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

using namespace deepshare;

bool deepshare::hasKnownTiles(const Node &N) {
  const std::optional<TensorType> &Type = N.input(0)->type();
  return Type && Type->isStatic(/*FreeLeading=*/1) && Type->rank().value_or(0) > 2 &&
         static_cast<int64_t>(N.intsAttribute("block").size()) == *Type->rank() - 2;
}

Value *deepshare::insertIntegers(Graph &G, llvm::ArrayRef<int64_t> Values, const llvm::Twine &Name) {
  return G.addInitializer(Name.str(), Tensor::of<int64_t>({static_cast<int64_t>(Values.size())}, Values));
}

Value *deepshare::insertTileSums(Graph::iterator Before, Value *X, int64_t Block, const llvm::Twine &Name) {
  assert(X->type() && X->type()->isStatic(/*FreeLeading=*/1) && "tiles of unknown sizes");
  Graph &G = *Before->parent();
  llvm::ArrayRef<Dim> Dims = *X->type()->Dims;
  TensorType Type = {X->type()->Element, Shape{Dims[0], Dims[1]}};
  llvm::SmallVector<int64_t> Pads(2 * Dims.size(), 0), Tiled = {-1, Dims[1].size()}, Axes;
  for (size_t Axis = 2; Axis < Dims.size(); ++Axis) {
    int64_t Tiles = llvm::divideCeil(static_cast<uint64_t>(Dims[Axis].size()), static_cast<uint64_t>(Block));
    Pads[Dims.size() + Axis] = Tiles * Block - Dims[Axis].size();
    Tiled.append({Tiles, Block});
    Axes.push_back(Tiled.size() - 1);
    Type.Dims->push_back(Dim::fixed(Tiles));
  }
  if (llvm::any_of(Pads, [](int64_t Pad) { return Pad != 0; }))
    X = G.insert(Before, "Pad", {X, insertIntegers(G, Pads, Name + "_pads")}, Name + "_padded");
  Value *Tiles = G.insert(Before, "Reshape", {X, insertIntegers(G, Tiled, Name + "_shape")}, Name + "_tiles");
  Value *Sums = G.insert(Before, "ReduceSum", {Tiles, insertIntegers(G, Axes, Name + "_axes")}, Name + "_sums");
  Sums->producer()->setAttribute("keepdims", int64_t(0));
  Sums->setType(std::move(Type));
  return Sums;
}
