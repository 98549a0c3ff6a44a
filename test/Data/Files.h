//===- Files.h - image files made by the tests ------------------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_TEST_DATA_FILES_H
#define DEEPSHARE_TEST_DATA_FILES_H

#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace deepshare {

/// A folder that is gone after the test.
class TemporaryFolder {
public:
  TemporaryFolder() {
    std::error_code Code = llvm::sys::fs::createUniqueDirectory("deepshare-data", Folder);
    EXPECT_FALSE(Code) << Code.message();
  }
  ~TemporaryFolder() { llvm::sys::fs::remove_directories(Folder); }

  std::string path(const llvm::Twine &Name) const {
    llvm::SmallString<128> Path(Folder);
    llvm::sys::path::append(Path, Name);
    return Path.str().str();
  }
  /// Writes a file, and the folders that it lies in.
  std::string write(const llvm::Twine &Name, llvm::StringRef Content) const {
    std::string Path = path(Name);
    llvm::sys::fs::create_directories(llvm::sys::path::parent_path(Path));
    std::error_code Code;
    llvm::raw_fd_ostream Out(Path, Code);
    EXPECT_FALSE(Code) << Code.message();
    Out << Content;
    return Path;
  }

private:
  llvm::SmallString<128> Folder;
};

/// \p Count bytes 0, 1, 2, ...
inline std::string countingBytes(size_t Count) {
  std::string Result;
  for (size_t Index = 0; Index < Count; ++Index)
    Result.push_back(static_cast<char>(Index));
  return Result;
}

/// A .npy file, version 1.0.
inline std::string npy(llvm::StringRef Type, llvm::StringRef Shape, llvm::StringRef Elements,
                       llvm::StringRef Order = "False") {
  std::string Header = ("{'descr': '" + Type + "', 'fortran_order': " + Order + ", 'shape': " + Shape + ", }").str();
  Header.resize((10 + Header.size() + 1 + 63) / 64 * 64 - 10 - 1, ' ');
  Header += '\n';
  std::string Result("\x93NUMPY\x01\x00", 8);
  Result.push_back(static_cast<char>(Header.size() & 255));
  Result.push_back(static_cast<char>(Header.size() >> 8));
  return Result + Header + Elements.str();
}

/// The bytes of numbers, as little-endian machines keep them.
template <typename T> std::string bytesOf(const std::vector<T> &Values) {
  return std::string(reinterpret_cast<const char *>(Values.data()), Values.size() * sizeof(T));
}

/// An idx file of bytes.
inline std::string idx(const std::vector<uint32_t> &Shape, llvm::StringRef Elements) {
  std::string Result("\0\0\x08", 3);
  Result.push_back(static_cast<char>(Shape.size()));
  for (uint32_t Size : Shape)
    for (int Shift = 24; Shift >= 0; Shift -= 8)
      Result.push_back(static_cast<char>(Size >> Shift));
  return Result + Elements.str();
}

} // namespace deepshare

#endif // DEEPSHARE_TEST_DATA_FILES_H
