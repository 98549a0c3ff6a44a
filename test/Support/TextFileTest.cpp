//===- TextFileTest.cpp - whole text files --------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Support/TextFile.h"

#include "llvm/Support/FileSystem.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace deepshare;
using testing::HasSubstr;
using testing::StartsWith;

namespace {

TEST(TextFile, WritesAndReads) {
  llvm::SmallString<64> Folder;
  ASSERT_FALSE(llvm::sys::fs::createUniqueDirectory("deepshare", Folder));
  std::string Path = (Folder + "/a.txt").str(), Text("one\n\0two", 8);
  for (const std::string &T : {std::string("old"), Text}) {
    ASSERT_FALSE(bool(writeTextFile(Path, T)));
    llvm::Expected<std::string> Read = readTextFile(Path);
    ASSERT_TRUE(bool(Read)) << llvm::toString(Read.takeError());
    EXPECT_EQ(*Read, T);
  }
  llvm::sys::fs::remove_directories(Folder);
}

TEST(TextFile, ErrorsNameTheFile) {
  EXPECT_EQ(llvm::toString(readTextFile("/absent/a.txt").takeError()),
            "/absent/a.txt: cannot read: no such file or directory");
  EXPECT_THAT(llvm::toString(writeTextFile("/absent/a.txt", "")), StartsWith("cannot write '/absent/a.txt': "));
  // A message is not a printf format.
  EXPECT_THAT(llvm::toString(readTextFile("/absent/100%s.txt").takeError()), HasSubstr("100%s.txt"));
}

} // namespace
