//===- BudgetSweepTest.cpp - plans of several budgets ---------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Analysis/BudgetSweep.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

using namespace deepshare;
using llvm::Expected;
using testing::HasSubstr;

namespace {

/// One site of four channels that have nothing to do with each other, the later ones with less to lose.
class BudgetSweepTest : public testing::Test {
protected:
  void SetUp() override {
    GateSite Site{};
    Site.Name = "r";
    Site.Kind = GateKind::Relu;
    Site.ChannelAxis = 1;
    Site.Channels = 4;
    Site.Spatial = {2, 2};
    Site.DReLUs = Site.Muxes = 16;
    Site.SlopeOn.assign(4, 1);
    Site.SlopeOff.assign(4, 0);
    Sites = {Site};
    Statistics.Images = 7;
    Statistics.Sites = {{"r", {8, 6, 4, 2}, {4, 3, 2, 1}, {0.5, 0.5, 0.5, 0.5}}};
    PairMoments Pair{0, 0, 1, Matrix(4, 4), Matrix(4, 4), {0, 0, 0, 0}, Matrix(4, 4)};
    for (unsigned R = 0; R < 4; ++R)
      for (unsigned P = 0; P < 4; ++P) {
        float S = Statistics.Sites[0].S[R];
        Pair.M(R, P) = S / 2;
        Pair.A(R, P) = R == P ? S / 2 : S / 4;
        Pair.Both(R, P) = R == P ? 0.5 : 0.25;
      }
    Statistics.Pairs = {Pair};
    CostStep Step;
    Step.Name = "r";
    Step.Kind = "Relu";
    Step.Shape = {4, 2, 2};
    Step.DReLUs = Step.Muxes = 16;
    Steps = {Step};
    Options.Planner.Cost.DReLU = {100, 8};
    Options.Planner.Cost.Mux = {10, 1};
    Options.Strategies = {Strategy::Full, Strategy::Linear};
    for (const char *Text : {"100%", "50%", "25%", "0%"})
      Options.Budgets.push_back(llvm::cantFail(parseBudget(Text)));
  }

  Expected<BudgetSweep> sweep(std::optional<Network> Connection = std::nullopt) {
    return sweepBudgets(Sites, Statistics, Steps, Connection, Options);
  }

  std::vector<GateSite> Sites;
  GateStatistics Statistics;
  std::vector<CostStep> Steps;
  SweepOptions Options;
};

TEST_F(BudgetSweepTest, PlansEveryBudgetWithEveryStrategy) {
  unsigned Calls = 0;
  Options.Progress = [&](uint64_t Done, uint64_t Total) {
    EXPECT_EQ(Done, ++Calls);
    EXPECT_EQ(Total, 8u);
  };
  BudgetSweep Sweep = llvm::cantFail(sweep());
  EXPECT_EQ(Calls, 8u);
  EXPECT_EQ(Sweep.Curve.Note, "7 images, seed 0");
  EXPECT_EQ(Sweep.Curve.Unchanged.Gates.DReLUs, 16u);
  ASSERT_EQ(Sweep.Curve.Points.size(), 8u);
  std::vector<std::string> Names;
  for (auto [Point, Plan] : llvm::zip(Sweep.Curve.Points, Sweep.Plans)) {
    Names.push_back(Point.Strategy + " " + Point.Budget);
    EXPECT_EQ(Point.Failure, "");
    EXPECT_EQ(Point.Cost.Gates.DReLUs, countDReLUs(Plan));
    EXPECT_EQ(Plan.Note, "strategy " + Point.Strategy + ", budget " + Point.Budget + ", 7 images, seed 0");
  }
  EXPECT_THAT(Names, testing::ElementsAre("full 100%", "full 50%", "full 25%", "full 0%", "linear 100%", "linear 50%",
                                          "linear 25%", "linear 0%"));
  // Each half channel is worth a quarter of its sum, of half that it has; the channels with most to lose keep their
  // gates. The errors are noise over what they leave.
  const CurvePoint *Linear = &Sweep.Curve.Points[4];
  EXPECT_EQ(Linear[0].Loss, 0);
  EXPECT_NEAR(Linear[1].Loss, -10 * std::log(1 - 1.5 / 10), 1e-6);
  EXPECT_NEAR(Linear[2].Loss, -10 * std::log(1 - 3.0 / 10), 1e-6);
  EXPECT_NEAR(Linear[3].Loss, -10 * std::log(1 - 5.0 / 10), 1e-6);
  EXPECT_EQ(Linear[3].Cost.Rounds, 0);
}

TEST_F(BudgetSweepTest, BudgetsThatCannotBeKept) {
  GateSite Fixed = Sites[0];
  Fixed.Name = "pool";
  Fixed.Kind = GateKind::MaxPool;
  Fixed.SlopeOn.clear();
  Fixed.SlopeOff.clear();
  Sites.push_back(Fixed);
  Statistics.Sites.push_back({"pool", {}, {}, {}});
  Steps.push_back(Steps[0]);
  Steps[1].Name = "pool";
  BudgetSweep Sweep = llvm::cantFail(sweep());
  EXPECT_EQ(Sweep.Curve.Points[1].Failure, "");
  EXPECT_THAT(Sweep.Curve.Points[2].Failure, HasSubstr("gates that cannot be shared need 16 ('pool')"));
  EXPECT_TRUE(Sweep.Plans[2].Sites.empty());
  Options.Budgets = {llvm::cantFail(parseBudget("25%"))};
  EXPECT_THAT(llvm::toString(sweep().takeError()), HasSubstr("gates that cannot be shared need 16 ('pool')"));
}

TEST_F(BudgetSweepTest, SecondsNeedANetwork) {
  Options.Budgets = {llvm::cantFail(parseBudget("50%s"))};
  EXPECT_THAT(llvm::toString(sweep().takeError()), HasSubstr("a budget in seconds needs a network"));
  BudgetSweep Sweep = llvm::cantFail(sweep(Network{1e-6, 1e3}));
  EXPECT_GT(Sweep.Curve.Points[0].Cost.Gates.DReLUs, 0u);
  EXPECT_LT(Sweep.Curve.Points[0].Cost.seconds(*Sweep.Curve.Connection),
            0.5001 * Sweep.Curve.Unchanged.seconds(*Sweep.Curve.Connection));
}

TEST(Budget, Prints) {
  for (const char *Text : {"50%", "12.5%", "6%", "94208", "12MB", "1.5kB", "3GB", "7B", "50%bytes", "1.5s", "50%s"})
    EXPECT_EQ(budgetText(llvm::cantFail(parseBudget(Text))), Text);
  EXPECT_EQ(budgetText(llvm::cantFail(parseBudget("20ms"))), "0.02s");
  EXPECT_EQ(budgetText(llvm::cantFail(parseBudget("50.0%"))), "50%");
}

} // namespace
