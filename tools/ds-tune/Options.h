//===- Options.h - the command line of ds-tune ------------------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_TOOLS_DS_TUNE_OPTIONS_H
#define DEEPSHARE_TOOLS_DS_TUNE_OPTIONS_H

#include "deepshare/Data/ImageSet.h"
#include "deepshare/Tune/Training.h"

#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace deepshare {

/// What the command line asks for.
struct TuneOptions {
  std::string Model;
  std::string Output;
  /// Empty: training from labels alone.
  std::string Teacher;
  std::string Images;
  /// Empty: no accuracy is measured.
  std::string HeldOut;
  Normalization Norm;
  bool RandomInit = false;
  /// Rounds over the images, in place of Training.Steps; 0: none was given.
  uint64_t Epochs = 0;
  /// What gates may cost, stage by stage: plan and tune in turn. Empty: tune the model as it is.
  std::vector<std::string> Budgets;
  /// Stages after the first do not plan: a training chooses which gates of the stage before they give up.
  bool Polarize = false;
  /// How to plan, and by which cost model.
  std::string Strategy = "full", CostModel = "semi2k-64";
  /// Where to write a JSON line for each step; empty: nowhere.
  std::string Metrics;
  bool Quiet = false;
  TrainingOptions Training;
};

/// Reads the command line. Prints and exits for --help and --version.
llvm::Expected<TuneOptions> parseCommandLine(int Argc, const char *const *Argv);

} // namespace deepshare

#endif // DEEPSHARE_TOOLS_DS_TUNE_OPTIONS_H
