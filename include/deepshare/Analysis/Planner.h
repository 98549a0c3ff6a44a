//===- Planner.h - decides which gates are computed -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// The plan as an optimisation (DESIGN section 6): every channel chooses its own gate, another's, none (linear) or
// nothing (removed) so that the summed loss is least while the plan's price stays within a budget.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_ANALYSIS_PLANNER_H
#define DEEPSHARE_ANALYSIS_PLANNER_H

#include "deepshare/Analysis/GateSite.h"
#include "deepshare/Analysis/GateStatistics.h"
#include "deepshare/Cost/CostModel.h"
#include "deepshare/Plan/SharePlan.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace deepshare {

/// What a budget counts, for one image. Only gates count (DReLU, mux, truncation); linear layers are not the plan's.
enum class BudgetUnit {
  DReLUs,  ///< secure comparisons
  Bytes,   ///< bytes of a cost model
  Seconds, ///< bytes over the network's bandwidth plus rounds times its round trip; sites count as in sequence
};

/// A budget for all gates of a model together; sites that cannot share spend their part of it.
struct Budget {
  BudgetUnit Unit = BudgetUnit::DReLUs;
  bool IsFraction = true; ///< Amount is a fraction of what the unchanged model costs, else in the unit itself
  double Amount = 1;
};

/// Parses "50%", "94208", "12MB" (kB, MB, GB: powers of 1000; B), "1.5s" or "20ms"; "50%bytes" and "50%s" are fractions
/// of bytes and of seconds. The error says what was given and what is expected.
llvm::Expected<Budget> parseBudget(llvm::StringRef Text);
/// The budget as parseBudget reads it, in its shortest form: "12.5%", "50%bytes", "94208", "12MB", "0.02s".
std::string budgetText(const Budget &Limit);

/// How a plan is searched: the planner's own way, and the field's as baselines.
enum class Strategy {
  Full,     ///< every candidate that the statistics hold, one global budget
  Own,      ///< one global budget, gates of the own site only
  Uniform,  ///< the same fraction of gates in every site, best affine sharing inside it
  Linear,   ///< a global budget, own gate or linear (Selective Network Linearization on channels)
  KMedoids, ///< the same fraction in every site, k-medoids on agreement of DReLUs, slopes kept (hard sharing)
  Blocks,   ///< a global budget, own gate for each element or for each tile (Block-ReLU, Helbitz and Avidan)
  Random,   ///< the same fraction in every site, prototypes at random, best affine sharing with them
};

/// The strategy of a name ("full", "own", "uniform", "linear", "kmedoids", "blocks", "random"); an error lists the
/// names.
llvm::Expected<Strategy> parseStrategy(llvm::StringRef Name);
/// Its name.
llvm::StringRef strategyName(Strategy S);
/// Whether all sites share one budget; the others give each site its part.
bool hasGlobalBudget(Strategy S);
/// Every strategy, the planner's own first.
std::vector<Strategy> allStrategies();

struct PlannerOptions {
  Budget Limit;
  Strategy Search = Strategy::Full;
  CostModel Cost;     ///< for Bytes and Seconds
  Network Connection; ///< for Seconds
  uint64_t Seed = 0;  ///< for Strategy::Random, and which gates the search tries first
  /// A site's errors count as noise over the signal that they leave, for the layers behind bring what is left back to
  /// its size, and the noise with it: of E, what is lost without the site, and L, what its channels lose, the next part
  /// of a loss counts (1 - L / E)^-Amplify times. 0: the plain sum. Strategies without a global budget search with
  /// the plain sum, but report this loss too, so that plans compare.
  double Amplify = 1;
  /// Also find the next best of every channel (ChannelOutcome::Next), which takes about a tenth of the planning's time.
  bool Explain = false;
};

/// What one channel of a plan loses, and its best other choice: another gate that the plan computes, or none.
struct ChannelOutcome {
  double Loss = 0;
  std::optional<ChannelPlan> Next; ///< nothing: there is no other choice, or it was not asked for
  double NextLoss = 0;             ///< what it would lose with Next
};

/// What a plan loses, piece by piece.
struct PlanOutcomes {
  std::vector<std::vector<ChannelOutcome>> Sites; ///< of the channels of each of SharePlan::Sites
  std::vector<double> AveragePools;               ///< losses of each of SharePlan::AveragePools
};

/// What the planner decided.
struct PlanResult {
  SharePlan Plan;        ///< Model is left to the caller
  double Loss = 0;       ///< what was minimised, comparable between plans made from the same statistics
  double Price = 0;      ///< in the budget's unit, sites that cannot share included
  double FullPrice = 0;  ///< of the unchanged model
  PlanOutcomes Outcomes; ///< what each channel loses by itself
};

/// Plans \p Sites (of which \p Statistics are) under a budget. The price never passes the budget; no gate is computed
/// that no channel uses; at 100 % every channel keeps its own gate. Deterministic. Errors: a budget that is negative,
/// or less than what the sites that cannot share need (their names are listed); statistics of other sites.
llvm::Expected<PlanResult> planSharing(llvm::ArrayRef<GateSite> Sites, const GateStatistics &Statistics,
                                       const PlannerOptions &Options);

} // namespace deepshare

#endif // DEEPSHARE_ANALYSIS_PLANNER_H
