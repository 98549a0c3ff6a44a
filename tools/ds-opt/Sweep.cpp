//===- Sweep.cpp - the job of --sweep -------------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Sweep.h"

#include "../common/ProgressBar.h"

#include "deepshare/Analysis/CostSteps.h"
#include "deepshare/IR/Fingerprint.h"
#include "deepshare/Support/AtomicFile.h"
#include "deepshare/Support/Error.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace deepshare;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

Expected<SweepOptions> deepshare::parseSweep(const DriverOptions &Options) {
  SweepOptions Result;
  llvm::StringSet<> Seen;
  for (StringRef Text : llvm::split(Options.Sweep, ',')) {
    Expected<Budget> Limit = parseBudget(Text.trim());
    if (!Limit)
      return Limit.takeError();
    if (Limit->Unit == BudgetUnit::Seconds && Options.Network.empty())
      return makeError("--sweep " + Text.trim() + " needs a network: give --network lan, wan or RTT,bandwidth");
    if (!Seen.insert(budgetText(*Limit)).second)
      return makeError("--sweep: budget " + Text.trim() + " is given twice");
    Result.Budgets.push_back(*Limit);
  }
  if (Options.Strategy == "all") {
    Result.Strategies = allStrategies();
    return Result;
  }
  for (StringRef Name : llvm::split(Options.Strategy, ',')) {
    Expected<Strategy> Search = parseStrategy(Name.trim());
    if (!Search)
      return Search.takeError();
    if (llvm::is_contained(Result.Strategies, *Search))
      return makeError("--strategy: " + Name.trim() + " is given twice");
    Result.Strategies.push_back(*Search);
  }
  return Result;
}

/// Writes full-25%.plan.json and so on.
static Error savePlans(const BudgetSweep &Sweep, StringRef Folder, OutputFiles &Files) {
  if (std::error_code Failed = llvm::sys::fs::create_directories(Folder))
    return makeError(Folder + ": cannot make this folder: " + StringRef(Failed.message()).lower());
  for (auto [Point, Plan] : llvm::zip(Sweep.Curve.Points, Sweep.Plans)) {
    if (!Point.Failure.empty())
      continue;
    llvm::SmallString<128> Path(Folder);
    llvm::sys::path::append(Path, Point.Strategy + "-" + Point.Budget + ".plan.json");
    if (Error Failed = Files.writeText(Path, printSharePlan(Plan)))
      return Failed;
  }
  return Error::success();
}

Error deepshare::runSweep(const DriverOptions &Options, Model &M, const PassContext &Context, llvm::raw_ostream &Out) {
  Expected<SweepOptions> What = parseSweep(Options);
  if (!What)
    return What.takeError();
  Expected<std::vector<GateSite>> Sites = findGateSites(M);
  if (!Sites)
    return Sites.takeError();
  ProgressBar Progress;
  What->Progress = [&](uint64_t Done, uint64_t Total) { Progress.update("planning", Done, Total); };
  What->Planner.Cost = Context.Cost;
  What->Planner.Seed = Context.Seed;
  Expected<BudgetSweep> Sweep =
      sweepBudgets(*Sites, *Context.Statistics, costSteps(M, *Sites), Context.Connection, std::move(*What));
  Progress.clear();
  if (!Sweep)
    return Sweep.takeError();
  for (SharePlan &Plan : Sweep->Plans)
    Plan.Model = structureFingerprint(M);

  printBudgetCurve(Sweep->Curve, Out);
  OutputFiles Files;
  if (!Options.SavePlan.empty())
    if (Error Failed = savePlans(*Sweep, Options.SavePlan, Files))
      return Failed;
  if (!Options.Report.empty())
    if (Error Failed = Files.writeText(Options.Report, budgetCurveJson(Sweep->Curve)))
      return Failed;
  std::string Title = llvm::sys::path::stem(Options.Input).str() + ": predicted loss against cost";
  if (!Options.Plot.empty())
    if (Error Failed = Files.writeText(Options.Plot, budgetCurveSvg(Sweep->Curve, Title)))
      return Failed;
  return Files.publish();
}
