//===- Pass.h - passes and pipelines -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_PASSES_PASS_H
#define DEEPSHARE_PASSES_PASS_H

#include "deepshare/Analysis/GateSite.h"
#include "deepshare/Analysis/GateStatistics.h"
#include "deepshare/Analysis/Planner.h"
#include "deepshare/Cost/CostModel.h"
#include "deepshare/Data/ImageSet.h"
#include "deepshare/IR/Model.h"
#include "deepshare/Plan/SharePlan.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace deepshare {

class Communicator;

/// What passes hand to each other, and what the driver hands to them.
struct PassContext {
  /// Calibration images, if the user gave any.
  const ImageSet *Images = nullptr;
  uint64_t Seed = 0;
  /// Processes that run `observe-gates` together, each on its share of the images; null: this one alone.
  Communicator *Processes = nullptr;
  CostModel Cost;
  /// Outcomes are to say what else each channel could do (PlannerOptions::Explain).
  bool Explain = false;
  /// The link between the parties, for times; set by the driver (--network) or by an option of `plan-gates`.
  std::optional<Network> Connection;
  /// Told of long work: what it is, steps done, steps in all. May be empty.
  std::function<void(llvm::StringRef Task, uint64_t Done, uint64_t Total)> Progress;
  /// Set by `observe-gates`, read by `plan-gates`.
  std::optional<GateStatistics> Statistics;
  /// Set by `plan-gates` or by the driver (--plan), read by `share-gates`.
  std::optional<SharePlan> Plan;
  /// Set by `plan-gates`: what Plan loses, piece by piece. Nothing for a plan from a file.
  std::optional<PlanOutcomes> Outcomes;
  /// The canonical model as it was before `share-gates`, which sets it; read by `repair`.
  std::shared_ptr<Model> Original;
};

/// What a pass counted while it ran: a description ("nodes folded") and a number, in the order to print.
using PassStatistics = std::vector<std::pair<llvm::StringRef, uint64_t>>;

/// A transformation or analysis of a model. A pass is a value: made with its options, it keeps its statistics, and
/// knows nothing of other passes but what PassContext holds.
class Pass {
public:
  virtual ~Pass();
  /// Runs on \p M. Returns whether it changed the model. After an error the model is not to be used.
  virtual llvm::Expected<bool> run(Model &M, PassContext &Context) = 0;
  /// What all runs so far counted: the same descriptions each time, numbers that only grow.
  virtual PassStatistics statistics() const { return {}; }
};

/// An option of a pass, as `name{option=value}` gives it.
struct PassOption {
  llvm::StringRef Name;
  llvm::StringRef Default;
  llvm::StringRef Description;
};

/// The values that a pass is made with: every option of its PassInfo, defaults filled in.
class PassOptions {
public:
  void set(llvm::StringRef Name, llvm::StringRef Value);
  /// The value of option \p Name, which the pass must declare.
  llvm::StringRef get(llvm::StringRef Name) const;
  /// The value as a whole number from \p Least to \p Most; an error names the option and what was given.
  llvm::Expected<int64_t> getInt(llvm::StringRef Name, int64_t Least = std::numeric_limits<int64_t>::min(),
                                 int64_t Most = std::numeric_limits<int64_t>::max()) const;

private:
  std::vector<std::pair<std::string, std::string>> Values;
};

/// What a pass may do to the values that a model computes. --verify holds it to that (deepshare/passes/Validation.h).
enum class PassEffect {
  Exact,        ///< nothing: the same numbers, but for the sign of a zero
  Reassociates, ///< another order or form of the same arithmetic: equal within rounding
  Shares,       ///< gates become what the share plan says
  Refits,       ///< weights change
};

/// What the registry (passes/Passes.cpp) knows of a pass. Each pass has a function `PassInfo <name>Pass()`.
struct PassInfo {
  llvm::StringRef Name;
  llvm::StringRef Contract; ///< one sentence, for --help and docs
  std::vector<PassOption> Options;
  /// Makes the pass. Null for an alias.
  std::function<llvm::Expected<std::unique_ptr<Pass>>(const PassOptions &)> Create;
  /// An alias stands for this pipeline, repeated until it changes nothing. Empty for a pass.
  llvm::StringRef Alias;
  /// What it does to values. The passes of an alias have their own.
  PassEffect Effect = PassEffect::Exact;
};

/// PassInfo::Create of a pass without options.
template <typename PassT> llvm::Expected<std::unique_ptr<Pass>> createPass(const PassOptions &) {
  return std::make_unique<PassT>();
}

/// Every pass, in the order that --help lists them.
llvm::ArrayRef<PassInfo> allPasses();

/// One run of one pass, as PipelineOptions::AfterPass gets it.
struct PassRun {
  llvm::StringRef Name;
  bool Changed;
  double Seconds;
  /// What this run counted.
  PassStatistics Statistics;
};

/// One change of the model by a pass, as PipelineOptions::Validate gets it.
struct PassChange {
  llvm::StringRef Name;
  PassEffect Effect;
  Model &Before;
  Model &After;
  const PassContext &Context;
};

/// Options of a pipeline's run.
struct PipelineOptions {
  /// After each pass run the verifier and name the pass that broke the graph; also check that passes tell the truth
  /// about whether they changed the model, and that aliases end. Costs a serialisation of the model each pass.
  bool VerifyEach = false;
  /// Called after each pass that says it changed the model; an error fails the pass. Costs a clone of the model (its
  /// tensors are shared) each pass.
  std::function<llvm::Error(const PassChange &)> Validate;
  /// Called after each pass that succeeded.
  std::function<void(const PassRun &)> AfterPass;
  /// Called before the error of a failed pass is returned, with the pass and its options as a pipeline has them
  /// ("fold-constants{max-growth=1}") and the model as it was before it. Costs a clone of the model (its tensors are
  /// shared) each pass.
  std::function<void(llvm::StringRef Stage, const Model &Before)> OnFailure;
};

/// A sequence of passes with their options.
class Pipeline {
public:
  /// Parses `a,b{option=x option2=y},c`, the syntax of mlir-opt: options are separated by spaces, and a value that
  /// holds spaces or braces is quoted ('..' or "..") or set in braces. Every pass is made here, so that an unknown pass
  /// or option, or a bad value, is found before anything runs. Errors say where in the text.
  static llvm::Expected<Pipeline> parse(llvm::StringRef Text);

  /// An empty pipeline.
  Pipeline();
  Pipeline(Pipeline &&) noexcept;
  Pipeline &operator=(Pipeline &&) noexcept;
  ~Pipeline();

  /// Appends a pass that messages call \p Name.
  void add(llvm::StringRef Name, std::unique_ptr<Pass> P, PassEffect Effect = PassEffect::Exact);

  /// True if a pass of this name runs.
  bool contains(llvm::StringRef Name) const;

  /// Leaves out what comes after the last pass of this name: everything, if there is none.
  void endAfter(llvm::StringRef Name);

  /// Runs the passes in order; returns whether one of them changed the model. Errors name the pass.
  llvm::Expected<bool> run(Model &M, PassContext &Context, const PipelineOptions &Options = {});

private:
  struct Stage;
  std::vector<Stage> Stages;
};

} // namespace deepshare

#endif // DEEPSHARE_PASSES_PASS_H
