//===- CostReport.cpp - what a model costs before and after ---------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Cost/CostReport.h"

#include "llvm/ADT/StringMap.h"

#include <map>
#include <set>

using namespace deepshare;
using llvm::ArrayRef;

namespace {

/// What a step costs on the longest path.
struct StepRounds {
  double All = 0;
  double Comparisons = 0;
  uint64_t ComparisonSteps = 0;
};

/// The plan seen from its sites.
struct PlanIndex {
  explicit PlanIndex(const SharePlan *Plan);

  llvm::StringMap<unsigned> Sites; ///< by name
  llvm::StringMap<const AveragePoolPlan *> AveragePools;
  /// Gates of each site that some channel uses.
  std::vector<std::set<GateSource>> Gates;
};

} // namespace

PlanIndex::PlanIndex(const SharePlan *Plan) {
  if (!Plan)
    return;
  for (const AveragePoolPlan &Pool : Plan->AveragePools)
    AveragePools[Pool.Name] = &Pool;
  Gates.resize(Plan->Sites.size());
  for (unsigned I = 0; I < Plan->Sites.size(); ++I) {
    Sites[Plan->Sites[I].Name] = I;
    for (const ChannelPlan &Channel : Plan->Sites[I].Channels)
      if (Channel.Source)
        Gates[Channel.Source->Site].insert(*Channel.Source);
  }
}

static void addPrice(GateCost &Cost, const CostModel &Model) {
  Cost.Bytes =
      Cost.DReLUs * Model.DReLU.Bytes + Cost.Muxes * Model.Mux.Bytes + Cost.Truncations * Model.Truncation.Bytes;
}

static void addTo(GateCost &Total, const GateCost &Part) {
  Total.DReLUs += Part.DReLUs;
  Total.Muxes += Part.Muxes;
  Total.Truncations += Part.Truncations;
  Total.Bytes += Part.Bytes;
}

/// Fills a site's row from its plan.
static void applyPlan(SiteReport &Row, const SharePlan &Plan, const PlanIndex &Index, unsigned Site, bool FoldsScale) {
  const SitePlan &Planned = Plan.Sites[Site];
  uint64_t Positions = 1;
  for (int64_t Size : Planned.Spatial)
    Positions *= Size;
  Row.After = {};
  for (const GateSource &Gate : Index.Gates[Site])
    Row.After.DReLUs += tileCount(Planned.Spatial, Gate.Block);
  Row.Prototypes = Index.Gates[Site].size();
  std::map<unsigned, uint64_t> From;
  for (unsigned C = 0; C < Planned.Channels.size(); ++C) {
    const ChannelPlan &Channel = Planned.Channels[C];
    if (needsTruncation(Channel, FoldsScale))
      Row.After.Truncations += Positions;
    if (!Channel.Source) {
      ++Row.Linear;
      continue;
    }
    Row.After.Muxes += Positions;
    if (*Channel.Source != GateSource{Site, C})
      ++Row.Replicates;
    if (Channel.Source->Site != Site)
      ++From[Channel.Source->Site];
  }
  for (auto [Source, Count] : From)
    Row.From.push_back({Plan.Sites[Source].Name, Count});
}

/// Fills the row of a MaxPool that becomes an average of which every output costs \p Products, one after the other.
static void applyAverage(SiteReport &Row, unsigned Products) {
  Row.IsAverage = true;
  Row.After = {};
  Row.After.Truncations = Products;
  for (int64_t Size : Row.Shape)
    Row.After.Truncations *= Size;
}

/// Rounds of a gate site of the given counts, whose outputs cost up to \p Products truncations one after the other.
static StepRounds gateRounds(const GateCost &Counts, unsigned Depth, const CostModel &Model, unsigned Products = 1) {
  StepRounds Rounds;
  if (Counts.DReLUs > 0) {
    Rounds.ComparisonSteps = std::max(Depth, 1u);
    Rounds.Comparisons = Rounds.ComparisonSteps * Model.DReLU.Rounds;
  }
  Rounds.All = Rounds.Comparisons;
  if (Counts.Muxes > 0)
    Rounds.All += std::max(Depth, 1u) * Model.Mux.Rounds;
  if (Counts.Truncations > 0)
    Rounds.All += Products * Model.Truncation.Rounds;
  return Rounds;
}

/// Raises \p Time to \p Earlier, figure by figure.
static void wait(StepRounds &Time, const StepRounds &Earlier) {
  Time.All = std::max(Time.All, Earlier.All);
  Time.Comparisons = std::max(Time.Comparisons, Earlier.Comparisons);
  Time.ComparisonSteps = std::max(Time.ComparisonSteps, Earlier.ComparisonSteps);
}

