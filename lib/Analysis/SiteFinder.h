//===- SiteFinder.h - walks graphs and collects gate sites -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_ANALYSIS_SITEFINDER_H
#define DEEPSHARE_LIB_ANALYSIS_SITEFINDER_H

#include "BatchAxis.h"

#include "deepshare/Analysis/GateForms.h"
#include "deepshare/Analysis/GateSite.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace deepshare {

/// What a gate costs, for each element of its output.
struct ElementCost {
  uint64_t Comparisons = 1;
  uint64_t Muxes = 1;
  unsigned Depth = 1;
};

/// Why gates of a kind that is not x times a slope for each sign are only counted (GateSite::Obstacle).
llvm::StringRef formObstacle(GateKind Kind);

/// Walks graphs and collects sites.
class SiteFinder {
public:
  explicit SiteFinder(Model &M) : M(M), Batch(M) {}

  llvm::Error visitGraph(Graph &G);
  std::vector<GateSite> Sites;

private:
  llvm::Error visit(Node &N);
  llvm::Error visitSubgraphs(Node &N);
  llvm::Error visitCall(Node &Call, const Function &F);
  uint64_t tripsOf(const Node &N) const;
  void propagateTypes(Node &N);
  bool isSecretFloat(const Value *V) const;
  bool isBit(const Value *V) const { return Bits.contains(V); }
  llvm::Expected<uint64_t> reducedElements(Node &N);
  std::string originOfUnknown(const Node &N) const;
  bool isPlausible(llvm::ArrayRef<Dim> Dims) const;
  llvm::Error checkCount(const Node &N, double Count) const;
  llvm::Expected<GateSite *> addSite(Node &N, GateKind Kind, Value *Input, ElementCost PerElement);
  llvm::StringRef placeObstacle(const GateSite &Site) const;
  llvm::Error addSloped(Node &N, GateKind Kind, Value *Input, std::optional<Slopes> Same, ElementCost PerElement = {});
  llvm::Error addPRelu(Node &N);
  llvm::Error addExtremum(Node &N);
  llvm::Error addClip(Node &N);
  llvm::Error addWhere(Node &N);
  llvm::Error addShare(Node &N);
  llvm::Error addSelection(Node &N);

  const TensorType *typeOf(const Value *V) const {
    if (auto Found = InnerTypes.find(V); Found != InnerTypes.end())
      return &Found->second;
    return V->type() ? &*V->type() : nullptr;
  }

  Model &M;
  BatchAxis Batch;
  /// Values that hold secret bits, as booleans or as numbers 0 and 1.
  llvm::DenseSet<const Value *> Bits;
  /// Types inside of function bodies, which have none of their own.
  llvm::DenseMap<const Value *, TensorType> InnerTypes;
  /// Before names inside of functions: "call/".
  std::string Prefix;
  /// How often the graph that is visited runs for an image: the product of the trips of the loops around it.
  uint64_t Trips = 1;
};

} // namespace deepshare

#endif // DEEPSHARE_LIB_ANALYSIS_SITEFINDER_H
