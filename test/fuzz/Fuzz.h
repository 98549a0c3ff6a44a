//===- Fuzz.h - what the fuzz targets share ---------------------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// A target is one function of libFuzzer's name. Where libFuzzer is there it is linked with the target; elsewhere
// Replay.cpp is, and the target runs the files that it is given: the corpus is a test of every build.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_TEST_FUZZ_FUZZ_H
#define DEEPSHARE_TEST_FUZZ_FUZZ_H

#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdint>
#include <cstdlib>
#include <unistd.h>

/// Runs the target on one input.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *Data, size_t Size);

namespace deepshare::fuzz {

inline llvm::StringRef toText(const uint8_t *Data, size_t Size) { return {reinterpret_cast<const char *>(Data), Size}; }

/// A finding: whatever the input is, this must hold.
inline void require(bool Holds, const llvm::Twine &What) {
  if (Holds)
    return;
  llvm::errs() << "finding: " << What << '\n';
  std::abort();
}

/// Inputs may be refused, with a message.
inline bool refused(llvm::Error E) {
  if (!E)
    return false;
  require(!llvm::toString(std::move(E)).empty(), "an error without a message");
  return true;
}

/// What must not fail.
inline void requireSuccess(llvm::Error E, const llvm::Twine &What) {
  if (E)
    require(false, What + ": " + llvm::toString(std::move(E)));
}

/// A folder in memory for readers that want files; it goes when the process ends well.
class ScratchFolder {
public:
  explicit ScratchFolder(llvm::StringRef Name)
      : Path((llvm::Twine(llvm::sys::fs::is_directory("/dev/shm") ? "/dev/shm" : "/tmp") + "/deepshare-fuzz-" + Name +
              "-" + llvm::Twine(getpid()))
                 .str()) {
    llvm::sys::fs::create_directory(Path);
  }
  ~ScratchFolder() { llvm::sys::fs::remove_directories(Path); }

  const std::string &path() const { return Path; }
  std::string file(llvm::StringRef Name) const { return Path + "/" + Name.str(); }
  std::string write(llvm::StringRef Name, llvm::StringRef Bytes) const {
    std::error_code Code;
    llvm::raw_fd_ostream(file(Name), Code) << Bytes;
    require(!Code, "cannot write '" + file(Name) + "': " + Code.message());
    return file(Name);
  }

private:
  std::string Path;
};

} // namespace deepshare::fuzz

#endif // DEEPSHARE_TEST_FUZZ_FUZZ_H
