//===- CostReportTest.cpp - what a model costs before and after -----------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Cost/CostReport.h"

#include "llvm/Support/JSON.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace deepshare;
using testing::HasSubstr;

namespace {

CostStep gate(const char *Name, int64_t Channels, int64_t Size, llvm::SmallVector<unsigned, 2> After) {
  CostStep Step;
  Step.Name = Name;
  Step.Kind = "Relu";
  Step.Shape = {Channels, Size, Size};
  Step.DReLUs = Step.Muxes = Channels * Size * Size;
  Step.After = After;
  return Step;
}

CostStep layer(const char *Name, LinearSizes Sizes, llvm::SmallVector<unsigned, 2> After) {
  CostStep Step;
  Step.Name = Name;
  Step.Kind = "Conv";
  Step.IsLinear = true;
  Step.Linear = Sizes;
  Step.After = After;
  return Step;
}

/// conv, then two branches: gates a -> b, and gate c.
std::vector<CostStep> steps() {
  return {layer("conv", {100, 900, 50, 200}, {}), gate("a", 2, 4, {0}), gate("b", 3, 4, {1}), gate("c", 1, 4, {0})};
}

CostModel prices() {
  CostModel Model;
  Model.Name = "test";
  Model.Source = "made up";
  Model.DReLU = {100, 8};
  Model.Mux = {10, 1};
  Model.Truncation = {1, 2};
  Model.Linear = {1, 2, 3, 4, 5, 1};
  Model.BytesFixed = 7;
  return Model;
}

/// a: prototype 0, replicate of it. b: two of a's gates with other slopes, and linear. c: unchanged, not in the plan.
SharePlan plan() {
  SharePlan Plan;
  Plan.Sites = {{"a", {{GateSource{0, 0}, 1, 0}, {GateSource{0, 0}, 1, 0}}, {4, 4}},
                {"b", {{GateSource{0, 0}, 1, 0}, {GateSource{0, 0}, 0.5, 0}, {std::nullopt, 1, 1}}, {4, 4}}};
  return Plan;
}

TEST(CostReport, AveragePoolingCostsTruncations) {
  LinearSizes Pooling;
  Pooling.Averages = 40;
  CostReport Report = makeCostReport({layer("pool", Pooling, {})}, nullptr, prices());
  EXPECT_EQ(Report.Before.LinearBytes, 40);
  EXPECT_EQ(Report.Before.Rounds, 2);
}

TEST(CostReport, WithoutPlan) {
  CostReport Report = makeCostReport(steps(), nullptr, prices());
  EXPECT_EQ(Report.Before.Gates.DReLUs, 96u);
  EXPECT_EQ(Report.Before.Gates.Bytes, 96 * 110.0);
  EXPECT_EQ(Report.Before.LinearBytes, 100 + 1800 + 150 + 800 + 5.0);
  EXPECT_EQ(Report.Before.bytes(), 96 * 110.0 + 2855 + 7);
  EXPECT_EQ(Report.Before.ComparisonSteps, 2u); // c runs beside a and b
  EXPECT_EQ(Report.Before.ComparisonRounds, 16);
  EXPECT_EQ(Report.Before.Rounds, 1 + 9 + 9);
  EXPECT_EQ(Report.After.bytes(), Report.Before.bytes());
}

TEST(CostReport, WithPlan) {
  SharePlan Plan = plan();
  CostReport Report = makeCostReport(steps(), &Plan, prices());
  ASSERT_EQ(Report.Sites.size(), 3u);
  const SiteReport &A = Report.Sites[0], &B = Report.Sites[1], &C = Report.Sites[2];
  EXPECT_EQ(A.After.DReLUs, 16u);
  EXPECT_EQ(A.After.Muxes, 32u);
  EXPECT_EQ(A.Prototypes, 1u);
  EXPECT_EQ(A.Replicates, 1u);
  EXPECT_EQ(B.After.DReLUs, 0u);
  EXPECT_EQ(B.After.Muxes, 32u);
  EXPECT_EQ(B.After.Truncations, 16u);
  EXPECT_EQ(B.Linear, 1u);
  EXPECT_EQ(B.Replicates, 2u);
  ASSERT_EQ(B.From.size(), 1u);
  EXPECT_EQ(B.From[0].first, "a");
  EXPECT_EQ(B.From[0].second, 2u);
  EXPECT_EQ(C.After.DReLUs, 16u);
  EXPECT_EQ(Report.After.Gates.DReLUs, countDReLUs(Plan) + 16);
  EXPECT_EQ(Report.After.Gates.Bytes, 32 * 100.0 + 80 * 10.0 + 16 * 1.0);
  EXPECT_EQ(Report.After.ComparisonSteps, 1u); // b has no comparison of its own
  EXPECT_EQ(Report.After.Rounds, 1 + 9 + 1 + 2);
}

TEST(CostReport, GatesOfAnotherBranchAreWaitedFor) {
  SharePlan Plan;
  Plan.Sites = {{"b", {3, ChannelPlan{GateSource{0, 0}, 1, 0}}, {4, 4}}, {"c", {{GateSource{0, 0}, 1, 0}}, {4, 4}}};
  CostReport Report = makeCostReport(steps(), &Plan, prices());
  EXPECT_EQ(Report.After.Rounds, 1 + 9 + 8 + 1); // c's mux after b's gate, beside b's
  EXPECT_EQ(Report.After.ComparisonSteps, 2u);
  // A gate of c's own is computed at once, and used with b's.
  Plan.Sites[1].Channels.push_back({GateSource{1, 1}, 1, 0});
  Report = makeCostReport(steps(), &Plan, prices());
  EXPECT_EQ(Report.After.Rounds, 1 + 9 + 8 + 1);
  EXPECT_EQ(Report.After.ComparisonSteps, 2u);
}

TEST(CostReport, ScalesThatFoldCostNoTruncation) {
  SharePlan Plan = plan();
  std::vector<CostStep> Steps = steps();
  uint64_t Before = makeCostReport(Steps, &Plan, prices()).After.Gates.Truncations;
  for (CostStep &Step : Steps)
    Step.FoldsScale = true;
  EXPECT_EQ(Before, 16u);
  EXPECT_EQ(makeCostReport(Steps, &Plan, prices()).After.Gates.Truncations, 0u);
}

TEST(CostReport, AveragesCompareNothing) {
  std::vector<CostStep> Steps = steps();
  Steps[2].Kind = "MaxPool";
  Steps[2].DReLUs = Steps[2].Muxes = 3 * 48;
  Steps[2].Depth = 2;
  SharePlan Plan;
  Plan.AveragePools = {{"b", {1, 1, 1}}};
  CostReport Report = makeCostReport(Steps, &Plan, prices());
  EXPECT_EQ(Report.Before.Rounds, 1 + 9 + 18);
  EXPECT_TRUE(Report.Sites[1].IsAverage);
  EXPECT_EQ(Report.Sites[1].After.DReLUs, 0u);
  EXPECT_EQ(Report.Sites[1].After.Muxes, 0u);
  EXPECT_EQ(Report.Sites[1].After.Truncations, 48u); // a division an output
  EXPECT_EQ(Report.After.Rounds, 1 + 9 + 2);
  Plan.AveragePools[0].Scale[1] = 2;
  Report = makeCostReport(Steps, &Plan, prices());
  EXPECT_EQ(Report.Sites[1].After.Truncations, 96u); // and a product, which waits for it
  EXPECT_EQ(Report.After.Rounds, 1 + 9 + 2 + 2);
  Steps[2].FoldsScale = true; // which is part of weights
  EXPECT_EQ(makeCostReport(Steps, &Plan, prices()).Sites[1].After.Truncations, 48u);
  std::string Text;
  llvm::raw_string_ostream OS(Text);
  printCostReport(Report, OS);
  EXPECT_THAT(Text, HasSubstr("0     0     0 (average)\n"));
}

TEST(CostReport, TextFitsTheTerminal) {
  SharePlan Plan = plan();
  std::vector<CostStep> Steps = steps();
  Plan.Sites[0].Name = Steps[1].Name = "/layer1/layer1.0/block/Relu_output_0";
  for (const SharePlan *P : {static_cast<const SharePlan *>(nullptr), static_cast<const SharePlan *>(&Plan)}) {
    std::string Text;
    llvm::raw_string_ostream OS(Text);
    printCostReport(makeCostReport(Steps, P, prices()), OS);
    llvm::SmallVector<llvm::StringRef> Lines;
    llvm::StringRef(Text).split(Lines, '\n');
    for (llvm::StringRef Line : Lines)
      EXPECT_LE(Line.size(), 100u) << Line.str();
  }
}

TEST(CostReport, TableOfAPlan) {
  SharePlan Plan = plan();
  std::string Text;
  llvm::raw_string_ostream OS(Text);
  printCostReport(makeCostReport(steps(), &Plan, prices()), OS);
  EXPECT_EQ(Text, R"(site                     shape            DReLUs             muxes proto  repl   lin gates from
a                        2x4x4       32       16       32       32     1     1     0
b                        3x4x4       48        0       48       32     0     2     1 a:2
c                        1x4x4       16       16       16       16     0     0     0

per image, test                     before           after      saved
DReLUs                                  96              32     66.7 %
muxes                                   96              80     16.7 %
truncations of gates                     0              16
bytes of gates                      10,560           4,016     62.0 %
bytes of linear layers               2,855           2,855      0.0 %
bytes of set-up                          7               7      0.0 %
bytes                               13,422           6,878     48.8 %
comparisons in a row                     2               1     50.0 %
rounds of comparisons                   16               8     50.0 %
rounds                                  19              13     31.6 %
)");
}

TEST(CostReport, TimesOnANetwork) {
  SharePlan Plan = plan();
  Network Slow{0.5, 1e3};
  CostReport Report = makeCostReport(steps(), &Plan, prices(), Slow);
  EXPECT_DOUBLE_EQ(Report.Before.seconds(Slow), 13.422 + 19 * 0.5);
  EXPECT_DOUBLE_EQ(Report.After.seconds(Slow), 6.878 + 13 * 0.5);
  std::string Text;
  llvm::raw_string_ostream OS(Text);
  printCostReport(Report, OS);
  EXPECT_THAT(Text, testing::EndsWith("s on 500 ms, 0.001 MB/s               22.9            13.4     41.6 %\n"));
  llvm::Expected<llvm::json::Value> Parsed = llvm::json::parse(costReportJson(Report));
  ASSERT_TRUE(bool(Parsed)) << llvm::toString(Parsed.takeError());
  EXPECT_EQ(Parsed->getAsObject()->getObject("network")->getNumber("round_trip_s"), 0.5);
  EXPECT_EQ(Parsed->getAsObject()->getObject("after")->getNumber("seconds"), Report.After.seconds(Slow));
}

TEST(CostReport, Json) {
  SharePlan Plan = plan();
  std::string Text = costReportJson(makeCostReport(steps(), &Plan, prices()));
  EXPECT_EQ(Text, costReportJson(makeCostReport(steps(), &Plan, prices())));
  llvm::Expected<llvm::json::Value> Parsed = llvm::json::parse(Text);
  ASSERT_TRUE(bool(Parsed)) << llvm::toString(Parsed.takeError());
  const llvm::json::Object &Root = *Parsed->getAsObject();
  EXPECT_EQ(Root.getObject("after")->getInteger("drelus"), 32);
  EXPECT_EQ(Root.getArray("sites")->size(), 3u);
  EXPECT_EQ(Root.getObject("cost_model")->getString("name"), "test");
}

} // namespace
