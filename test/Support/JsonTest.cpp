//===- JsonTest.cpp - reading JSON field by field -------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Support/Json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace deepshare;
using testing::StartsWith;

namespace {

llvm::json::Value parsed(llvm::StringRef Text) { return llvm::cantFail(parseJson(Text, "x.json")); }

TEST(Json, ReadsFields) {
  llvm::json::Value V = parsed(R"({"s": "text", "i": -3, "d": 0.5, "a": [1, 2]})");
  JsonReader Reader(V, "x.json");
  EXPECT_EQ(Reader.string("s"), "text");
  EXPECT_EQ(Reader.integer("i", -5, 5), -3);
  EXPECT_EQ(Reader.number("d", 0, 1), 0.5);
  EXPECT_EQ(Reader.array("a").size(), 2u);
  EXPECT_TRUE(Reader.has("d"));
  EXPECT_FALSE(Reader.has("e"));
  Reader.expectOnly({"s", "i", "d", "a"});
  EXPECT_FALSE(Reader.takeError());
}

TEST(Json, KeepsTheFirstError) {
  llvm::json::Value V = parsed(R"({"i": 7, "z": 1, "b": 1})");
  JsonReader Reader(V, "x.json: site 2");
  EXPECT_EQ(Reader.integer("i", 0, 5), 0);
  EXPECT_EQ(Reader.string("absent"), "");
  EXPECT_EQ(llvm::toString(Reader.takeError()), "x.json: site 2: 'i': expected an integer from 0 to 5, got 7");

  JsonReader Unknown(V, "x.json");
  Unknown.expectOnly({"i"});
  EXPECT_EQ(llvm::toString(Unknown.takeError()), "x.json: unknown field 'b', expected one of i");

  JsonReader Outer(V, "outer");
  Outer.fail(Unknown);
  EXPECT_EQ(llvm::toString(Outer.takeError()), "x.json: unknown field 'b', expected one of i");
}

TEST(Json, RefusesWhatIsNoJson) {
  EXPECT_THAT(llvm::toString(parseJson("{", "x.json").takeError()), StartsWith("x.json: not JSON: "));
  // Deep nesting would exhaust the parser's stack; brackets in strings are no nesting.
  EXPECT_EQ(llvm::toString(parseJson(std::string(65, '['), "x.json").takeError()),
            "x.json: JSON nested 65 levels deep, expected at most 64");
  EXPECT_TRUE(bool(parseJson("\"" + std::string(65, '[') + "\\\"[\"", "x.json")));
}

} // namespace
