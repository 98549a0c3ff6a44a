//===- CostModel.cpp - cost models from data files ------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// docs/cost-models.md is the format's specification.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Cost/CostModel.h"
#include "deepshare/Support/Error.h"
#include "deepshare/Support/Json.h"
#include "deepshare/Support/TextFile.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"

#include <fmt/format.h>

using namespace deepshare;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;

namespace {
struct BuiltinModel {
  StringRef Name;
  StringRef Json;
};
} // namespace

/// Sorted by name: CMake lists the files so.
static constexpr BuiltinModel Builtins[] = {
#include "BuiltinModels.inc"
};

std::vector<std::string> deepshare::builtinCostModels() {
  std::vector<std::string> Names;
  for (const BuiltinModel &Builtin : Builtins)
    Names.push_back(Builtin.Name.str());
  llvm::sort(Names);
  return Names;
}

/// More than any protocol needs, and small enough that sums stay finite.
static constexpr double MaxCost = 1e15;

/// Text, or lines of it.
static std::string readText(JsonReader &Reader, StringRef Key) {
  const llvm::json::Value &Text = Reader.value(Key);
  if (std::optional<StringRef> Line = Text.getAsString())
    return Line->str();
  std::string Joined;
  if (const llvm::json::Array *Lines = Text.getAsArray())
    for (const llvm::json::Value &Line : *Lines) {
      if (!Line.getAsString())
        Reader.fail("'" + Key + "': expected a string or an array of strings");
      Joined += (Joined.empty() ? "" : " ") + Line.getAsString().value_or("").str();
    }
  if (Joined.empty())
    Reader.fail("'" + Key + "': expected a string or an array of strings, which say where the numbers come from");
  return Joined;
}

static OperationCost readOperation(JsonReader &Outer, StringRef Key, StringRef Name) {
  JsonReader Reader(Outer.value(Key), Name + ": '" + Key + "'");
  OperationCost Cost{Reader.number("bytes", 0, MaxCost), Reader.number("rounds", 0, MaxCost)};
  Reader.expectOnly({"bytes", "rounds"});
  if (Reader.failed())
    Outer.fail(Reader);
  return Cost;
}

static LinearCost readLinear(JsonReader &Outer, StringRef Name) {
  JsonReader Reader(Outer.value("linear"), Name + ": 'linear'");
  LinearCost Cost;
  Cost.BytesPerInput = Reader.number("bytes_per_input", 0, MaxCost);
  Cost.BytesPerUnrolled = Reader.number("bytes_per_unrolled", 0, MaxCost);
  Cost.BytesPerWeight = Reader.number("bytes_per_weight", 0, MaxCost);
  Cost.BytesPerOutput = Reader.number("bytes_per_output", 0, MaxCost);
  Cost.BytesFixed = Reader.number("bytes_per_layer", 0, MaxCost);
  Cost.Rounds = Reader.number("rounds", 0, MaxCost);
  Reader.expectOnly(
      {"bytes_per_input", "bytes_per_unrolled", "bytes_per_weight", "bytes_per_output", "bytes_per_layer", "rounds"});
  if (Reader.failed())
    Outer.fail(Reader);
  return Cost;
}

Expected<CostModel> deepshare::parseCostModel(StringRef Json, StringRef Name) {
  Expected<llvm::json::Value> Document = parseJson(Json, Name);
  if (!Document)
    return Document.takeError();
  JsonReader Reader(*Document, Name);
  if (Reader.string("format") != "deepshare-cost-model")
    Reader.fail("not a cost model: 'format' is not 'deepshare-cost-model'");
  if (int64_t Version = Reader.integer("version", 1, INT32_MAX); !Reader.failed() && Version != 1)
    Reader.fail("cost model version " + Twine(Version) + ", this program reads version 1");
  Reader.expectOnly(
      {"format", "version", "name", "source", "ring_bits", "drelu", "mux", "truncation", "linear", "bytes_fixed"});
  CostModel Model;
  Model.Name = Reader.string("name");
  Model.Source = readText(Reader, "source");
  Model.RingBits = Reader.integer("ring_bits", 1, 4096);
  Model.DReLU = readOperation(Reader, "drelu", Name);
  Model.Mux = readOperation(Reader, "mux", Name);
  Model.Truncation = readOperation(Reader, "truncation", Name);
  Model.Linear = readLinear(Reader, Name);
  Model.BytesFixed = Reader.number("bytes_fixed", 0, MaxCost);
  if (Reader.failed())
    return Reader.takeError();
  return Model;
}

