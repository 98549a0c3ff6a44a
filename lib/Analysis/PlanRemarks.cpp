//===- PlanRemarks.cpp - says for each channel what became of it ----------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Analysis/PlanRemarks.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

using namespace deepshare;
using llvm::ArrayRef;

namespace {

/// Writes the remarks of one plan.
class Remarks {
public:
  Remarks(const SharePlan &Plan, const std::optional<PlanOutcomes> &Outcomes);

  void addSite(const GateSite &Site);
  std::string Text;

private:
  void addPlanned(const GateSite &Site, unsigned Index);
  void addPool(const GateSite &Site, unsigned Index);
  std::string choiceText(const ChannelPlan &Channel) const;
  std::string gateText(const GateSource &Gate) const;
  std::string channelText(unsigned Site, unsigned Channel) const;

  const SharePlan &Plan;
  const std::optional<PlanOutcomes> &Outcomes;
  llvm::StringMap<unsigned> Planned, Pools; ///< sites and average pools of the plan by name
  std::map<GateSource, unsigned> Users;
};

} // namespace

Remarks::Remarks(const SharePlan &Plan, const std::optional<PlanOutcomes> &Outcomes) : Plan(Plan), Outcomes(Outcomes) {
  for (auto [I, Site] : llvm::enumerate(Plan.Sites)) {
    Planned[Site.Name] = I;
    for (const ChannelPlan &Channel : Site.Channels)
      if (Channel.Source)
        ++Users[*Channel.Source];
  }
  for (auto [I, Pool] : llvm::enumerate(Plan.AveragePools))
    Pools[Pool.Name] = I;
}

static std::string lossText(double Loss) { return fmt::format("loss {:.4g}", Loss); }

/// "relu_3[7]", and for tiles "relu_3[7] of 2x2 tiles".
std::string Remarks::gateText(const GateSource &Gate) const {
  std::string Tiles = Gate.Block == 1 ? "" : fmt::format(" of {0}x{0} tiles", Gate.Block);
  return fmt::format("{}[{}]{}", Plan.Sites[Gate.Site].Name, Gate.Channel, Tiles);
}

/// "gate relu_3[7], on 1, off 0", "slope 0.5" or "removed".
std::string Remarks::choiceText(const ChannelPlan &Channel) const {
  if (Channel.Source)
    return fmt::format("gate {}, on {:.4g}, off {:.4g}", gateText(*Channel.Source), Channel.On, Channel.Off);
  return Channel.On == 0 ? "removed" : fmt::format("slope {:.4g}", Channel.On);
}

std::string Remarks::channelText(unsigned Site, unsigned Channel) const {
  const ChannelPlan &Choice = Plan.Sites[Site].Channels[Channel];
  std::string Line;
  if (Choice.Source == GateSource{Site, Channel})
    Line = "kept";
  else if (Choice.Source)
    Line = "shared: " + choiceText(Choice);
  else
    Line = Choice.On == 0 ? "removed" : "linear: " + choiceText(Choice);
  if (Outcomes) {
    const ChannelOutcome &Outcome = Outcomes->Sites[Site][Channel];
    Line += "; " + lossText(Outcome.Loss);
    if (Outcome.Next)
      Line += "; next best: " + choiceText(*Outcome.Next) + ", " + lossText(Outcome.NextLoss);
  }
  // The gates of this channel that are computed, and for how many.
  for (auto Gate = Users.lower_bound({Site, Channel, 0});
       Gate != Users.end() && Gate->first.Site == Site && Gate->first.Channel == Channel; ++Gate)
    Line += fmt::format("; gate {} serves {}", gateText(Gate->first), Gate->second);
  return Line;
}

void Remarks::addPlanned(const GateSite &Site, unsigned Index) {
  const SitePlan &Planned = Plan.Sites[Index];
  unsigned Kept = 0, Shared = 0, Linear = 0, Removed = 0;
  double Loss = 0;
  uint64_t DReLUs = 0;
  for (auto [C, Channel] : llvm::enumerate(Planned.Channels)) {
    bool IsOwn = Channel.Source == GateSource{Index, unsigned(C)};
    ++(IsOwn ? Kept : Channel.Source ? Shared : Channel.On == 0 ? Removed : Linear);
    Loss += Outcomes ? Outcomes->Sites[Index][C].Loss : 0;
  }
  for (const auto &[Gate, Count] : Users)
    DReLUs += Gate.Site == Index ? tileCount(Planned.Spatial, Gate.Block) : 0;
  Text += fmt::format("{}: {}: {} kept, {} shared, {} linear, {} removed; {} of {} DReLUs{}\n", Site.Name,
                      gateKindName(Site.Kind).str(), Kept, Shared, Linear, Removed, DReLUs, Site.DReLUs,
                      Outcomes ? "; " + lossText(Loss) : "");
  for (unsigned C = 0; C < Planned.Channels.size(); ++C)
    Text += fmt::format("{}[{}]: {}\n", Site.Name, C, channelText(Index, C));
}

void Remarks::addPool(const GateSite &Site, unsigned Index) {
  auto [Least, Most] =
      std::minmax_element(Plan.AveragePools[Index].Scale.begin(), Plan.AveragePools[Index].Scale.end());
  Text += fmt::format("{}: {}: average of the same windows, scaled by {:.4g} to {:.4g}; 0 of {} DReLUs{}\n", Site.Name,
                      gateKindName(Site.Kind).str(), *Least, *Most, Site.DReLUs,
                      Outcomes ? "; " + lossText(Outcomes->AveragePools[Index]) : "");
}

void Remarks::addSite(const GateSite &Site) {
  if (auto Found = Pools.find(Site.Name); Found != Pools.end()) {
    addPool(Site, Found->second);
    return;
  }
  if (auto Found = Planned.find(Site.Name); Found != Planned.end()) {
    addPlanned(Site, Found->second);
    return;
  }
  std::string Why = Site.isShareable() ? "not in the plan" : "counted only: it " + Site.Obstacle.str();
  Text += fmt::format("{}: {}: {}; {} DReLUs\n", Site.Name, gateKindName(Site.Kind).str(), Why, Site.DReLUs);
}

std::string deepshare::planRemarks(ArrayRef<GateSite> Sites, const SharePlan &Plan,
                                   const std::optional<PlanOutcomes> &Outcomes) {
  Remarks Result(Plan, Outcomes);
  for (const GateSite &Site : Sites)
    Result.addSite(Site);
  return std::move(Result.Text);
}
