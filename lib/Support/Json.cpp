//===- Json.cpp - reads JSON, with errors that say where ------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Support/Json.h"

#include "deepshare/Support/Error.h"

#include "llvm/ADT/StringExtras.h"

#include <fmt/format.h>

using namespace deepshare;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;

/// The deepest nesting of \p Text's brackets. LLVM's parser recurses once a level, without a bound of its own.
static unsigned nesting(StringRef Text) {
  unsigned Depth = 0, Deepest = 0;
  bool InString = false;
  for (size_t I = 0; I < Text.size(); ++I) {
    char C = Text[I];
    if (InString) {
      if (C == '\\')
        ++I;
      else if (C == '"')
        InString = false;
    } else if (C == '"') {
      InString = true;
    } else if (C == '[' || C == '{') {
      Deepest = std::max(Deepest, ++Depth);
    } else if ((C == ']' || C == '}') && Depth > 0) {
      --Depth;
    }
  }
  return Deepest;
}

Expected<llvm::json::Value> deepshare::parseJson(StringRef Text, StringRef Name) {
  constexpr unsigned MaxNesting = 64;
  if (unsigned Depth = nesting(Text); Depth > MaxNesting)
    return makeError(Name + ": JSON nested " + Twine(Depth) + " levels deep, expected at most " + Twine(MaxNesting));
  Expected<llvm::json::Value> Parsed = llvm::json::parse(Text);
  if (!Parsed)
    return makeError(Name + ": not JSON: " + llvm::toString(Parsed.takeError()));
  return Parsed;
}

JsonReader::JsonReader(const llvm::json::Value &V, const Twine &Where) : Object(V.getAsObject()), Where(Where.str()) {
  if (!Object)
    fail("expected an object");
}

void JsonReader::fail(const Twine &Message) {
  if (Failure.empty())
    Failure = (Where + ": " + Message).str();
}

void JsonReader::fail(const JsonReader &Inner) {
  if (Failure.empty())
    Failure = Inner.Failure;
}

Error JsonReader::takeError() const { return failed() ? makeError(Failure) : Error::success(); }

const llvm::json::Value *JsonReader::get(StringRef Key) {
  if (!Object)
    return nullptr;
  const llvm::json::Value *Found = Object->get(Key);
  if (!Found)
    fail("'" + Key + "' is missing");
  return Found;
}

std::string JsonReader::string(StringRef Key) {
  const llvm::json::Value *Found = get(Key);
  if (!Found)
    return "";
  if (std::optional<StringRef> Text = Found->getAsString())
    return Text->str();
  fail("'" + Key + "': expected a string");
  return "";
}

int64_t JsonReader::integer(StringRef Key, int64_t Low, int64_t High) {
  const llvm::json::Value *Found = get(Key);
  if (!Found)
    return 0;
  std::optional<int64_t> Number = Found->getAsInteger();
  if (Number && *Number >= Low && *Number <= High)
    return *Number;
  fail("'" + Key + "': " + fmt::format("expected an integer from {} to {}", Low, High) +
       (Number ? fmt::format(", got {}", *Number) : std::string()));
  return 0;
}

double JsonReader::number(StringRef Key, double Low, double High) {
  const llvm::json::Value *Found = get(Key);
  if (!Found)
    return 0;
  std::optional<double> Number = Found->getAsNumber();
  if (Number && *Number >= Low && *Number <= High)
    return *Number;
  fail("'" + Key + "': " + fmt::format("expected a number from {} to {}", Low, High) +
       (Number ? fmt::format(", got {}", *Number) : std::string()));
  return 0;
}

const llvm::json::Array &JsonReader::array(StringRef Key) {
  static const llvm::json::Array Empty;
  const llvm::json::Value *Found = get(Key);
  if (!Found)
    return Empty;
  if (const llvm::json::Array *Elements = Found->getAsArray())
    return *Elements;
  fail("'" + Key + "': expected an array");
  return Empty;
}

const llvm::json::Value &JsonReader::value(StringRef Key) {
  static const llvm::json::Value Null = nullptr;
  const llvm::json::Value *Found = get(Key);
  return Found ? *Found : Null;
}

void JsonReader::expectOnly(llvm::ArrayRef<StringRef> Known) {
  if (!Object)
    return;
  std::string Unknown; // the least, since the order of the object's keys is not the file's
  for (const auto &[Key, Value] : *Object)
    if (!llvm::is_contained(Known, StringRef(Key)) && (Unknown.empty() || StringRef(Key) < Unknown))
      Unknown = StringRef(Key).str();
  if (!Unknown.empty())
    fail("unknown field '" + Unknown + "', expected one of " + llvm::join(Known, ", "));
}
