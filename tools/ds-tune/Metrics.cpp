//===- Metrics.cpp - the course of a training as JSON lines ---------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Metrics.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"

using namespace deepshare;

llvm::Expected<MetricsWriter> MetricsWriter::open(llvm::StringRef Path) {
  std::error_code Code;
  auto Out = std::make_unique<llvm::raw_fd_ostream>(Path, Code, llvm::sys::fs::OF_Append);
  if (Code)
    return llvm::createStringError(Code, Path + ": " + Code.message());
  return MetricsWriter(std::move(Out), Path);
}

void MetricsWriter::write(const TrainingStep &Step) {
  llvm::json::Object Line{{"step", Step.Step},
                          {"loss", Step.Loss},
                          {"learning_rate", Step.LearningRate},
                          {"sharpness", Step.Sharpness},
                          {"seconds", std::chrono::duration<double>(std::chrono::steady_clock::now() - Start).count()}};
  if (Step.Accuracy)
    Line["accuracy"] = *Step.Accuracy;
  *Out << llvm::json::Value(std::move(Line)) << '\n';
  Out->flush();
}

llvm::Error MetricsWriter::finish() {
  Out->close();
  std::error_code Code = Out->error();
  Out->clear_error();
  return Code ? llvm::createStringError(Code, Path + ": " + Code.message()) : llvm::Error::success();
}
