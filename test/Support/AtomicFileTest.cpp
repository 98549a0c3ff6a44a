//===- AtomicFileTest.cpp - files that appear whole or not at all ---------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Support/AtomicFile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

using namespace deepshare;
namespace fs = std::filesystem;

namespace {
class AtomicFileTest : public testing::Test {
protected:
  void SetUp() override { fs::create_directory(Folder); }
  void TearDown() override { fs::remove_all(Folder); }

  std::string path(const std::string &Name) const { return (Folder / Name).string(); }
  std::string read(const std::string &Name) const {
    std::ifstream File(path(Name));
    return {std::istreambuf_iterator<char>(File), {}};
  }
  std::string write(const std::string &Name, const std::string &Text) const {
    return llvm::toString(writeFile(path(Name), [&](llvm::raw_ostream &OS) { OS << Text; }));
  }
  size_t numFiles() const { return std::distance(fs::directory_iterator(Folder), {}); }

  fs::path Folder = fs::path(testing::TempDir()) /
                    ("atomic-file-" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
};
} // namespace

TEST_F(AtomicFileTest, WhatIsThereStaysUntilPublish) {
  ASSERT_EQ(write("a", "old"), "");
  {
    AtomicFile File = llvm::cantFail(AtomicFile::create(path("a")));
    File.stream() << "new";
    ASSERT_FALSE(File.finish());
    EXPECT_EQ(read("a"), "old");
  }
  EXPECT_EQ(read("a"), "old");
  EXPECT_EQ(numFiles(), 1U);
  ASSERT_EQ(write("a", "new"), "");
  EXPECT_EQ(read("a"), "new");
  EXPECT_EQ(numFiles(), 1U);
}

TEST_F(AtomicFileTest, KeepsPermissions) {
  ASSERT_EQ(write("a", "secret"), "");
  fs::permissions(path("a"), fs::perms::owner_read | fs::perms::owner_write);
  ASSERT_EQ(write("a", "secret too"), "");
  EXPECT_EQ(fs::status(path("a")).permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(AtomicFileTest, ALinkStaysALink) {
  ASSERT_EQ(write("a", "old"), "");
  fs::create_symlink("a", path("link"));
  ASSERT_EQ(write("link", "new"), "");
  EXPECT_TRUE(fs::is_symlink(path("link")));
  EXPECT_EQ(read("a"), "new");
  fs::create_symlink("nowhere", path("dangling"));
  EXPECT_EQ(write("dangling", "new"), "cannot write '" + path("dangling") + "': it is a link to nothing");
  EXPECT_TRUE(fs::is_symlink(path("dangling")));
}

TEST_F(AtomicFileTest, Errors) {
  EXPECT_EQ(write("no/such", ""), "cannot write '" + path("no/such") + "': No such file or directory");
  EXPECT_EQ(llvm::toString(writeFile(Folder.string(), [](llvm::raw_ostream &) {})),
            "cannot write '" + Folder.string() + "': it is a folder");
  EXPECT_FALSE(bool(checkWritable(path("a"))));
  EXPECT_EQ(numFiles(), 0U);
}
