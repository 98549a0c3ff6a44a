//===- Progress.h - a progress bar with the time that is left ---*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_TOOLS_COMMON_PROGRESS_H
#define DEEPSHARE_TOOLS_COMMON_PROGRESS_H

#include "llvm/ADT/Twine.h"
#include "llvm/Support/raw_ostream.h"

#include <chrono>
#include <cstdint>
#include <string>

namespace deepshare {

/// Tells how far a long job is. Silent for jobs of less than a second; on a terminal a bar that is drawn over,
/// elsewhere a line every ten seconds.
class Progress {
public:
  Progress(llvm::raw_ostream &Out, llvm::StringRef Label);
  /// Ends the bar's line.
  ~Progress();

  /// \p Done of \p Total are done. \p Note stands after the bar.
  void update(uint64_t Done, uint64_t Total, const llvm::Twine &Note = "");

private:
  using Clock = std::chrono::steady_clock;
  llvm::raw_ostream &Out;
  std::string Label;
  bool IsTerminal;
  bool Drawn = false;
  Clock::time_point Start = Clock::now(), Last = Start;
  /// Where this run started: a job that is resumed has not done the first part in this time.
  uint64_t First = 0;
  bool IsFirst = true;
};

} // namespace deepshare

#endif // DEEPSHARE_TOOLS_COMMON_PROGRESS_H
