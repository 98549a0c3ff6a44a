//===- BudgetTest.cpp - budgets and strategies as text --------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Analysis/Planner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace deepshare;
using llvm::Expected;
using testing::HasSubstr;

namespace {

TEST(Budget, Parses) {
  auto Is = [](const char *Text, BudgetUnit Unit, bool IsFraction, double Amount) {
    Expected<Budget> Parsed = parseBudget(Text);
    ASSERT_TRUE(bool(Parsed)) << llvm::toString(Parsed.takeError());
    EXPECT_EQ(Parsed->Unit, Unit);
    EXPECT_EQ(Parsed->IsFraction, IsFraction);
    EXPECT_DOUBLE_EQ(Parsed->Amount, Amount);
  };
  Is("50%", BudgetUnit::DReLUs, true, 0.5);
  Is("12.5%", BudgetUnit::DReLUs, true, 0.125);
  Is("94208", BudgetUnit::DReLUs, false, 94208);
  Is("12MB", BudgetUnit::Bytes, false, 12e6);
  Is("50%bytes", BudgetUnit::Bytes, true, 0.5);
  Is("1.5s", BudgetUnit::Seconds, false, 1.5);
  Is("20ms", BudgetUnit::Seconds, false, 0.02);
  for (const char *Bad : {"", "-3", "abc", "50 %", "101%", "1e3", "nan", "5XB", "%", "1.2.3", "0", "0MB", "0s"})
    EXPECT_THAT(llvm::toString(parseBudget(Bad).takeError()), HasSubstr("expected a percentage of at most 100")) << Bad;
}

TEST(Budget, PrintsWhatItParses) {
  for (const char *Text : {"50%", "12.5%", "33.333333333%", "0.00001%", "50%bytes", "25%s", "94208", "30000000000",
                           "12MB", "1.5kB", "7B", "1.5s", "0.00001s", "0.02s"})
    EXPECT_EQ(budgetText(*parseBudget(Text)), Text);
}

TEST(Strategy, Names) {
  EXPECT_EQ(*parseStrategy("kmedoids"), Strategy::KMedoids);
  EXPECT_EQ(strategyName(Strategy::Full), "full");
  EXPECT_EQ(llvm::toString(parseStrategy("best").takeError()),
            "strategy 'best': expected one of full, own, uniform, linear, kmedoids, blocks, random");
}

} // namespace
