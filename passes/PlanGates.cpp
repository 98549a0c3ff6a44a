//===- PlanGates.cpp - decides which gates are computed -------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Searches a share plan (deepshare/Analysis/Planner.h says how). Changes nothing in the model.
//
// How errors of many channels add up is not known: which loss predicts best differs from budget to budget, and a larger
// pool gives the search more chances to believe a wrong prediction. So a plan is searched for each of several losses,
// for the full pool also within the smaller ones that it holds; all are tried on a few images (PlanTrial.h), and the
// best is taken.
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/PlanGates.h"

#include "PlanTrial.h"
#include "deepshare/Analysis/Planner.h"
#include "deepshare/IR/Fingerprint.h"

#include "llvm/ADT/StringExtras.h"

#include <fmt/format.h>

using namespace deepshare;

namespace {
class PlanGates : public Pass {
public:
  PlanGates(PlannerOptions Options, std::optional<Network> Connection, std::vector<double> Amplifications,
            RepairOptions Trial)
      : Options(std::move(Options)), Connection(Connection), Amplifications(std::move(Amplifications)),
        Trial(std::move(Trial)) {}

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
    llvm::Expected<std::vector<PlanResult>> Plans = search(*Sites, *Context.Statistics);
    if (!Plans)
      return Plans.takeError();
    std::string Model = structureFingerprint(M);
    for (PlanResult &Result : *Plans)
      Result.Plan.Model = Model;
    llvm::Expected<size_t> Best = tryAll(M, *Plans, Context);
    if (!Best)
      return Best.takeError();
    Context.Plan = std::move((*Plans)[*Best].Plan);
    Context.Outcomes = std::move((*Plans)[*Best].Outcomes);
    return false;
  }

  PassStatistics statistics() const override { return {{"plans tried", Tried}}; }

private:
  /// The pools that plans are searched in: every one of them lies within that of the strategy.
  std::vector<Strategy> pools() const {
    if (Options.Search == Strategy::Full)
      return {Strategy::Full, Strategy::Blocks, Strategy::Own};
    return {Options.Search};
  }

  /// A plan for each pool and amplification, those left out that another one has found too.
  llvm::Expected<std::vector<PlanResult>> search(llvm::ArrayRef<GateSite> Sites, const GateStatistics &Statistics) {
    std::vector<PlanResult> Plans;
    for (Strategy Pool : pools())
      for (double Amplification :
           llvm::ArrayRef(Amplifications).take_front(hasGlobalBudget(Pool) ? Amplifications.size() : 1)) {
        PlannerOptions Search = Options;
        Search.Search = Pool;
        Search.Amplify = Amplification;
        llvm::Expected<PlanResult> Result = planSharing(Sites, Statistics, Search);
        if (!Result && Pool == Options.Search)
          return Result.takeError();
        if (!Result) {
          // A smaller pool may have no plan of so small a budget.
          llvm::consumeError(Result.takeError());
          continue;
        }
        if (llvm::none_of(Plans, [&](const PlanResult &Other) {
              return Other.Plan.Sites == Result->Plan.Sites && Other.Plan.AveragePools == Result->Plan.AveragePools;
            }))
          Plans.push_back(std::move(*Result));
      }
    return Plans;
  }

  /// The index of the plan that leaves least, the first where images are too few to say.
  llvm::Expected<size_t> tryAll(const Model &M, llvm::ArrayRef<PlanResult> Plans, PassContext &Context) {
    if (Plans.size() < 2 || !Context.Images)
      return 0;
    Trial.Seed = Context.Seed;
    size_t Best = 0;
    double Least = std::numeric_limits<double>::infinity();
    for (size_t I = 0; I < Plans.size(); ++I) {
      Trial.Progress = [&](uint64_t Done, uint64_t Total) {
        if (Context.Progress)
          Context.Progress("trying plans", I * Total + Done, Plans.size() * Total);
      };
      llvm::Expected<std::optional<double>> Divergence = tryPlan(M, Plans[I].Plan, *Context.Images, Trial);
      if (!Divergence)
        return Divergence.takeError();
      if (!*Divergence)
        return 0;
      ++Tried;
      if (**Divergence < Least) {
        Least = **Divergence;
        Best = I;
      }
    }
    return Best;
  }

  PlannerOptions Options;
  std::optional<Network> Connection;
  std::vector<double> Amplifications;
  RepairOptions Trial;
  uint64_t Tried = 0;
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
  std::vector<double> Amplifications;
  for (llvm::StringRef Word : llvm::split(Given.get("amplify"), ' ')) {
    unsigned Amplification;
    if (Word.getAsInteger(10, Amplification) || Amplification > 4)
      return llvm::createStringError("option 'amplify': expected whole numbers from 0 to 4, got '" + Word + "'");
    Amplifications.push_back(Amplification);
  }
  llvm::Expected<int64_t> Images = Given.getInt("images", 1);
  if (!Images)
    return Images.takeError();
  llvm::Expected<int64_t> Memory = Given.getInt("memory", 1, 1 << 30);
  if (!Memory)
    return Memory.takeError();
  RepairOptions Trial;
  Trial.Images = static_cast<uint64_t>(*Images);
  Trial.HeldOut = 0.5;
  Trial.Rows = 1 << 14;
  Trial.Memory = static_cast<uint64_t>(*Memory) << 20;
  Options.Limit = *Limit;
  Options.Search = *Search;
  return std::make_unique<PlanGates>(std::move(Options), Connection, std::move(Amplifications), std::move(Trial));
}

PassInfo deepshare::planGatesPass() {
  return {
      .Name = "plan-gates",
      .Contract = "Searches the share plan of least loss under a budget, from what observe-gates measured; changes "
                  "nothing.",
      .Options =
          {{"budget", "50%", "what gates may cost: 50%, 94208 (DReLUs), 12MB, 50%bytes, 1.5s, 50%s"},
           {"strategy", "full", "full, own, uniform, linear, kmedoids, blocks or random"},
           {"amplify", "1 0 2",
            "how much more errors count the less signal a site has left, 0 (not) to 4; of several the best on trial"},
           {"images", "384", "images of a trial, half of them to repair the plan's model, half to measure it"},
           {"memory", "2048", "bound of a trial's memory, in MiB"},
           {"network", "", "for budgets in seconds: lan, wan or 20ms,100Mbps; empty: that of --network"}},
      .Create = create,
      .Alias = {},
      .Effect = PassEffect::Exact};
}
