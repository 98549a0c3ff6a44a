//===- Options.h - the command line of ds-opt -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_TOOLS_DS_OPT_OPTIONS_H
#define DEEPSHARE_TOOLS_DS_OPT_OPTIONS_H

#include "llvm/Support/Error.h"

#include <string>

namespace deepshare {

/// What the command line asks for.
struct DriverOptions {
  /// The model to read.
  std::string Input;
  /// Where to write the result; "-" is standard output, as ONNX text; empty: nowhere was said.
  std::string Output;
  /// The pipeline to run; empty: none.
  std::string Passes;
  /// Print the gate table of the result.
  bool Count = false;
  bool VerifyEach = false;
  /// Print what each pass did, and how long it took, on standard error.
  bool Statistics = false;
  /// Where to write the model as it was before a pass that failed; empty: nowhere.
  std::string Reproducer;
  /// Check that the result survives printing and parsing.
  bool VerifyRoundTrip = false;
};

/// Reads the command line. Prints and exits for --help and --version.
llvm::Expected<DriverOptions> parseCommandLine(int Argc, const char *const *Argv);

} // namespace deepshare

#endif // DEEPSHARE_TOOLS_DS_OPT_OPTIONS_H
