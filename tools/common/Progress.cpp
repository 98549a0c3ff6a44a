//===- Progress.cpp - a progress bar with the time that is left -----------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Progress.h"

#include <fmt/format.h>

using namespace deepshare;

Progress::Progress(llvm::raw_ostream &Out, llvm::StringRef Label)
    : Out(Out), Label(Label), IsTerminal(Out.is_displayed()) {}

Progress::~Progress() {
  if (Drawn && IsTerminal)
    Out << '\n';
}

static std::string formatTime(double Seconds) {
  auto Whole = static_cast<uint64_t>(Seconds + 0.5);
  return Whole < 3600 ? fmt::format("{}:{:02}", Whole / 60, Whole % 60)
                      : fmt::format("{}:{:02}:{:02}", Whole / 3600, Whole / 60 % 60, Whole % 60);
}

void Progress::update(uint64_t Done, uint64_t Total, const llvm::Twine &Note) {
  if (IsFirst)
    First = Done ? Done - 1 : 0;
  IsFirst = false;
  Clock::time_point Now = Clock::now();
  auto Seconds = [&](Clock::time_point Since) { return std::chrono::duration<double>(Now - Since).count(); };
  bool IsEnd = Done == Total;
  bool Show = Seconds(Start) > 1 && (Seconds(Last) > (IsTerminal ? 0.1 : 10) || IsEnd);
  if (!Show)
    return;
  Last = Now;
  Drawn = true;
  double Elapsed = Seconds(Start);
  double Left = Done > First ? Elapsed / double(Done - First) * double(Total - Done) : 0;
  std::string Times = IsEnd ? formatTime(Elapsed) : formatTime(Elapsed) + ", " + formatTime(Left) + " left";
  if (!IsTerminal) {
    Out << fmt::format("{} {}/{} ({}){}\n", Label, Done, Total, Times, Note.str());
    return;
  }
  constexpr uint64_t Width = 30;
  uint64_t Filled = Total ? Width * Done / Total : Width;
  // "\x1b[K" clears what is left of a longer line.
  Out << fmt::format("\r{} [{:<{}}] {}/{} ({}){}\x1b[K", Label, std::string(Filled, '#'), Width, Done, Total, Times,
                     Note.str());
  Out.flush();
}
