//===- TileSums.h - what a DReLU of tiles compares -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_PASSES_TILESUMS_H
#define DEEPSHARE_PASSES_TILESUMS_H

#include "deepshare/IR/Graph.h"

namespace deepshare {

/// True if insertTileSums can work on the input of \p N, a DReLU of tiles: its channels and spatial sizes are known,
/// and the blocks are as many as the latter.
bool hasKnownTiles(const Node &N);

/// Inserts before \p Before the sums of \p X over tiles of \p Block elements along every spatial axis. A sum has the
/// sign of the mean and costs no truncation in fixed point; zeros fill the tiles at the far border, which changes no
/// sum:
///   ReduceSum(Reshape(Pad(X), [-1, C, tiles, Block, ...]), axes of the blocks)
/// Result: the sums, typed, named from \p Name.
Value *insertTileSums(Graph::iterator Before, Value *X, int64_t Block, const llvm::Twine &Name);

/// An int64 initialiser of one axis.
Value *insertIntegers(Graph &G, llvm::ArrayRef<int64_t> Values, const llvm::Twine &Name);

} // namespace deepshare

#endif // DEEPSHARE_PASSES_TILESUMS_H
