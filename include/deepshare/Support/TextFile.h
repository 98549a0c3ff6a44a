//===- TextFile.h - reads and writes whole text files -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_SUPPORT_TEXTFILE_H
#define DEEPSHARE_SUPPORT_TEXTFILE_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"

#include <memory>
#include <string>

namespace deepshare {

/// Maps a file, or reads a pipe to its end. The error says why it cannot, without the name: of a device (/dev/zero) as
/// well, which may have no end.
llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>> mapFile(llvm::StringRef Path);

/// Reads a whole file ("-": standard input); the error names it.
llvm::Expected<std::string> readTextFile(llvm::StringRef Path);

/// Writes \p Text to a file beside \p Path and renames it there: an existing file stays whole until then. "-" is
/// standard output.
llvm::Error writeTextFile(llvm::StringRef Path, llvm::StringRef Text);

} // namespace deepshare

#endif // DEEPSHARE_SUPPORT_TEXTFILE_H
