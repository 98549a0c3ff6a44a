//===- PlanReference.h - what a share plan means, by its definition -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Runs a model whose gates a plan replaces, without rewriting it: the nodes of the planned gates compute, in place of
// what they are,
//
//   y[:,c] = x[:,c] * (d ? on : off)     d: x'[:,c'] > 0, or the mean of a tile of it, at the mapped position
//   y[:,c] = x[:,c] * slope              a channel without a gate
//   y[:,c] = scale[c] * mean of window   a MaxPool among the plan's averages
//
// straight from docs/plan-format.md, with none of the share operators. Means are taken in double precision.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_PASSES_PLANREFERENCE_H
#define DEEPSHARE_LIB_PASSES_PLANREFERENCE_H

#include "deepshare/Analysis/GateSite.h"
#include "deepshare/Exec/Exec.h"
#include "deepshare/Plan/SharePlan.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/Support/Error.h"

#include <ATen/core/Tensor.h>

#include <vector>

namespace deepshare {

/// The means of tiles of \p Block elements along every axis of \p X from axis 2 on, in double precision. Tiles at the
/// far border are cut.
at::Tensor tileMeans(const at::Tensor &X, int64_t Block);

class PlanReference {
public:
  /// Has \p Exec, an executor of \p M, compute what \p Plan, which outlives this, makes of M's gates. Error if the plan
  /// names a gate that M lacks.
  static llvm::Expected<std::unique_ptr<PlanReference>> attach(Executor &Exec, Model &M, const SharePlan &Plan);

  /// To be called for every observed value of a run.
  void observe(const Value &V, const at::Tensor &T);

private:
  PlanReference(const SharePlan &Plan) : Plan(Plan), Compared(Plan.Sites.size()) {}
  at::Tensor gate(unsigned Site) const;
  at::Tensor bits(const GateSource &Source, unsigned User) const;

  const SharePlan &Plan;
  llvm::DenseMap<const Value *, llvm::SmallVector<unsigned, 1>> SitesOf; ///< by what they compare
  std::vector<at::Tensor> Compared;                                      ///< of the run under way, by site
};

} // namespace deepshare

#endif // DEEPSHARE_LIB_PASSES_PLANREFERENCE_H
