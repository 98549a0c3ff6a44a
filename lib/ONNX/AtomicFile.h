//===- AtomicFile.h - files that appear whole or not at all -----*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_ONNX_ATOMICFILE_H
#define DEEPSHARE_LIB_ONNX_ATOMICFILE_H

#include "llvm/Support/Error.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

#include <memory>
#include <optional>
#include <string>

namespace deepshare::onnx {

/// A file that is written beside its place and renamed: what was there stays whole until publish(). Dropped before
/// that, it leaves no trace. A device or pipe (/dev/stdout) is written directly; a link stays a link.
class AtomicFile {
public:
  static llvm::Expected<AtomicFile> create(llvm::StringRef Path);
  AtomicFile(AtomicFile &&) = default;
  ~AtomicFile();

  llvm::raw_ostream &stream() { return *Stream; }
  /// Ends writing. The file is not in its place yet.
  llvm::Error finish();
  /// Puts the finished file in its place.
  llvm::Error publish();

private:
  AtomicFile() = default;

  std::string Path;
  std::optional<llvm::sys::fs::TempFile> Temp;
  std::unique_ptr<llvm::raw_fd_ostream> Stream;
};

} // namespace deepshare::onnx

#endif // DEEPSHARE_LIB_ONNX_ATOMICFILE_H
