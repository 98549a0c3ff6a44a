//===- TextFile.cpp - reads and writes whole text files -------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Support/TextFile.h"

#include "deepshare/Support/AtomicFile.h"
#include "deepshare/Support/Error.h"

#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

using namespace deepshare;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

Expected<std::string> deepshare::readTextFile(StringRef Path) {
  auto Buffer = llvm::MemoryBuffer::getFileOrSTDIN(Path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!Buffer)
    return makeError(Path + ": cannot read: " + StringRef(Buffer.getError().message()).lower());
  return (*Buffer)->getBuffer().str();
}

Error deepshare::writeTextFile(StringRef Path, StringRef Text) {
  if (Path == "-") {
    llvm::outs() << Text;
    return Error::success();
  }
  return writeFile(Path, [&](llvm::raw_ostream &OS) { OS << Text; });
}
