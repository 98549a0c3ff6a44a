//===- ProgressBar.cpp - progress on the terminal -------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "ProgressBar.h"

#include "llvm/Support/Process.h"
#include "llvm/Support/raw_ostream.h"

#include <fmt/format.h>

using namespace deepshare;

ProgressBar::ProgressBar() : IsTerminal(llvm::sys::Process::StandardErrIsDisplayed()) {}
ProgressBar::~ProgressBar() { clear(); }

void ProgressBar::clear() {
  if (IsShown)
    llvm::errs() << "\r\x1b[K";
  IsShown = false;
}

static std::string formatDuration(double Seconds) {
  auto Whole = static_cast<uint64_t>(Seconds + 0.5);
  if (Whole >= 3600)
    return fmt::format("{}:{:02}:{:02}", Whole / 3600, Whole / 60 % 60, Whole % 60);
  return fmt::format("{}:{:02}", Whole / 60, Whole % 60);
}

void ProgressBar::update(llvm::StringRef NewTask, uint64_t Done, uint64_t Total, llvm::StringRef Detail) {
  if (!IsTerminal)
    return;
  Clock::time_point Now = Clock::now();
  if (Task != NewTask) {
    clear();
    Task = NewTask.str();
    Start = LastDrawn = Now;
  }
  if (Done >= Total) {
    clear();
    return;
  }
  double Elapsed = std::chrono::duration<double>(Now - Start).count();
  if (Elapsed < 1 || std::chrono::duration<double>(Now - LastDrawn).count() < 0.1)
    return;
  LastDrawn = Now;
  IsShown = true;
  constexpr unsigned Width = 30;
  auto Filled = static_cast<unsigned>(Width * Done / Total);
  std::string Left = Done ? formatDuration(Elapsed * (Total - Done) / Done) : "?";
  llvm::errs() << fmt::format("\r\x1b[K{} [{:#<{}}{:.<{}}] {}/{}, {} left{}{}", Task, "", Filled, "", Width - Filled,
                              Done, Total, Left, Detail.empty() ? "" : ", ", Detail.str());
}
