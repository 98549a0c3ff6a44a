//===- PlanGates.cpp - decides which gates are computed -------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Searches a share plan (deepshare/Analysis/Planner.h says how). Changes nothing in the model.
//
// How errors of many channels add up is not known, and a larger pool gives the search more chances to believe a wrong
// prediction. So a plan is searched for the full pool and for the smaller ones that it holds, and the one is taken that
// leaves least on trial (PlanTrial.h); then plans of its pool for other forms of the loss are tried against it.
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/PlanGates.h"

#include "PlanTrial.h"
#include "deepshare/Analysis/Planner.h"
#include "deepshare/IR/Fingerprint.h"

#include "llvm/ADT/StringExtras.h"

#include <fmt/format.h>

#include <limits>

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
    Trial.Seed = Context.Seed;
    llvm::Expected<Candidate> Best = search(M, *Sites, Context);
    if (!Best)
      return Best.takeError();
    Best->Plan.Model = structureFingerprint(M);
    Context.Plan = std::move(Best->Plan);
    Context.Outcomes = std::move(Best->Outcomes);
    return false;
  }

  PassStatistics statistics() const override { return {{"plans tried", Tried}}; }

private:
  struct Candidate : PlanResult {
    Strategy Pool;
    std::optional<double> Left; ///< what it leaves on trial; nothing as long as it was not tried
  };

  /// The pools that plans are searched in: every one of them lies within that of the strategy.
  std::vector<Strategy> pools() const {
    if (Options.Search == Strategy::Full)
      return {Strategy::Full, Strategy::Blocks, Strategy::Own};
    return {Options.Search};
  }

  llvm::Expected<Candidate> search(const Model &M, llvm::ArrayRef<GateSite> Sites, PassContext &Context) {
    std::vector<Candidate> Candidates;
    for (Strategy Pool : pools())
      if (llvm::Error E = addPlan(Candidates, Pool, Amplifications.front(), Sites, *Context.Statistics)) {
        if (Pool == Options.Search)
          return E;
        // A smaller pool may have no plan of so small a budget.
        llvm::consumeError(std::move(E));
      }
    if (llvm::Error E = keepBest(Candidates, M, Context))
      return E;
    Strategy Pool = Candidates.front().Pool;
    if (hasGlobalBudget(Pool) && Context.Images)
      for (double Amplification : llvm::ArrayRef(Amplifications).drop_front())
        if (llvm::Error E = addPlan(Candidates, Pool, Amplification, Sites, *Context.Statistics))
          return E;
    if (llvm::Error E = keepBest(Candidates, M, Context))
      return E;
    return std::move(Candidates.front());
  }

  /// Searches a plan and adds it, unless it is there.
  llvm::Error addPlan(std::vector<Candidate> &Candidates, Strategy Pool, double Amplification,
                      llvm::ArrayRef<GateSite> Sites, const GateStatistics &Statistics) const {
    PlannerOptions Search = Options;
    Search.Search = Pool;
    Search.Amplify = Amplification;
    llvm::Expected<PlanResult> Result = planSharing(Sites, Statistics, Search);
    if (!Result)
      return Result.takeError();
    if (llvm::none_of(Candidates, [&](const Candidate &Other) {
          return Other.Plan.Sites == Result->Plan.Sites && Other.Plan.AveragePools == Result->Plan.AveragePools;
        }))
      Candidates.push_back({std::move(*Result), Pool, std::nullopt});
    return llvm::Error::success();
  }

  /// Keeps the one that leaves least on trial, the first where images are too few to say.
  llvm::Error keepBest(std::vector<Candidate> &Candidates, const Model &M, PassContext &Context) {
    for (Candidate &C : Candidates) {
      if (Candidates.size() < 2 || !Context.Images || C.Left)
        continue;
      Trial.Progress = [&](uint64_t Done, uint64_t Total) {
        if (Context.Progress)
          Context.Progress(fmt::format("trying plan {}", Tried + 1), Done, Total);
      };
      llvm::Expected<std::optional<double>> Left = tryPlan(M, C.Plan, *Context.Images, Trial);
      if (!Left)
        return Left.takeError();
      C.Left = *Left;
      Tried += C.Left.has_value();
    }
    static constexpr double Unknown = std::numeric_limits<double>::infinity();
    auto Best = llvm::min_element(Candidates, [](const Candidate &A, const Candidate &B) {
      return A.Left.value_or(Unknown) < B.Left.value_or(Unknown);
    });
    std::swap(Candidates.front(), *Best);
    Candidates.erase(std::next(Candidates.begin()), Candidates.end());
    return llvm::Error::success();
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
  llvm::Expected<int64_t> Images = Given.getInt("images", 0, 1 << 30);
  if (!Images)
    return Images.takeError();
  llvm::Expected<int64_t> Memory = Given.getInt("memory", 1, 1 << 30);
  if (!Memory)
    return Memory.takeError();
  Options.Limit = *Limit;
  Options.Search = *Search;
  RepairOptions Trial;
  Trial.Images = static_cast<uint64_t>(*Images);
  Trial.Measured = 0.5;
  // Neighbouring positions say nearly the same, so that fewer equations than in a repair do.
  Trial.Rows = 1 << 16;
  Trial.Memory = static_cast<uint64_t>(*Memory) << 20;
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
           {"images", "2048", "images of a trial, half of them to repair a plan's model, half to measure it; 0: all"},
           {"memory", "2048", "bound of a trial's memory, in MiB"},
           {"network", "", "for budgets in seconds: lan, wan or 20ms,100Mbps; empty: that of --network"}},
      .Create = create,
      .Alias = {},
      .Effect = PassEffect::Exact};
}
