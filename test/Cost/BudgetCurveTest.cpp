//===- BudgetCurveTest.cpp - the budget curve as table, JSON and image ----===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Cost/BudgetCurve.h"

#include "llvm/Support/JSON.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace deepshare;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

namespace {

CostTotals totals(uint64_t DReLUs, double Rounds) {
  CostTotals Totals;
  Totals.Gates.DReLUs = DReLUs;
  Totals.Gates.Bytes = 100.0 * DReLUs;
  Totals.LinearBytes = 1e6;
  Totals.Rounds = Rounds;
  return Totals;
}

BudgetCurve curve() {
  BudgetCurve Curve;
  Curve.Note = "12 images, seed 0";
  Curve.Model.Name = "test";
  Curve.Unchanged = totals(20000, 100);
  Curve.Points = {{"full", "100%", 0, totals(20000, 100), ""},
                  {"full", "25%", 0.015, totals(5000, 90), ""},
                  {"own & <more>", "25%", 0.25, totals(4900, 70), ""},
                  {"own & <more>", "1B", 0, {}, "too little"}};
  return Curve;
}

TEST(BudgetCurve, Table) {
  BudgetCurve Curve = curve();
  Curve.Connection = Network{0.01, 1e6};
  std::string Text;
  llvm::raw_string_ostream OS(Text);
  printBudgetCurve(Curve, OS);
  EXPECT_EQ(Text, R"(per image, test on 10 ms, 1 MB/s; 12 images, seed 0
strategy      budget       loss       DReLUs           MB gates     MB all   rounds        s
unchanged                             20,000 100.0 %          2          3      100        4
full            100%          0       20,000 100.0 %          2          3      100        4
full             25%      0.015        5,000  25.0 %        0.5        1.5       90      2.4
own & <more>        25%       0.25        4,900  24.5 %       0.49       1.49       70     2.19
own & <more>         1B no plan: too little
)");
}

TEST(BudgetCurve, Json) {
  std::string Text = budgetCurveJson(curve());
  EXPECT_EQ(Text, budgetCurveJson(curve()));
  llvm::Expected<llvm::json::Value> Parsed = llvm::json::parse(Text);
  ASSERT_TRUE(bool(Parsed)) << llvm::toString(Parsed.takeError());
  const llvm::json::Object &Root = *Parsed->getAsObject();
  EXPECT_EQ(Root.getObject("unchanged")->getInteger("drelus"), 20000);
  EXPECT_FALSE(Root.getObject("network"));
  const llvm::json::Array &Points = *Root.getArray("points");
  ASSERT_EQ(Points.size(), 4u);
  EXPECT_EQ(Points[1].getAsObject()->getNumber("loss"), 0.015);
  EXPECT_EQ(Points[1].getAsObject()->getNumber("bytes"), 1.5e6);
  EXPECT_FALSE(Points[1].getAsObject()->get("seconds"));
  EXPECT_EQ(Points[3].getAsObject()->getString("failure"), "too little");
  EXPECT_FALSE(Points[3].getAsObject()->get("loss"));
}

TEST(BudgetCurve, Plot) {
  std::string Svg = budgetCurveSvg(curve(), "a \"title\"");
  EXPECT_THAT(Svg, AllOf(testing::StartsWith("<svg xmlns="), testing::EndsWith("</svg>\n"),
                         HasSubstr("a &quot;title&quot;"), HasSubstr(">own &amp; &lt;more&gt;</text>"),
                         HasSubstr("<title>full at 25%: loss 0.015, 5,000 DReLUs, 1.5 MB, 90 rounds</title>"),
                         HasSubstr(">MB of the whole model, test</text>"), Not(HasSubstr("too little")),
                         Not(HasSubstr("seconds")), Not(HasSubstr("nan")), Not(HasSubstr("inf"))));
  // Losses from 0.015 to 0.25 lie between ticks; 0 has its own.
  EXPECT_THAT(Svg, AllOf(HasSubstr(">0.01</text>"), HasSubstr(">0.05</text>"), HasSubstr(">0.5</text>"),
                         Not(HasSubstr(">0.005</text>")), Not(HasSubstr("\"end\">1</text>"))));
  BudgetCurve Timed = curve();
  Timed.Connection = Network{0.01, 1e6};
  EXPECT_THAT(budgetCurveSvg(Timed, ""),
              AllOf(HasSubstr(">seconds on 10 ms, 1 MB/s</text>"), HasSubstr("90 rounds, 2.4 s")));
}

TEST(BudgetCurve, PlotsOfLittle) {
  // One point, no loss at all, no plan at all: axes without numbers that are none.
  BudgetCurve Curve = curve();
  for (size_t Points : {2, 1, 0}) {
    Curve.Points.resize(Points);
    EXPECT_THAT(budgetCurveSvg(Curve, "t"), AllOf(HasSubstr("</svg>"), Not(HasSubstr("nan")), Not(HasSubstr("inf"))));
  }
  Curve.Unchanged = {};
  EXPECT_THAT(budgetCurveSvg(Curve, "t"), AllOf(HasSubstr("</svg>"), Not(HasSubstr("nan")), Not(HasSubstr("inf"))));
}

} // namespace
