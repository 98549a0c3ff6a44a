//===- Pass.h - passes and pipelines -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_PASSES_PASS_H
#define DEEPSHARE_PASSES_PASS_H

#include "deepshare/Analysis/GateSite.h"
#include "deepshare/Analysis/GateStatistics.h"
#include "deepshare/Cost/CostModel.h"
#include "deepshare/Data/ImageSet.h"
#include "deepshare/IR/Model.h"
#include "deepshare/Plan/SharePlan.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace deepshare {

/// What passes hand to each other, and what the driver hands to them.
struct PassContext {
  /// Calibration images, if the user gave any, and how many of them to use.
  const ImageSet *Images = nullptr;
  uint64_t ImageCount = 0;
  uint64_t Seed = 0;
  CostModel Cost;
  /// Set by `observe`, read by `plan`.
  std::optional<GateStatistics> Statistics;
  /// Set by `plan` or by the driver (--plan), read by `share-gates`.
  std::optional<SharePlan> Plan;
  /// The canonical model as it was before `share-gates`, which sets it; read by `repair`.
  std::shared_ptr<const Model> Original;
};

/// A transformation or analysis of a model.
class Pass {
public:
  virtual ~Pass();
  /// Runs on \p M. Returns whether it changed the model. After an error the model is not to be used.
  virtual llvm::Expected<bool> run(Model &M, PassContext &Context) = 0;
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
  llvm::StringRef get(llvm::StringRef Name) const;
  /// The value as a number; an error names the option and what was given.
  llvm::Expected<int64_t> getInt(llvm::StringRef Name) const;
  llvm::Expected<double> getDouble(llvm::StringRef Name) const;

private:
  std::vector<std::pair<std::string, std::string>> Values;
};

/// One line of the registry (passes/Passes.cpp).
struct PassInfo {
  llvm::StringRef Name;
  llvm::StringRef Contract; ///< one sentence, for --help and docs
  std::vector<PassOption> Options;
  std::function<llvm::Expected<std::unique_ptr<Pass>>(const PassOptions &)> Create;
};

/// Every pass, in the order that --help lists them.
llvm::ArrayRef<PassInfo> allPasses();

/// Options of a pipeline's run.
struct PipelineOptions {
  /// Run the verifier after each pass and name the pass that broke the graph.
  bool VerifyEach = false;
};

/// Runs `a,b{option=x,option=y},c` on a model. Errors name the pass.
llvm::Error runPipeline(llvm::StringRef Pipeline, Model &M, PassContext &Context, const PipelineOptions &Options = {});

} // namespace deepshare

#endif // DEEPSHARE_PASSES_PASS_H
