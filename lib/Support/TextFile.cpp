//===- TextFile.cpp - reads and writes whole text files -------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Support/TextFile.h"

#include "deepshare/Support/AtomicFile.h"
#include "deepshare/Support/Error.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

using namespace deepshare;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

Expected<std::unique_ptr<llvm::MemoryBuffer>> deepshare::mapFile(StringRef Path) {
  namespace fs = llvm::sys::fs;
  fs::file_status Status;
  if (!fs::status(Path, Status) &&
      (Status.type() == fs::file_type::character_file || Status.type() == fs::file_type::block_file))
    return makeError("it is a device");
  // Without a terminator LLVM maps the file instead of reading it.
  auto Buffer = llvm::MemoryBuffer::getFile(Path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!Buffer)
    return makeError(Buffer.getError().message());
  return std::move(*Buffer);
}

Expected<std::string> deepshare::readTextFile(StringRef Path) {
  Expected<std::unique_ptr<llvm::MemoryBuffer>> Buffer =
      Path == "-" ? llvm::errorOrToExpected(llvm::MemoryBuffer::getSTDIN()) : mapFile(Path);
  if (!Buffer)
    return makeError(Path + ": cannot read: " + StringRef(llvm::toString(Buffer.takeError())).lower());
  return (*Buffer)->getBuffer().str();
}

Error deepshare::writeTextFile(StringRef Path, StringRef Text) {
  return writeFile(Path, [&](llvm::raw_ostream &OS) { OS << Text; });
}
