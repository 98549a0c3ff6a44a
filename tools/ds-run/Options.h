//===- Options.h - the command line of ds-run -------------------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_TOOLS_DS_RUN_OPTIONS_H
#define DEEPSHARE_TOOLS_DS_RUN_OPTIONS_H

#include "deepshare/Data/ImageSet.h"
#include "deepshare/Exec/Ring.h"

#include <optional>

namespace deepshare {

struct RunOptions {
  std::string Model;
  /// "name=file.npy" or "file.npz"
  std::vector<std::string> Inputs;
  std::string Images;
  Normalization Norm;
  uint64_t Limit = 0;
  uint64_t Batch = 128;
  /// "file.npy", "file.npz" or "name=file.npy"
  std::vector<std::string> Outputs;
  /// --ring: run in this ring.
  std::optional<RingOptions> Ring;
  /// --range: say how many bits comparisons need, with --frac fractional ones.
  bool Range = false;
  unsigned Frac = 16;
  /// Where figures of --ring and --range go; empty: nowhere.
  std::string Json;
  bool ListOperators = false;
};

/// Reads the command line. Prints and exits for --help and --version.
llvm::Expected<RunOptions> parseCommandLine(int Argc, const char *const *Argv);

} // namespace deepshare

#endif // DEEPSHARE_TOOLS_DS_RUN_OPTIONS_H
