//===- ProgressBar.h - progress on the terminal -----------------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_TOOLS_COMMON_PROGRESSBAR_H
#define DEEPSHARE_TOOLS_COMMON_PROGRESSBAR_H

#include "llvm/ADT/StringRef.h"

#include <chrono>
#include <cstdint>
#include <string>

namespace deepshare {

/// One line on standard error: task, bar, steps done and in all, time left. Appears once a task has taken a second, and
/// only on a terminal; gone when the task is done.
class ProgressBar {
public:
  ProgressBar();
  ~ProgressBar();
  /// Reports that \p Done of \p Total steps of \p Task are done. A new task starts where the name changes. \p Detail is
  /// shown at the end of the line.
  void update(llvm::StringRef Task, uint64_t Done, uint64_t Total, llvm::StringRef Detail = "");
  /// Removes the line.
  void clear();

private:
  using Clock = std::chrono::steady_clock;
  bool IsTerminal;
  bool IsShown = false;
  std::string Task;
  Clock::time_point Start;
  Clock::time_point LastDrawn;
};

} // namespace deepshare

#endif // DEEPSHARE_TOOLS_COMMON_PROGRESSBAR_H
