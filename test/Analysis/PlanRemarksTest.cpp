//===- PlanRemarksTest.cpp - what became of each channel ------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Analysis/PlanRemarks.h"

#include <gtest/gtest.h>

using namespace deepshare;

namespace {

GateSite site(const char *Name, GateKind Kind, int64_t Channels) {
  GateSite Site{};
  Site.Name = Name;
  Site.Kind = Kind;
  Site.Channels = Channels;
  Site.Spatial = {4, 4};
  Site.DReLUs = Site.Muxes = Channels * 16;
  Site.SlopeOn.assign(Channels, 1);
  Site.SlopeOff.assign(Channels, 0);
  return Site;
}

TEST(PlanRemarks, EveryDecision) {
  std::vector<GateSite> Sites = {site("a", GateKind::Relu, 3), site("pool", GateKind::MaxPool, 1),
                                 site("b", GateKind::PRelu, 2), site("c", GateKind::Abs, 1)};
  Sites[1].SlopeOn.clear();
  Sites[1].SlopeOff.clear();
  Sites[1].Obstacle = "compares elements with each other";
  SharePlan Plan;
  Plan.Sites = {{"a", {{GateSource{0, 0}, 1, 0}, {GateSource{0, 1, 2}, 1, 0}, {std::nullopt, 0, 0}}, {4, 4}},
                {"b", {{GateSource{0, 0}, 0.75, -0.5}, {std::nullopt, 0.25, 0.25}}, {4, 4}}};
  PlanOutcomes Outcomes;
  Outcomes.Sites = {
      {{0, ChannelPlan{std::nullopt, 0.5, 0.5}, 2}, {0.125, ChannelPlan{GateSource{0, 0}, 1, 0}, 0.25}, {0.25, {}, 0}},
      {{1, ChannelPlan{GateSource{0, 1, 2}, 1, 1}, 1.5}, {0.5, ChannelPlan{std::nullopt, 0, 0}, 0.75}}};
  EXPECT_EQ(planRemarks(Sites, Plan, Outcomes),
            "a: Relu: 1 kept, 1 shared, 0 linear, 1 removed; 20 of 48 DReLUs; loss 0.375\n"
            "a[0]: kept; loss 0; next best: slope 0.5, loss 2; gate a[0] serves 2\n"
            "a[1]: shared: gate a[1] of 2x2 tiles, on 1, off 0; loss 0.125; next best: gate a[0], on 1, off 0, loss "
            "0.25; gate a[1] of 2x2 tiles serves 1\n"
            "a[2]: removed; loss 0.25\n"
            "pool: MaxPool: counted only: it compares elements with each other; 16 DReLUs\n"
            "b: PRelu: 0 kept, 1 shared, 1 linear, 0 removed; 0 of 32 DReLUs; loss 1.5\n"
            "b[0]: shared: gate a[0], on 0.75, off -0.5; loss 1; next best: gate a[1] of 2x2 tiles, on 1, off 1, loss "
            "1.5\n"
            "b[1]: linear: slope 0.25; loss 0.5; next best: removed, loss 0.75\n"
            "c: Abs: not in the plan; 16 DReLUs\n");
  EXPECT_EQ(planRemarks(Sites, {}, std::nullopt),
            "a: Relu: not in the plan; 48 DReLUs\n"
            "pool: MaxPool: counted only: it compares elements with each other; 16 DReLUs\n"
            "b: PRelu: not in the plan; 32 DReLUs\n"
            "c: Abs: not in the plan; 16 DReLUs\n");
}

TEST(PlanRemarks, AveragePools) {
  std::vector<GateSite> Sites = {site("pool", GateKind::MaxPool, 2)};
  Sites[0].SlopeOn.clear();
  Sites[0].SlopeOff.clear();
  SharePlan Plan;
  Plan.AveragePools = {{"pool", {1.5, 1}}};
  EXPECT_EQ(planRemarks(Sites, Plan, PlanOutcomes{{}, {0.5}}),
            "pool: MaxPool: average of the same windows, scaled by 1 to 1.5; 0 of 32 DReLUs; loss 0.5\n");
  EXPECT_EQ(planRemarks(Sites, Plan, std::nullopt),
            "pool: MaxPool: average of the same windows, scaled by 1 to 1.5; 0 of 32 DReLUs\n");
}

} // namespace
