//===- AtomicFile.h - files that appear whole or not at all -----*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_SUPPORT_ATOMICFILE_H
#define DEEPSHARE_SUPPORT_ATOMICFILE_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace deepshare {

/// A file that is written beside its place and renamed: what was there stays whole until publish(). Dropped before
/// that, it leaves no trace. A device or pipe (/dev/stdout) is written directly; a link stays a link, and a file keeps
/// its permissions.
class AtomicFile {
public:
  /// Opens a file beside \p Path.
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

/// Files that appear together: none is in its place before all are written.
class OutputFiles {
public:
  /// Writes what \p Write puts on the stream; "-" is standard output, at once.
  llvm::Error write(llvm::StringRef Path, llvm::function_ref<void(llvm::raw_ostream &)> Write);
  /// As write().
  llvm::Error writeText(llvm::StringRef Path, llvm::StringRef Text);
  /// Takes a file that is finished.
  void add(AtomicFile File) { Files.push_back(std::move(File)); }
  /// Puts all in their places, in the order that they came in.
  llvm::Error publish();

private:
  std::vector<AtomicFile> Files;
};

/// Writes what \p Write puts on the stream to \p Path as the only one of OutputFiles.
llvm::Error writeFile(llvm::StringRef Path, llvm::function_ref<void(llvm::raw_ostream &)> Write);

/// An error unless a file could be created at \p Path now ("cannot write 'a/b': No such file or directory"). Leaves
/// what is there as it is.
llvm::Error checkWritable(llvm::StringRef Path);

} // namespace deepshare

#endif // DEEPSHARE_SUPPORT_ATOMICFILE_H
