//===- PolarizedPlan.cpp - a plan whose gates a training chooses ----------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "PolarizedPlan.h"

#include "deepshare/IR/ShareOps.h"
#include "deepshare/passes/ShareGates.h"

#include "llvm/ADT/StringSet.h"

#include <fmt/format.h>

#include <map>
#include <set>

using namespace deepshare;

/// The gates that a plan computes, by mask as share-gates makes them.
static std::map<std::pair<unsigned, unsigned>, std::set<unsigned>> masksOf(const SharePlan &Plan) {
  std::map<std::pair<unsigned, unsigned>, std::set<unsigned>> Masks;
  for (const SitePlan &Site : Plan.Sites)
    for (const ChannelPlan &Channel : Site.Channels)
      if (Channel.Source)
        Masks[{Channel.Source->Site, Channel.Source->Block}].insert(Channel.Source->Channel);
  return Masks;
}

llvm::Expected<Polarization> deepshare::polarizationOf(const SharePlan &Plan, Model &Original, const Budget &Limit) {
  assert(Limit.Unit == BudgetUnit::DReLUs && "gates polarise for a number of DReLUs only");
  llvm::Expected<std::vector<GateSite>> Sites = findGateSites(Original);
  if (!Sites)
    return Sites.takeError();
  llvm::StringSet<> Planned;
  for (const SitePlan &Site : Plan.Sites)
    Planned.insert(Site.Name);
  for (const AveragePoolPlan &Pool : Plan.AveragePools)
    Planned.insert(Pool.Name);
  double All = 0, Others = 0;
  for (const GateSite &Site : *Sites) {
    All += static_cast<double>(Site.DReLUs);
    Others += Planned.contains(Site.Name) ? 0 : static_cast<double>(Site.DReLUs);
  }
  Polarization Result;
  Result.Target = (Limit.IsFraction ? Limit.Amount * All : Limit.Amount) - Others;
  if (Result.Target < 0)
    return llvm::createStringError(
        fmt::format("budget {} is less than the {} DReLUs of sites that cannot share", budgetText(Limit), Others));
  for (const auto &[Key, Channels] : masksOf(Plan)) {
    const SitePlan &Site = Plan.Sites[Key.first];
    auto Price = static_cast<double>(tileCount(Site.Spatial, Key.second));
    Result.Masks.push_back({maskName(Site.Name, Key.second), std::vector<double>(Channels.size(), Price)});
  }
  return Result;
}

double deepshare::priceOf(const Polarization &Gates) {
  double Sum = 0;
  for (const Polarization::Mask &Mask : Gates.Masks)
    for (double Price : Mask.Prices)
      Sum += Price;
  return Sum;
}

llvm::Error deepshare::takeSlopes(Model &Tuned, SharePlan &Plan) {
  llvm::StringMap<const Node *> Shares, Products;
  for (const Node &N : Tuned.graph())
    if (isDReLUShare(N))
      Shares[N.output()->name()] = &N;
    else if (N.is("Mul"))
      Products[N.output()->name()] = &N;
  llvm::Expected<std::vector<GateSite>> Sites = findGateSites(Tuned);
  if (!Sites)
    return Sites.takeError();
  llvm::StringMap<const GateSite *> Whole;
  for (const GateSite &Site : *Sites)
    Whole[Site.Name] = &Site;
  for (SitePlan &Site : Plan.Sites) {
    std::vector<float> On, Off;
    if (const Node *Share = Shares.lookup(Site.Name)) {
      On = *Share->attributeAs<std::vector<float>>("on");
      Off = *Share->attributeAs<std::vector<float>>("off");
    } else if (const Node *Product = Products.lookup(Site.Name); Product && Product->input(1)->constant()) {
      On = Off = Product->input(1)->constant()->toVector<float>(); // a site that is linear throughout
    } else if (const GateSite *Kept = Whole.lookup(Site.Name)) {
      On.assign(Kept->SlopeOn.begin(), Kept->SlopeOn.end());
      Off.assign(Kept->SlopeOff.begin(), Kept->SlopeOff.end());
    }
    if (On.size() != Site.Channels.size())
      continue; // a site whose slopes are all 1 has left nothing
    for (auto [Channel, NewOn, NewOff] : llvm::zip_equal(Site.Channels, On, Off)) {
      Channel.On = NewOn;
      Channel.Off = NewOff;
    }
  }
  return llvm::Error::success();
}

void deepshare::giveUpGates(SharePlan &Plan, llvm::ArrayRef<std::vector<PolarizedGate>> Gates) {
  std::map<GateSource, PolarizedGate> BySource;
  for (const auto &[Mask, Of] : llvm::zip_equal(masksOf(Plan), Gates))
    for (const auto &[Channel, Gate] : llvm::zip_equal(Mask.second, Of))
      BySource.emplace(GateSource{Mask.first.first, Channel, Mask.first.second}, Gate);
  for (SitePlan &Site : Plan.Sites)
    for (ChannelPlan &Channel : Site.Channels) {
      if (!Channel.Source)
        continue;
      const PolarizedGate &Gate = BySource.at(*Channel.Source);
      if (Gate.Kept)
        continue;
      Channel.Source.reset();
      Channel.On = Channel.Off = Channel.Off + (Channel.On - Channel.Off) * Gate.Level;
    }
}
