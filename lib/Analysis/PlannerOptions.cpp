//===- PlannerOptions.cpp - budgets and strategies by name ----------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Analysis/Planner.h"
#include "deepshare/Support/Error.h"

#include "llvm/ADT/StringSwitch.h"

#include <fmt/format.h>

using namespace deepshare;
using llvm::Expected;
using llvm::StringRef;

Expected<Budget> deepshare::parseBudget(StringRef Text) {
  auto Fail = [&] {
    return makeError("budget '" + Text +
                     "': expected a percentage of at most 100 (50%, 50%bytes, 50%s) or a positive amount (94208 "
                     "DReLUs, 12MB, 1.5s, 20ms)");
  };
  size_t Digits = Text.find_first_not_of("0123456789.");
  double Number;
  if (Digits == 0 || Text.take_front(Digits).getAsDouble(Number))
    return Fail();
  StringRef Unit = Digits == StringRef::npos ? "" : Text.drop_front(Digits);
  if (Unit.consume_front("%")) {
    std::optional<BudgetUnit> Of = llvm::StringSwitch<std::optional<BudgetUnit>>(Unit)
                                       .Case("", BudgetUnit::DReLUs)
                                       .Case("bytes", BudgetUnit::Bytes)
                                       .Case("s", BudgetUnit::Seconds)
                                       .Default(std::nullopt);
    if (!Of || Number > 100)
      return Fail();
    return Budget{*Of, true, Number / 100};
  }
  std::optional<std::pair<BudgetUnit, double>> Scale =
      llvm::StringSwitch<std::optional<std::pair<BudgetUnit, double>>>(Unit)
          .Case("", {{BudgetUnit::DReLUs, 1}})
          .Case("B", {{BudgetUnit::Bytes, 1}})
          .Case("kB", {{BudgetUnit::Bytes, 1e3}})
          .Case("MB", {{BudgetUnit::Bytes, 1e6}})
          .Case("GB", {{BudgetUnit::Bytes, 1e9}})
          .Case("s", {{BudgetUnit::Seconds, 1}})
          .Case("ms", {{BudgetUnit::Seconds, 1e-3}})
          .Default(std::nullopt);
  if (!Scale || !(Number > 0))
    return Fail();
  return Budget{Scale->first, false, Number * Scale->second};
}

/// \p Number without an exponent and without zeros at the end.
static std::string plainNumber(double Number) {
  return StringRef(fmt::format("{:.9f}", Number)).rtrim('0').rtrim('.').str();
}

std::string deepshare::budgetText(const Budget &Limit) {
  if (Limit.IsFraction)
    return fmt::format("{}%{}", plainNumber(100 * Limit.Amount),
                       Limit.Unit == BudgetUnit::Bytes     ? "bytes"
                       : Limit.Unit == BudgetUnit::Seconds ? "s"
                                                           : "");
  if (Limit.Unit != BudgetUnit::Bytes)
    return fmt::format("{}{}", plainNumber(Limit.Amount), Limit.Unit == BudgetUnit::Seconds ? "s" : "");
  double Scale = Limit.Amount >= 1e9 ? 1e9 : Limit.Amount >= 1e6 ? 1e6 : Limit.Amount >= 1e3 ? 1e3 : 1;
  return fmt::format("{}{}", plainNumber(Limit.Amount / Scale),
                     Scale == 1e9   ? "GB"
                     : Scale == 1e6 ? "MB"
                     : Scale == 1e3 ? "kB"
                                    : "B");
}

namespace {
struct NamedStrategy {
  StringRef Name;
  Strategy Value;
};
} // namespace

static constexpr NamedStrategy Strategies[] = {
    {"full", Strategy::Full},     {"own", Strategy::Own},           {"uniform", Strategy::Uniform},
    {"linear", Strategy::Linear}, {"kmedoids", Strategy::KMedoids}, {"blocks", Strategy::Blocks},
    {"random", Strategy::Random},
};

Expected<Strategy> deepshare::parseStrategy(StringRef Name) {
  std::string Known;
  for (const NamedStrategy &S : Strategies) {
    if (S.Name == Name)
      return S.Value;
    Known += (Known.empty() ? "" : ", ") + S.Name.str();
  }
  return makeError("strategy '" + Name + "': expected one of " + Known);
}

StringRef deepshare::strategyName(Strategy Value) {
  for (const NamedStrategy &S : Strategies)
    if (S.Value == Value)
      return S.Name;
  llvm_unreachable("unknown strategy");
}

bool deepshare::hasGlobalBudget(Strategy Value) {
  switch (Value) {
  case Strategy::Full:
  case Strategy::Own:
  case Strategy::Linear:
  case Strategy::Blocks:
    return true;
  case Strategy::Uniform:
  case Strategy::KMedoids:
  case Strategy::Random:
    return false;
  }
  llvm_unreachable("unknown strategy");
}

std::vector<Strategy> deepshare::allStrategies() {
  std::vector<Strategy> All;
  for (const NamedStrategy &S : Strategies)
    All.push_back(S.Value);
  return All;
}