/// Longest paths over steps of which each waits for earlier ones; every figure has its own longest path. The muxes of
/// a step, not its own comparisons, also wait for the comparisons of the steps in \p Shared.
static void addLongestPath(CostTotals &Totals, ArrayRef<CostStep> Steps, ArrayRef<StepRounds> Rounds,
                           ArrayRef<std::vector<unsigned>> Shared) {
  std::vector<StepRounds> Compared(Steps.size()), Done(Steps.size());
  for (unsigned I = 0; I < Steps.size(); ++I) {
    StepRounds &Gate = Compared[I];
    for (unsigned Earlier : Steps[I].After)
      wait(Gate, Done[Earlier]);
    Gate.All += Rounds[I].Comparisons;
    Gate.Comparisons += Rounds[I].Comparisons;
    Gate.ComparisonSteps += Rounds[I].ComparisonSteps;
    Done[I] = Gate;
    for (unsigned Earlier : Shared[I])
      wait(Done[I], Compared[Earlier]);
    Done[I].All += Rounds[I].All - Rounds[I].Comparisons;
    Totals.Rounds = std::max(Totals.Rounds, Done[I].All);
    Totals.ComparisonRounds = std::max(Totals.ComparisonRounds, Done[I].Comparisons);
    Totals.ComparisonSteps = std::max(Totals.ComparisonSteps, Done[I].ComparisonSteps);
  }
}

static double linearBytes(const LinearSizes &Sizes, const CostModel &Model) {
  // A mean is a sum, which is free, times a public number.
  if (Sizes.Averages)
    return Sizes.Averages * Model.Truncation.Bytes;
  const LinearCost &Cost = Model.Linear;
  return Sizes.Inputs * Cost.BytesPerInput + Sizes.Unrolled * Cost.BytesPerUnrolled +
         Sizes.Weights * Cost.BytesPerWeight + Sizes.Outputs * Cost.BytesPerOutput + Cost.BytesFixed;
}

CostReport deepshare::makeCostReport(ArrayRef<CostStep> Steps, const SharePlan *Plan, const CostModel &Cost,
                                     std::optional<Network> Connection) {
  CostReport Report;
  Report.Connection = Connection;
  Report.Model = Cost;
  Report.HasPlan = Plan != nullptr;
  PlanIndex Index(Plan);
  std::vector<StepRounds> Before(Steps.size()), After(Steps.size());
  std::vector<std::vector<unsigned>> None(Steps.size()), Shared(Steps.size());
  std::vector<unsigned> StepOfSite(Index.Gates.size(), ~0u);
  for (auto [I, Step] : llvm::enumerate(Steps)) {
    if (Step.IsLinear) {
      double Bytes = linearBytes(Step.Linear, Cost);
      Report.Before.LinearBytes += Bytes;
      Report.After.LinearBytes += Bytes;
      Before[I].All = After[I].All = Step.Linear.Averages ? Cost.Truncation.Rounds : Cost.Linear.Rounds;
      continue;
    }
    SiteReport Row;
    Row.Name = Step.Name;
    Row.Kind = Step.Kind;
    Row.Shape = Step.Shape;
    Row.Before.DReLUs = Step.DReLUs;
    Row.Before.Muxes = Step.Muxes;
    Row.Before.Truncations = Step.Truncations;
    Row.After = Row.Before;
    if (auto Found = Index.Sites.find(Step.Name); Found != Index.Sites.end()) {
      applyPlan(Row, *Plan, Index, Found->second, Step.FoldsScale);
      StepOfSite[Found->second] = I;
      // A channel may use a gate of a site on another branch, for which its mux then waits.
      for (const ChannelPlan &Channel : Plan->Sites[Found->second].Channels)
        if (Channel.Source && StepOfSite[Channel.Source->Site] < I &&
            !llvm::is_contained(Shared[I], StepOfSite[Channel.Source->Site]))
          Shared[I].push_back(StepOfSite[Channel.Source->Site]);
    }
    unsigned Products = 1;
    if (auto Found = Index.AveragePools.find(Step.Name); Found != Index.AveragePools.end()) {
      // The division, and a scale that no weights can take.
      Products = isScaled(*Found->second) && !Step.FoldsScale ? 2 : 1;
      applyAverage(Row, Products);
    }
    addPrice(Row.Before, Cost);
    addPrice(Row.After, Cost);
    Before[I] = gateRounds(Row.Before, Step.Depth, Cost);
    After[I] = gateRounds(Row.After, Step.Depth, Cost, Products);
    addTo(Report.Before.Gates, Row.Before);
    addTo(Report.After.Gates, Row.After);
    Report.Sites.push_back(std::move(Row));
  }
  Report.Before.FixedBytes = Report.After.FixedBytes = Cost.BytesFixed;
  addLongestPath(Report.Before, Steps, Before, None);
  addLongestPath(Report.After, Steps, After, Shared);
  return Report;
}