Expected<CostModel> deepshare::loadCostModel(StringRef NameOrPath) {
  for (const BuiltinModel &Builtin : Builtins)
    if (Builtin.Name == NameOrPath)
      return parseCostModel(Builtin.Json, Builtin.Name);
  if (!llvm::sys::fs::exists(NameOrPath))
    return makeError("cost model '" + NameOrPath + "' is neither a file nor built in; built in are " +
                     llvm::join(builtinCostModels(), ", "));
  Expected<std::string> Text = readTextFile(NameOrPath);
  if (!Text)
    return Text.takeError();
  return parseCostModel(*Text, NameOrPath);
}

std::string deepshare::costModelText(const CostModel &Model) {
  const LinearCost &L = Model.Linear;
  std::string Text = std::to_string(Model.RingBits);
  for (const OperationCost *Cost : {&Model.DReLU, &Model.Mux, &Model.Truncation})
    Text += fmt::format(" {}/{}", Cost->Bytes, Cost->Rounds);
  return Text + fmt::format(" {}/{}/{}/{}/{}/{} {}", L.BytesPerInput, L.BytesPerUnrolled, L.BytesPerWeight,
                            L.BytesPerOutput, L.BytesFixed, L.Rounds, Model.BytesFixed);
}

//===----------------------------------------------------------------------===//
// Networks
//===----------------------------------------------------------------------===//

namespace {
struct Unit {
  StringRef Name;
  double Scale;
};
} // namespace

/// Reads a positive number with one of \p Units behind it.
static std::optional<double> parseQuantity(StringRef Text, llvm::ArrayRef<Unit> Units) {
  Text = Text.trim();
  size_t Digits = Text.find_first_not_of("0123456789.");
  if (Digits == StringRef::npos || Digits == 0)
    return std::nullopt;
  double Number;
  if (Text.take_front(Digits).getAsDouble(Number) || Number <= 0)
    return std::nullopt;
  for (const Unit &U : Units)
    if (Text.drop_front(Digits).trim() == U.Name)
      return Number * U.Scale;
  return std::nullopt;
}

Expected<Network> deepshare::parseNetwork(StringRef Text) {
  if (Text == "lan")
    return Network{0.3e-3, 384e6};
  if (Text == "wan")
    return Network{40e-3, 44e6};
  auto [Time, Rate] = Text.split(',');
  std::optional<double> RoundTrip = parseQuantity(Time, {{"s", 1}, {"ms", 1e-3}, {"us", 1e-6}});
  std::optional<double> Bytes = parseQuantity(Rate, {{"bps", 1 / 8.0},
                                                     {"kbps", 1e3 / 8},
                                                     {"Mbps", 1e6 / 8},
                                                     {"Gbps", 1e9 / 8},
                                                     {"bit", 1 / 8.0},
                                                     {"kbit", 1e3 / 8},
                                                     {"Mbit", 1e6 / 8},
                                                     {"Gbit", 1e9 / 8},
                                                     {"B", 1},
                                                     {"kB", 1e3},
                                                     {"MB", 1e6},
                                                     {"GB", 1e9}});
  if (!RoundTrip || !Bytes)
    return makeError("network '" + Text + "': expected lan, wan, or round trip and bandwidth such as 20ms,100Mbps");
  return Network{*RoundTrip, *Bytes};
}

std::string deepshare::networkText(const Network &N) {
  return fmt::format("{:.4g} ms, {:.4g} MB/s", N.RoundTrip * 1e3, N.BytesPerSecond / 1e6);
}
