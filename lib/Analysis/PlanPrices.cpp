//===- PlanPrices.cpp - what gates cost in a budget's unit ----------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "PlanPrices.h"

#include "llvm/ADT/STLExtras.h"

using namespace deepshare;
using llvm::ArrayRef;

PlanPrices::PlanPrices(const PlannerOptions &Options) {
  const CostModel &Cost = Options.Cost;
  switch (Options.Limit.Unit) {
  case BudgetUnit::DReLUs:
    DReLU = 1;
    break;
  case BudgetUnit::Seconds:
    DReLURounds = Cost.DReLU.Rounds * Options.Connection.RoundTrip;
    MuxRounds = Cost.Mux.Rounds * Options.Connection.RoundTrip;
    TruncationRounds = Cost.Truncation.Rounds * Options.Connection.RoundTrip;
    [[fallthrough]];
  case BudgetUnit::Bytes: {
    double Scale = Options.Limit.Unit == BudgetUnit::Bytes ? 1 : 1 / Options.Connection.BytesPerSecond;
    DReLU = Cost.DReLU.Bytes * Scale;
    Mux = Cost.Mux.Bytes * Scale;
    Truncation = Cost.Truncation.Bytes * Scale;
    break;
  }
  }
}

double PlanPrices::rounds(bool HasDReLUs, bool HasMuxes, bool HasTruncations, unsigned Depth) const {
  return (HasDReLUs ? std::max(Depth, 1u) * DReLURounds : 0) + (HasMuxes ? std::max(Depth, 1u) * MuxRounds : 0) +
         (HasTruncations ? TruncationRounds : 0);
}

bool deepshare::keepsTruncation(const GateSite &Site, unsigned Channel) {
  return needsTruncation({std::nullopt, Site.SlopeOn[Channel], Site.SlopeOff[Channel]});
}

double PlanPrices::unchanged(const GateSite &Site) const {
  uint64_t Truncated = 0;
  for (unsigned C = 0; C < Site.SlopeOn.size(); ++C)
    Truncated += keepsTruncation(Site, C) ? Site.positions() : 0;
  return Site.DReLUs * DReLU + Site.Muxes * Mux + Truncated * Truncation +
         rounds(Site.DReLUs, Site.Muxes, Truncated, Site.Depth);
}

double PlanPrices::plan(const SharePlan &Plan, ArrayRef<const GateSite *> Sites) const {
  double Total = countDReLUs(Plan) * DReLU;
  std::vector<char> Computes(Plan.Sites.size());
  for (auto [Planned, Site] : llvm::zip(Plan.Sites, Sites)) {
    uint64_t Muxes = 0, Truncations = 0;
    for (const ChannelPlan &Channel : Planned.Channels) {
      if (Channel.Source)
        Computes[Channel.Source->Site] = true;
      Muxes += Channel.Source ? Site->positions() : 0;
      Truncations += needsTruncation(Channel, Site->FoldsScale) ? Site->positions() : 0;
    }
    Total += Muxes * Mux + Truncations * Truncation + rounds(false, Muxes, Truncations, 1);
  }
  return Total + llvm::count(Computes, true) * DReLURounds;
}
