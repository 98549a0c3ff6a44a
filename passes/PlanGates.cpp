//===- PlanGates.cpp - decides which gates are computed -------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Searches a share plan (deepshare/Analysis/Planner.h says how). Changes nothing in the model.
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/PlanGates.h"

#include "deepshare/Analysis/Planner.h"
#include "deepshare/IR/Fingerprint.h"

using namespace deepshare;

namespace {
class PlanGates : public Pass {
public:
  PlanGates(PlannerOptions Options, std::optional<Network> Connection)
      : Options(std::move(Options)), Connection(Connection) {}

  llvm::Expected<bool> run(Model &M, PassContext &Context) override {
    if (!Context.Statistics)
      return llvm::createStringError("needs statistics: run `observe-gates` before");
    llvm::Expected<std::vector<GateSite>> Sites = findGateSites(M);
    if (!Sites)
      return Sites.takeError();
    if (Connection)
      Context.Connection = Connection;
    if (Options.Limit.Unit == BudgetUnit::Seconds && !Context.Connection)
      return llvm::createStringError("a budget in seconds needs a network: give --network, or the option network");
    Options.Cost = Context.Cost;
    Options.Explain = Context.Explain;
    Options.Connection = Context.Connection.value_or(Network());
    Options.Seed = Context.Seed;
    llvm::Expected<PlanResult> Result = planSharing(*Sites, *Context.Statistics, Options);
    if (!Result)
      return Result.takeError();
    Context.Plan = std::move(Result->Plan);
    Context.Plan->Model = structureFingerprint(M);
    Context.Outcomes = std::move(Result->Outcomes);
    return false;
  }

private:
  PlannerOptions Options;
  std::optional<Network> Connection;
};
} // namespace

static llvm::Expected<std::unique_ptr<Pass>> create(const PassOptions &Given) {
  PlannerOptions Options;
  llvm::Expected<Budget> Limit = parseBudget(Given.get("budget"));
  if (!Limit)
    return Limit.takeError();
  llvm::Expected<Strategy> Search = parseStrategy(Given.get("strategy"));
  if (!Search)
    return Search.takeError();
  std::optional<Network> Connection;
  if (!Given.get("network").empty()) {
    llvm::Expected<Network> Parsed = parseNetwork(Given.get("network"));
    if (!Parsed)
      return Parsed.takeError();
    Connection = *Parsed;
  }
  llvm::StringRef Amplify = Given.get("amplify");
  if (Amplify != "on" && Amplify != "off")
    return llvm::createStringError("option 'amplify': expected on or off, got '" + Amplify + "'");
  Options.Amplify = Amplify == "on";
  Options.Limit = *Limit;
  Options.Search = *Search;
  return std::make_unique<PlanGates>(std::move(Options), Connection);
}

PassInfo deepshare::planGatesPass() {
  return {
      .Name = "plan-gates",
      .Contract = "Searches the share plan of least loss under a budget, from what observe-gates measured; changes "
                  "nothing.",
      .Options = {{"budget", "50%", "what gates may cost: 50%, 94208 (DReLUs), 12MB, 50%bytes, 1.5s, 50%s"},
                  {"strategy", "full", "full, own, uniform, linear, kmedoids, blocks or random"},
                  {"amplify", "on", "count a site's errors as noise over the signal that they leave; off: sum them"},
                  {"network", "", "for budgets in seconds: lan, wan or 20ms,100Mbps; empty: that of --network"}},
      .Create = create,
      .Alias = {},
      .Effect = PassEffect::Exact};
}
