//===- CommandLine.cpp - what the tools' command lines share --------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "CommandLine.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/raw_ostream.h"

#include <csignal>

using namespace deepshare;
namespace cl = llvm::cl;

void deepshare::removeForeignOptions() {
  llvm::SmallVector<cl::Option *> Foreign;
  for (const auto &Entry : cl::getRegisteredOptions())
    if (!Entry.first().starts_with("help") && Entry.first() != "version")
      Foreign.push_back(Entry.second);
  for (cl::Option *O : Foreign)
    O->removeArgument();
}

/// What the command line library said, in one line: its lines start with the program's name and end in advice.
static std::string tidy(llvm::StringRef Tool, llvm::StringRef Messages) {
  std::string Result;
  for (llvm::StringRef Line : llvm::split(Messages.trim(), '\n')) {
    Line.consume_front(Tool);
    Line.consume_front(": ");
    Line = Line.split(".  Try: ").first.split(": See: ").first.rtrim(" .!");
    if (!Line.empty())
      Result += (Result.empty() ? "" : "; ") + Line.take_front().lower() + Line.drop_front().str();
  }
  // Of a bad value the library has told the user itself.
  return Result.empty() ? ("bad command line; " + Tool + " --help lists the options").str() : Result;
}

llvm::Error deepshare::parseOptions(llvm::StringRef Tool, llvm::StringRef Overview, int Argc, const char *const *Argv) {
  // A file that may not grow (ulimit -f) is an error of writing like a full disk, not the crash that LLVM's handler
  // says.
  std::signal(SIGXFSZ, SIG_IGN);
  std::string Messages, Name = Tool.str();
  llvm::raw_string_ostream Errors(Messages);
  // A fixed program name keeps messages the same wherever the binary lies.
  std::vector<const char *> Arguments(Argv, Argv + Argc);
  Arguments[0] = Name.c_str();
  if (!cl::ParseCommandLineOptions(Argc, Arguments.data(), Overview, &Errors))
    return llvm::createStringError(tidy(Tool, Messages));
  return llvm::Error::success();
}

llvm::Expected<std::vector<float>> deepshare::parseNumbers(llvm::StringRef Option, llvm::StringRef Text) {
  std::vector<float> Result;
  if (Text.empty())
    return Result;
  for (llvm::StringRef Part : llvm::split(Text, ',')) {
    double Number;
    if (!llvm::to_float(Part.trim(), Number))
      return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                     "--" + Option + ": expected numbers separated by commas, got '" + Text + "'");
    Result.push_back(static_cast<float>(Number));
  }
  return Result;
}
