//===- Options.h - the command line of ds-opt -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_TOOLS_DS_OPT_OPTIONS_H
#define DEEPSHARE_TOOLS_DS_OPT_OPTIONS_H

#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <optional>
#include <string>

namespace deepshare {

/// What --calibrate takes in place of a path: noise in the shape of the model's input.
inline constexpr llvm::StringLiteral RandomImages = "random";

/// What the command line asks for.
struct DriverOptions {
  /// The model to read.
  std::string Input;
  /// The model as messages name it.
  std::string inputName() const { return Input == "-" ? "standard input" : Input; }
  /// Where to write the result; "-" is standard output, as ONNX text; empty: nowhere was said.
  std::string Output;
  /// The pipeline to run; empty: none.
  std::string Passes;
  /// Calibration images, or RandomImages; empty: none.
  std::string Images;
  /// How many of them to draw for all passes together, 0: all; if not given 1,024, of which observation takes 512.
  std::optional<uint64_t> ImageCount;
  /// Normalisation of the images: numbers with commas between them, or empty.
  std::string Mean;
  std::string Std;
  /// What the gates may cost, as parseBudget reads it.
  std::string Budget = "50%";
  std::string Strategy = "full";
  /// Budgets to plan instead of one, with commas between them; --strategy may then list several, or be "all".
  std::string Sweep;
  std::string Weights = "auto";
  /// The planner may put averages in the place of maxima.
  bool AllowAveragePool = false;
  /// Bounds the memory for gates' statistics, and for repair's activations and equations, in MiB.
  unsigned Memory = 2048;
  /// Re-fit the weights to the original after the rewriting.
  bool Repair = true;
  /// A share plan to apply instead of searching one; empty: search.
  std::string Plan;
  /// Where the plan in use goes; empty: beside the output of a main job. With a sweep a folder.
  std::string SavePlan;
  /// The target whose forms the result is brought into; empty: none.
  std::string Target;
  /// A cost model, by name or path.
  std::string CostModel = "semi2k-64";
  /// The link between the parties, as parseNetwork reads it; empty: none, and no times.
  std::string Network;
  /// Where the cost report (of a sweep: the curve) goes as JSON; empty: beside the output of a main job.
  std::string Report;
  /// Where remarks on the plan go: "-" is standard error; empty: nowhere.
  std::string Remarks;
  /// Where the plot of a sweep goes; empty: nowhere.
  std::string Plot;
  uint64_t Seed = 0;
  /// Print the gate table of the result.
  bool Count = false;
  bool Verify = false;
  bool VerifyEach = false;
  /// Print what each pass did, and how long it took, on standard error.
  bool Statistics = false;
  /// Where to write the model as it was before a pass that failed; empty: nowhere.
  std::string Reproducer;
  /// Check that the result survives printing and parsing.
  bool VerifyRoundTrip = false;
  /// The flags that were given, without dashes.
  llvm::StringSet<> Given;
};

/// What a command line asks for: one of these.
enum Job : unsigned {
  PlanJob = 1,     ///< --calibrate: observe, plan, share, repair
  ApplyJob = 2,    ///< --plan: share by a plan from a file
  PipelineJob = 4, ///< --passes
  CopyJob = 8,     ///< read, count, write
  SweepJob = 16,   ///< --sweep: observe, then plan several budgets
  TargetJob = 32,  ///< --target alone: canonicalise, then the target's passes
};

Job jobOf(const DriverOptions &Options);

/// Reads the command line. Prints and exits for --help and --version.
llvm::Expected<DriverOptions> parseCommandLine(int Argc, const char *const *Argv);

/// An error for flags that do nothing beside each other, and for values that cannot be read.
llvm::Error checkOptions(const DriverOptions &Options);

} // namespace deepshare

#endif // DEEPSHARE_TOOLS_DS_OPT_OPTIONS_H
