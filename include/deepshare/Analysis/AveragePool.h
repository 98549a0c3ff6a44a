//===- AveragePool.h - averages in the place of maxima -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// A maximum over k elements costs k-1 comparisons, an average none:
//
//   MaxPool(x)        =>  scale * AveragePool(x)          the same windows; padding counts in neither
//   GlobalMaxPool(x)  =>  scale * GlobalAveragePool(x)
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_ANALYSIS_AVERAGEPOOL_H
#define DEEPSHARE_ANALYSIS_AVERAGEPOOL_H

#include "deepshare/IR/Graph.h"

namespace deepshare {

/// Why an average of the same windows cannot stand for \p N; empty if it can. Checks operator, type and attributes.
llvm::StringRef averagePoolObstacle(const Node &N);

/// Given: \p Pool, which has no obstacle. Execute: inserts the average of \p X over Pool's windows before \p Before in
/// \p G. Result: the average, named from \p Name.
Value *insertAveragePool(Graph &G, Graph::iterator Before, const Node &Pool, Value *X, const llvm::Twine &Name);

} // namespace deepshare

#endif // DEEPSHARE_ANALYSIS_AVERAGEPOOL_H
