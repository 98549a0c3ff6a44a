//===- Replay.cpp - runs a fuzz target on files ---------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Takes the place of libFuzzer in builds without it: `fuzz-model corpus/model` runs every file of the folder once.
// Options of libFuzzer (-runs=0) are passed over.
//
//===----------------------------------------------------------------------===//

#include "Fuzz.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MemoryBuffer.h"

#include <vector>

using namespace deepshare::fuzz;

static std::vector<std::string> filesOf(llvm::StringRef Path) {
  if (!llvm::sys::fs::is_directory(Path))
    return {Path.str()};
  std::vector<std::string> Files;
  std::error_code Code;
  for (llvm::sys::fs::directory_iterator It(Path, Code), End; It != End && !Code; It.increment(Code))
    Files.push_back(It->path());
  llvm::sort(Files);
  return Files;
}

int main(int Argc, char **Argv) {
  unsigned Runs = 0;
  for (llvm::StringRef Argument : llvm::ArrayRef(Argv, Argc).drop_front()) {
    if (Argument.starts_with("-"))
      continue;
    for (const std::string &Path : filesOf(Argument)) {
      auto Buffer = llvm::MemoryBuffer::getFile(Path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
      if (!Buffer) {
        llvm::errs() << Path << ": " << Buffer.getError().message() << '\n';
        return 1;
      }
      llvm::errs() << "running " << Path << '\n';
      llvm::StringRef Bytes = (*Buffer)->getBuffer();
      LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t *>(Bytes.data()), Bytes.size());
      ++Runs;
    }
  }
  llvm::errs() << Runs << " inputs, no finding\n";
  return Runs == 0;
}
