//===- PlannerTest.cpp - the search for a plan ----------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Analysis/Planner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <set>

using namespace deepshare;
using llvm::Expected;
using testing::HasSubstr;

namespace {

/// Sites and statistics of random signals: channels are mixtures of a few sources, so that gates correlate.
struct Instance {
  std::vector<GateSite> Sites;
  GateStatistics Statistics;
};

Instance randomInstance(unsigned Seed, std::vector<std::pair<unsigned, int64_t>> Shapes) {
  std::mt19937 Random(Seed);
  std::normal_distribution<float> Normal;
  constexpr int NumSamples = 60;
  Instance Result;
  std::vector<std::vector<std::vector<float>>> Values; // site, channel, sample
  for (auto [Channels, Size] : Shapes) {
    GateSite Site{};
    Site.Name = "s" + std::to_string(Result.Sites.size());
    Site.Kind = GateKind::Relu;
    Site.ChannelAxis = 1;
    Site.Channels = Channels;
    Site.Spatial = {Size, Size};
    Site.DReLUs = Site.Muxes = Channels * Size * Size;
    Site.SlopeOn.assign(Channels, 1);
    Site.SlopeOff.assign(Channels, 0);
    Result.Sites.push_back(Site);
    auto &Signals = Values.emplace_back(Channels, std::vector<float>(NumSamples));
    for (auto &Signal : Signals) {
      unsigned Source = Random() % 4;
      for (int I = 0; I < NumSamples; ++I)
        Signal[I] = std::sin(float(I * (Source + 1))) + 0.5f * Normal(Random) + 0.2f;
    }
  }
  Result.Statistics.Images = 1;
  for (size_t R = 0; R < Shapes.size(); ++R) {
    SiteMoments Own;
    Own.Site = Result.Sites[R].Name;
    for (const auto &X : Values[R]) {
      double S = 0, Positive = 0, Open = 0;
      for (float V : X) {
        S += V * V;
        Positive += V > 0 ? V * V : 0;
        Open += V > 0;
      }
      Own.S.push_back(S);
      Own.R.push_back(Positive);
      Own.Open.push_back(Open / NumSamples);
    }
    Result.Statistics.Sites.push_back(Own);
    for (size_t P = 0; P <= R; ++P) {
      if (Shapes[P].second != Shapes[R].second)
        continue;
      PairMoments Pair;
      Pair.Replicate = R;
      Pair.Candidate = P;
      Pair.M = Pair.A = Matrix(Shapes[R].first, Shapes[P].first);
      Pair.Flips.assign(Shapes[P].first, 0);
      Pair.Both = P == R ? Pair.M : Matrix();
      for (unsigned I = 0; I < Shapes[R].first; ++I)
        for (unsigned J = 0; J < Shapes[P].first; ++J)
          for (int K = 0; K < NumSamples; ++K) {
            float X = Values[R][I][K], W = X * X;
            bool Gate = Values[P][J][K] > 0;
            Pair.M(I, J) += Gate ? W : 0;
            Pair.A(I, J) += Gate && X > 0 ? W : 0;
            if (P == R)
              Pair.Both(I, J) += Gate && X > 0 ? 1.0f / NumSamples : 0;
          }
      Result.Statistics.Pairs.push_back(Pair);
    }
  }
  return Result;
}

CostModel prices() {
  CostModel Cost;
  Cost.DReLU = {112, 7};
  Cost.Mux = {32, 1};
  Cost.Truncation = {8, 1};
  return Cost;
}

PlanResult plan(const Instance &I, PlannerOptions Options) {
  Options.Cost = prices();
  Options.Connection = {1e-3, 1e6};
  Expected<PlanResult> Result = planSharing(I.Sites, I.Statistics, Options);
  if (!Result) {
    ADD_FAILURE() << llvm::toString(Result.takeError());
    return {};
  }
  return std::move(*Result);
}

Budget fraction(double Amount, BudgetUnit Unit = BudgetUnit::DReLUs) { return {Unit, true, Amount}; }

/// The least loss over all sets of gates of an instance with one unit: every channel takes its best open gate.
double bruteForce(const Instance &I, double Limit) {
  std::vector<std::pair<unsigned, unsigned>> Gates;
  for (unsigned S = 0; S < I.Sites.size(); ++S)
    for (unsigned C = 0; C < I.Sites[S].Channels; ++C)
      Gates.push_back({S, C});
  double Best = INFINITY;
  for (unsigned Set = 0; Set < (1u << Gates.size()); ++Set) {
    double Price = 0, Loss = 0;
    for (unsigned G = 0; G < Gates.size(); ++G)
      Price += Set >> G & 1 ? I.Sites[Gates[G].first].positions() : 0;
    if (Price > Limit)
      continue;
    for (unsigned S = 0; S < I.Sites.size(); ++S)
      for (unsigned C = 0; C < I.Sites[S].Channels; ++C) {
        double Sum = I.Statistics.Sites[S].S[C], Open = I.Statistics.Sites[S].R[C];
        double Least = fitLinear(Sum, Open).Loss;
        for (const PairMoments &Pair : I.Statistics.Pairs)
          for (unsigned G = 0; G < Gates.size(); ++G)
            if ((Set >> G & 1) && Pair.Replicate == S && Pair.Candidate == Gates[G].first) {
              bool IsOwn = Gates[G] == std::pair(S, C);
              double M = Pair.M(C, Gates[G].second), A = Pair.A(C, Gates[G].second);
              Least = std::min(Least, IsOwn ? 0 : fitAffine(Sum, Open, M, A).Loss);
            }
        Loss += Least;
      }
    Best = std::min(Best, Loss);
  }
  return Best;
}

TEST(Planner, FindsTheOptimumOfTinyInstances) {
  for (unsigned Seed = 0; Seed < 25; ++Seed) {
    Instance I = randomInstance(Seed, {{4, 4}, {5, 2}, {4, 4}});
    for (double Amount : {0.15, 0.3, 0.6}) {
      PlannerOptions Options;
      Options.Limit = fraction(Amount);
      Options.Amplify = 0;
      PlanResult Result = plan(I, Options);
      double Optimum = bruteForce(I, Amount * Result.FullPrice);
      EXPECT_LE(Result.Loss, Optimum * 1.01 + 1e-4) << "seed " << Seed << ", budget " << Amount;
      EXPECT_GE(Result.Loss, Optimum * 0.999 - 1e-4);
    }
  }
}

TEST(Planner, BudgetsHoldAndGatesAreUsed) {
  for (unsigned Seed = 0; Seed < 4; ++Seed) {
    Instance I = randomInstance(Seed, {{8, 8}, {6, 8}, {12, 4}, {10, 4}});
    for (Strategy Search : {Strategy::Full, Strategy::Own, Strategy::Uniform, Strategy::Linear, Strategy::KMedoids,
                            Strategy::Random, Strategy::Blocks})
      for (BudgetUnit Unit : {BudgetUnit::DReLUs, BudgetUnit::Bytes, BudgetUnit::Seconds})
        for (double Amount : {0.0, 0.07, 0.25, 0.5, 0.9}) {
          PlannerOptions Options;
          Options.Limit = fraction(Amount, Unit);
          Options.Search = Search;
          Options.Cost = prices();
          Options.Connection = {1e-3, 1e6};
          Expected<PlanResult> Result = planSharing(I.Sites, I.Statistics, Options);
          ASSERT_TRUE(bool(Result)) << llvm::toString(Result.takeError());
          EXPECT_LE(Result->Price, Amount * Result->FullPrice * (1 + 1e-9))
              << strategyName(Search).str() << " " << int(Unit) << " " << Amount;
          if (Unit == BudgetUnit::DReLUs) {
            EXPECT_EQ(Result->Price, countDReLUs(Result->Plan));
          }
          // A valid plan: it survives its own reader.
          Expected<SharePlan> Read = parseSharePlan(printSharePlan(Result->Plan), "plan");
          ASSERT_TRUE(bool(Read)) << llvm::toString(Read.takeError());
          EXPECT_EQ(llvm::toString(checkPlan(Result->Plan, I.Sites, "plan")), "");
        }
  }
}

TEST(Planner, MoreCandidatesAreNeverMuchWorse) {
  for (unsigned Seed = 0; Seed < 10; ++Seed) {
    Instance I = randomInstance(Seed, {{8, 8}, {6, 8}, {12, 4}, {10, 4}});
    PlannerOptions Options;
    Options.Limit = fraction(0.25);
    double Full = plan(I, Options).Loss;
    for (Strategy Search : {Strategy::Own, Strategy::Uniform, Strategy::Linear, Strategy::KMedoids, Strategy::Random}) {
      Options.Search = Search;
      EXPECT_LE(Full, plan(I, Options).Loss * 1.01) << strategyName(Search).str();
    }
  }
}

/// Errors count as noise over the signal that a site leaves: losing 2 of 4 costs 2 / (1 - 1/2).
TEST(Planner, ErrorsAreNoiseOverWhatIsLeft) {
  Instance I = randomInstance(7, {{8, 8}, {6, 8}, {12, 4}, {10, 4}});
  for (Strategy Search : allStrategies()) {
    PlannerOptions Options;
    Options.Limit = fraction(0.2);
    Options.Search = Search;
    Options.Amplify = 2;
    PlanResult Amplified = plan(I, Options);
    Options.Amplify = 0;
    PlanResult Summed = plan(I, Options);
    auto Noise = [&](const PlanResult &Result) {
      double Total = 0;
      for (auto [Site, Outcomes] : llvm::zip(I.Statistics.Sites, Result.Outcomes.Sites)) {
        double Lost = 0, All = 0;
        for (const ChannelOutcome &Outcome : Outcomes)
          Lost += Outcome.Loss;
        for (double Open : Site.R) // a Relu's sum of w y^2
          All += Open;
        Total += Lost / (1 - std::min(Lost / All, 0.95));
      }
      return Total;
    };
    EXPECT_NEAR(Amplified.Loss, Noise(Amplified), 1e-9 * Amplified.Loss) << strategyName(Search).str();
    EXPECT_LE(Amplified.Loss, Noise(Summed) * (1 + 1e-9)) << strategyName(Search).str();
  }
}

TEST(Planner, OutcomesAddUp) {
  Instance I = randomInstance(4, {{8, 8}, {6, 8}, {12, 4}, {10, 4}});
  for (Strategy Search : allStrategies())
    for (double Amount : {0.0, 0.3, 1.0}) {
      PlannerOptions Options;
      Options.Limit = fraction(Amount);
      Options.Search = Search;
      Options.Explain = true;
      Options.Amplify = 0;
      PlanResult Result = plan(I, Options);
      ASSERT_EQ(Result.Outcomes.Sites.size(), Result.Plan.Sites.size());
      double Loss = 0;
      for (unsigned S = 0; S < Result.Outcomes.Sites.size(); ++S) {
        ASSERT_EQ(Result.Outcomes.Sites[S].size(), Result.Plan.Sites[S].Channels.size());
        for (unsigned C = 0; C < Result.Outcomes.Sites[S].size(); ++C) {
          const ChannelOutcome &Outcome = Result.Outcomes.Sites[S][C];
          const ChannelPlan &Channel = Result.Plan.Sites[S].Channels[C];
          Loss += Outcome.Loss;
          EXPECT_TRUE(Outcome.Next || !Channel.Source) << "it could do without";
          EXPECT_TRUE(!Outcome.Next || Amount > 0) << "no gate is computed";
          // DReLUs alone have a price, so that a channel takes the best that is there.
          if (Outcome.Next && Search == Strategy::Full) {
            EXPECT_LE(Outcome.Loss, Outcome.NextLoss * (1 + 1e-5) + 1e-5);
          }
          EXPECT_TRUE(!Outcome.Next || Outcome.Next->Source != Channel.Source);
        }
      }
      EXPECT_NEAR(Loss, Result.Loss, 1e-9 * (1 + Loss));
    }
}

TEST(Planner, WholeBudgetKeepsEveryGate) {
  Instance I = randomInstance(1, {{4, 4}, {5, 2}});
  I.Sites[0].SlopeOff.assign(4, 0.25);
  for (BudgetUnit Unit : {BudgetUnit::DReLUs, BudgetUnit::Bytes, BudgetUnit::Seconds}) {
    PlannerOptions Options;
    Options.Limit = fraction(1, Unit);
    PlanResult Result = plan(I, Options);
    EXPECT_DOUBLE_EQ(Result.Price, Result.FullPrice);
    for (unsigned S = 0; S < 2; ++S)
      for (unsigned C = 0; C < I.Sites[S].Channels; ++C)
        EXPECT_EQ(Result.Plan.Sites[S].Channels[C], (ChannelPlan{GateSource{S, C}, 1, S == 0 ? 0.25f : 0.0f}));
  }
}

/// A kept slope of 0.25 is a truncation that no hard sharing avoids, and that the budget must pay.
TEST(Planner, EveryStrategyPaysForSlopesThatAreKept) {
  Instance I = randomInstance(3, {{6, 4}, {6, 4}});
  for (GateSite &Site : I.Sites)
    Site.SlopeOff.assign(6, 0.25);
  for (Strategy Search : allStrategies())
    for (double Part : {0.5, 0.25}) {
      PlannerOptions Options;
      Options.Search = Search;
      Options.Limit = fraction(Part, BudgetUnit::Bytes);
      PlanResult Result = plan(I, Options);
      EXPECT_GT(Result.Price, 0) << strategyName(Search).str();
      EXPECT_LE(Result.Price, Part * Result.FullPrice * (1 + 1e-9)) << strategyName(Search).str();
    }
}

TEST(Planner, SameArgumentsSamePlan) {
  Instance I = randomInstance(5, {{8, 8}, {6, 8}, {12, 4}});
  for (Strategy Search : {Strategy::Full, Strategy::Random}) {
    PlannerOptions Options;
    Options.Limit = fraction(0.3, BudgetUnit::Bytes);
    Options.Search = Search;
    EXPECT_EQ(printSharePlan(plan(I, Options).Plan), printSharePlan(plan(I, Options).Plan));
  }
}

TEST(Planner, FlipsArePriced) {
  // A channel may use either of two gates that are alike but for how often noise flips them.
  Instance I = randomInstance(3, {{3, 4}});
  PairMoments &Pair = I.Statistics.Pairs.front();
  for (unsigned R = 0; R < 3; ++R)
    for (unsigned P : {1, 2}) {
      Pair.M(R, P) = Pair.M(R, R);
      Pair.A(R, P) = Pair.A(R, R);
    }
  PlannerOptions Options;
  Options.Limit = fraction(0.34);
  Options.Search = Strategy::Own;
  for (unsigned Quiet : {1, 2}) {
    Pair.Flips = {0.4f, 0.4f, 0.4f};
    Pair.Flips[Quiet] = 0.01f;
    PlanResult Result = plan(I, Options);
    EXPECT_EQ(Result.Plan.Sites[0].Channels[0].Source, (GateSource{0, Quiet}));
    EXPECT_GT(Result.Loss, 0);
  }
}

TEST(Planner, SitesWithoutGatesSaveRounds) {
  // With a slow network the same budget leaves fewer sites that compare.
  Instance I = randomInstance(2, {{8, 4}, {8, 4}, {8, 4}, {8, 4}});
  auto Comparing = [&](Network Connection) {
    PlannerOptions Options;
    Options.Limit = fraction(0.5, BudgetUnit::Seconds);
    Options.Cost = prices();
    Options.Connection = Connection;
    Expected<PlanResult> Result = planSharing(I.Sites, I.Statistics, Options);
    EXPECT_TRUE(bool(Result));
    std::set<unsigned> Sites;
    for (const SitePlan &Site : Result->Plan.Sites)
      for (const ChannelPlan &Channel : Site.Channels)
        if (Channel.Source)
          Sites.insert(Channel.Source->Site);
    return Sites.size();
  };
  EXPECT_EQ(Comparing({1, 1e9}), 1u);
  EXPECT_GT(Comparing({1e-9, 1e6}), 1u);
}

TEST(Planner, FreeOperationsAreUsed) {
  // Garbled circuits may price the mux alone, other protocols the comparison alone, and rounds may be all that costs.
  Instance I = randomInstance(7, {{8, 4}, {8, 4}, {6, 2}});
  PlannerOptions Options;
  Options.Limit = fraction(0, BudgetUnit::Bytes);
  double Linear = plan(I, Options).Loss;
  Options.Limit.Amount = 0.75;
  Options.Connection = {1e-3, 1e6};
  for (unsigned Free = 0; Free < 4; ++Free) {
    Options.Cost = prices();
    Options.Limit.Unit = Free < 3 ? BudgetUnit::Bytes : BudgetUnit::Seconds;
    (Free == 0 ? Options.Cost.DReLU : Free == 1 ? Options.Cost.Mux : Options.Cost.Truncation).Bytes = 0;
    if (Free == 3)
      Options.Cost.DReLU.Bytes = Options.Cost.Mux.Bytes = 0;
    Expected<PlanResult> Result = planSharing(I.Sites, I.Statistics, Options);
    ASSERT_TRUE(bool(Result)) << llvm::toString(Result.takeError());
    EXPECT_LE(Result->Price, 0.75 * Result->FullPrice) << Free;
    EXPECT_GT(countDReLUs(Result->Plan), 0u) << Free;
    EXPECT_LT(Result->Loss, 0.8 * Linear) << Free;
  }
}

TEST(Planner, SitesThatCannotShareSpendTheirPart) {
  Instance I = randomInstance(3, {{4, 4}, {5, 2}});
  I.Sites[1].SlopeOn.clear();
  I.Sites[1].SlopeOff.clear();
  I.Sites[1].Kind = GateKind::MaxPool;
  I.Statistics.Sites[1] = {"s1", {}, {}, {}};
  std::erase_if(I.Statistics.Pairs, [](const PairMoments &Pair) { return Pair.Replicate == 1; });
  PlannerOptions Options;
  Options.Limit = fraction(0.5);
  PlanResult Result = plan(I, Options);
  EXPECT_EQ(Result.FullPrice, 84);
  EXPECT_EQ(Result.Plan.Sites.size(), 1u);
  EXPECT_EQ(Result.Price, countDReLUs(Result.Plan) + 20);
  EXPECT_LE(Result.Price, 42);
  Options.Limit = {BudgetUnit::DReLUs, false, 19};
  Expected<PlanResult> Failed = planSharing(I.Sites, I.Statistics, Options);
  EXPECT_EQ(llvm::toString(Failed.takeError()),
            "the budget is 19 DReLUs, but gates that cannot be shared need 20 ('s1')");
  I.Sites[1].Obstacle = "compares elements with each other";
  EXPECT_EQ(llvm::toString(planSharing(I.Sites, I.Statistics, Options).takeError()),
            "the budget is 19 DReLUs, but gates that cannot be shared need 20 ('s1'); 's1', the largest, compares "
            "elements with each other");
}

/// A MaxPool of 2 x 2 windows between two sites, which loses Loss (0 with a scale of 2) as an average.
Instance withPool(double Loss) {
  Instance I = randomInstance(3, {{4, 4}, {5, 2}, {6, 2}});
  GateSite &Pool = I.Sites[1];
  Pool.SlopeOn.clear();
  Pool.SlopeOff.clear();
  Pool.Kind = GateKind::MaxPool;
  Pool.CanAverage = true;
  Pool.DReLUs = Pool.Muxes = 3 * 20;
  Pool.Depth = 2;
  std::vector<double> Maxima(5, 4), Products(5, 2), Averages(5, 1);
  Maxima[0] += Loss;
  I.Statistics.Sites[1] = {"s1", {}, {}, {}, PoolMoments{Maxima, Products, Averages}};
  std::erase_if(I.Statistics.Pairs, [](const PairMoments &Pair) { return Pair.Replicate == 1 || Pair.Candidate == 1; });
  return I;
}

TEST(Planner, MaximaBecomeAveragesWhereThatLosesLeast) {
  PlannerOptions Options;
  Options.Limit = fraction(0.6); // of 64 + 60 + 24
  PlanResult Cheap = plan(withPool(0), Options), Dear = plan(withPool(1e6), Options);
  ASSERT_EQ(Cheap.Plan.AveragePools.size(), 1u);
  EXPECT_EQ(Cheap.Plan.AveragePools[0].Name, "s1");
  EXPECT_EQ(Cheap.Plan.AveragePools[0].Scale, std::vector<float>(5, 2));
  EXPECT_EQ(Cheap.Price, countDReLUs(Cheap.Plan));
  EXPECT_EQ(Cheap.FullPrice, 148);
  EXPECT_TRUE(Dear.Plan.AveragePools.empty());
  EXPECT_EQ(Dear.Price, countDReLUs(Dear.Plan) + 60);
  EXPECT_LE(Dear.Price, 0.6 * 148);
  // The whole budget keeps every maximum.
  Options.Limit = fraction(1);
  EXPECT_TRUE(plan(withPool(0), Options).Plan.AveragePools.empty());
  // A division and a scale are truncations of 8 bytes each.
  Options.Limit = {BudgetUnit::Bytes, false, 20 * 2 * 8};
  PlanResult None = plan(withPool(5), Options);
  EXPECT_EQ(None.Price, 20 * 2 * 8);
  // Weights behind the pool take the scale.
  Instance Folding = withPool(5);
  for (GateSite &Site : Folding.Sites)
    Site.FoldsScale = Site.CanAverage;
  Options.Limit.Amount = 20 * 8;
  EXPECT_EQ(plan(Folding, Options).Price, 20 * 8);
}

TEST(Planner, SharesOfABudgetKeepMaxima) {
  PlannerOptions Options;
  Options.Limit = fraction(0.6);
  Options.Search = Strategy::Uniform;
  PlanResult Result = plan(withPool(0), Options);
  EXPECT_TRUE(Result.Plan.AveragePools.empty());
  EXPECT_EQ(Result.Price, countDReLUs(Result.Plan) + 60);
  Options.Limit.Amount = 0.4;
  Instance I = withPool(0);
  EXPECT_EQ(llvm::toString(planSharing(I.Sites, I.Statistics, Options).takeError()),
            "the budget is 59.2 DReLUs, but gates that cannot be shared need 60 ('s1'); --allow-average-pool and a "
            "strategy with one budget for all let maxima become averages");
}

TEST(Planner, MaximaAlone) {
  Instance I = withPool(1);
  I.Sites = {I.Sites[1]};
  I.Statistics.Sites = {I.Statistics.Sites[1]};
  I.Statistics.Pairs.clear();
  PlannerOptions Options;
  Options.Limit = fraction(0.5);
  PlanResult Result = plan(I, Options);
  EXPECT_EQ(Result.Plan.AveragePools.size(), 1u);
  EXPECT_EQ(Result.Price, 0);
  EXPECT_NEAR(Result.Loss, 1, 1e-6);
}

TEST(Planner, ScalesThatFoldCostNoTruncation) {
  Instance Folding = randomInstance(5, {{6, 4}, {6, 4}}), Kept = Folding;
  for (GateSite &Site : Folding.Sites)
    Site.FoldsScale = true;
  PlannerOptions Options;
  Options.Limit = fraction(0.4, BudgetUnit::Bytes);
  PlanResult With = plan(Folding, Options), Without = plan(Kept, Options);
  EXPECT_LT(With.Loss, Without.Loss);
  double Price = countDReLUs(With.Plan) * 112.0;
  unsigned Scaled = 0;
  for (const SitePlan &Site : With.Plan.Sites)
    for (const ChannelPlan &Channel : Site.Channels) {
      Price += 16 * ((Channel.Source ? 32 : 0) + (needsTruncation(Channel, true) ? 8 : 0));
      Scaled += needsTruncation(Channel) && !needsTruncation(Channel, true);
    }
  EXPECT_DOUBLE_EQ(With.Price, Price);
  EXPECT_GT(Scaled, 0u);
  // Where truncations cost nothing, folding them changes no plan.
  Options.Limit = fraction(0.4);
  EXPECT_EQ(printSharePlan(plan(Folding, Options).Plan), printSharePlan(plan(Kept, Options).Plan));
}

TEST(Planner, StatisticsOfAnotherModel) {
  Instance I = randomInstance(3, {{4, 4}, {5, 2}});
  std::swap(I.Statistics.Sites[0], I.Statistics.Sites[1]);
  EXPECT_THAT(llvm::toString(planSharing(I.Sites, I.Statistics, {}).takeError()),
              HasSubstr("the statistics are of another model: site 's1' stands where 's0' is expected"));
}

} // namespace
