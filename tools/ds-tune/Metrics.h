//===- Metrics.h - the course of a training as JSON lines -------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_TOOLS_DS_TUNE_METRICS_H
#define DEEPSHARE_TOOLS_DS_TUNE_METRICS_H

#include "deepshare/Tune/Training.h"

#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"

#include <chrono>
#include <memory>

namespace deepshare {

/// Appends an object a step to a file, so that a training that goes on after an interruption keeps the lines before it.
/// A step after the last checkpoint is then there twice: the later line counts.
class MetricsWriter {
public:
  static llvm::Expected<MetricsWriter> open(llvm::StringRef Path);
  void write(const TrainingStep &Step);
  /// The error of the file, if one happened.
  llvm::Error finish();

private:
  explicit MetricsWriter(std::unique_ptr<llvm::raw_fd_ostream> Out, llvm::StringRef Path)
      : Out(std::move(Out)), Path(Path) {}
  std::unique_ptr<llvm::raw_fd_ostream> Out;
  std::string Path;
  std::chrono::steady_clock::time_point Start = std::chrono::steady_clock::now();
};

} // namespace deepshare

#endif // DEEPSHARE_TOOLS_DS_TUNE_METRICS_H
