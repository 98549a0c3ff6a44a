//===- CommandLine.h - what the tools' command lines share ------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_TOOLS_COMMON_COMMANDLINE_H
#define DEEPSHARE_TOOLS_COMMON_COMMANDLINE_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <vector>

namespace deepshare {

/// The libraries that we link register options of their own, which mean nothing here: without this, a mistyped flag
/// might be one of them. To be called before ours are made, so that ours may have the same names.
void removeForeignOptions();

/// Reads the command line into the cl::opts that exist. Prints and exits for --help and --version. The error is one
/// line whatever the path of the program is.
llvm::Error parseOptions(llvm::StringRef Tool, llvm::StringRef Overview, int Argc, const char *const *Argv);

/// Parses numbers separated by commas ("0.485,0.456,0.406"); empty: none. \p Option is for messages.
llvm::Expected<std::vector<float>> parseNumbers(llvm::StringRef Option, llvm::StringRef Text);

} // namespace deepshare

#endif // DEEPSHARE_TOOLS_COMMON_COMMANDLINE_H
