//===- SharePlan.cpp - the share plan's JSON ------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// docs/plan-format.md is the format's specification.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Plan/SharePlan.h"
#include "deepshare/Support/Json.h"
#include "deepshare/Support/TextFile.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/raw_ostream.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <limits>
#include <set>

using namespace deepshare;
using llvm::ArrayRef;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;

static constexpr StringRef FormatName = "deepshare-plan";
/// The version that a plan is written as: the least that holds it. Version 2 added average_pools.
static int64_t formatVersion(const SharePlan &Plan) { return Plan.AveragePools.empty() ? 1 : 2; }
static constexpr int64_t LatestVersion = 2;
/// Bounds that keep all products far from overflow; no network comes near them.
static constexpr int64_t MaxSize = int64_t(1) << 31;
static constexpr int64_t MaxPositions = int64_t(1) << 40;

/// Tiles of \p Block elements along an axis of \p Size.
static int64_t tiles(int64_t Size, int64_t Block) { return llvm::divideCeil(uint64_t(Size), uint64_t(Block)); }

/// True if one size is the other over a whole number, rounded up.
static bool sizeMaps(int64_t Large, int64_t Small) {
  if (Large < Small)
    std::swap(Large, Small);
  // With k elements for each, Small = ceil(Large / k): the least such k suffices.
  int64_t Step = tiles(Large, Small);
  return tiles(Large, Step) == Small;
}

bool deepshare::positionsMap(ArrayRef<int64_t> Source, ArrayRef<int64_t> User) {
  return Source.size() == User.size() && llvm::all_of(llvm::zip(Source, User), [](auto Pair) {
           return sizeMaps(std::get<0>(Pair), std::get<1>(Pair));
         });
}

int64_t deepshare::sourcePosition(int64_t User, int64_t UserSize, int64_t SourceSize) {
  return SourceSize >= UserSize ? User * tiles(SourceSize, UserSize) : User / tiles(UserSize, SourceSize);
}

uint64_t deepshare::tileCount(ArrayRef<int64_t> Spatial, unsigned Block) {
  uint64_t Count = 1;
  for (int64_t Size : Spatial)
    Count *= tiles(Size, Block);
  return Count;
}

bool deepshare::isScaled(const AveragePoolPlan &Pool) {
  return llvm::any_of(Pool.Scale, [](float Scale) { return Scale != 1; });
}

uint64_t deepshare::countDReLUs(const SharePlan &Plan) {
  std::set<GateSource> Gates;
  for (const SitePlan &Site : Plan.Sites)
    for (const ChannelPlan &Channel : Site.Channels)
      if (Channel.Source)
        Gates.insert(*Channel.Source);
  uint64_t Count = 0;
  for (const GateSource &Gate : Gates)
    Count += tileCount(Plan.Sites[Gate.Site].Spatial, Gate.Block);
  return Count;
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

namespace {

/// Reads the sites of a plan in order.
class PlanParser {
public:
  PlanParser(SharePlan &Plan, StringRef Name) : Plan(Plan), Name(Name) {}
  Error parseSite(const llvm::json::Value &V);
  Error parsePool(const llvm::json::Value &V);

private:
  std::optional<GateSource> parseSource(JsonReader &Reader, const SitePlan &Site);

  SharePlan &Plan;
  StringRef Name;
  llvm::StringMap<size_t> Names;
};

} // namespace

static std::string shapeText(ArrayRef<int64_t> Spatial) { return fmt::format("{}", fmt::join(Spatial, "x")); }

Error PlanParser::parseSite(const llvm::json::Value &V) {
  size_t Index = Plan.Sites.size();
  std::string Where = fmt::format("{}: site {}", Name.str(), Index);
  JsonReader Named(V, Where);
  SitePlan Site;
  Site.Name = Named.string("name");
  if (Named.failed())
    return Named.takeError();
  Where += " '" + Site.Name + "'";

  JsonReader Reader(V, Where);
  Reader.expectOnly({"name", "spatial", "channels"});
  if (Site.Name.empty())
    Reader.fail("the name is empty");
  if (auto [Old, New] = Names.try_emplace(Site.Name, Index); !New)
    Reader.fail("site " + Twine(Old->second) + " has this name already");
  int64_t Positions = 1;
  for (const llvm::json::Value &Size : Reader.array("spatial")) {
    int64_t Number = Size.getAsInteger().value_or(0);
    if (Number < 1 || Number > MaxSize || llvm::MulOverflow(Positions, Number, Positions) || Positions > MaxPositions) {
      Reader.fail("'spatial': expected sizes of at least 1 and at most 2^40 positions in all");
      break;
    }
    Site.Spatial.push_back(Number);
  }
  const llvm::json::Array &Channels = Reader.array("channels");
  if (!Reader.failed() && Channels.empty())
    Reader.fail("'channels' is empty");
  if (Reader.failed())
    return Reader.takeError();

  // Sources may name channels of this site that come later, so its channels are there before they are read.
  Site.Channels.resize(Channels.size());
  Plan.Sites.push_back(std::move(Site));
  for (size_t C = 0; C < Channels.size(); ++C) {
    JsonReader Channel(Channels[C], Where + ": channel " + Twine(C));
    ChannelPlan &Result = Plan.Sites.back().Channels[C];
    constexpr double Largest = std::numeric_limits<float>::max();
    if (Channel.has("slope")) {
      Channel.expectOnly({"slope"});
      Result.On = Result.Off = Channel.number("slope", -Largest, Largest);
    } else {
      Channel.expectOnly({"site", "channel", "block", "on", "off"});
      Result.Source = parseSource(Channel, Plan.Sites.back());
      Result.On = Channel.number("on", -Largest, Largest);
      Result.Off = Channel.number("off", -Largest, Largest);
    }
    if (Channel.failed())
      return Channel.takeError();
  }
  return Error::success();
}

Error PlanParser::parsePool(const llvm::json::Value &V) {
  std::string Where = fmt::format("{}: average pool {}", Name.str(), Plan.AveragePools.size());
  JsonReader Named(V, Where);
  AveragePoolPlan Pool;
  Pool.Name = Named.string("name");
  if (Named.failed())
    return Named.takeError();
  JsonReader Reader(V, Where + " '" + Pool.Name + "'");
  Reader.expectOnly({"name", "scale"});
  if (!Names.try_emplace(Pool.Name, 0).second)
    Reader.fail("the plan has this name already");
  for (const llvm::json::Value &Scale : Reader.array("scale")) {
    std::optional<double> Number = Scale.getAsNumber();
    if (!Number || !(std::abs(*Number) <= std::numeric_limits<float>::max()) || float(*Number) == 0) {
      Reader.fail("'scale': expected finite numbers that are not 0");
      break;
    }
    Pool.Scale.push_back(*Number);
  }
  if (!Reader.failed() && Pool.Scale.empty())
    Reader.fail("'scale' is empty");
  if (Reader.failed())
    return Reader.takeError();
  Plan.AveragePools.push_back(std::move(Pool));
  return Error::success();
}

std::optional<GateSource> PlanParser::parseSource(JsonReader &Reader, const SitePlan &User) {
  int64_t Site = Reader.integer("site", 0, MaxSize);
  int64_t Channel = Reader.integer("channel", 0, MaxSize);
  int64_t Block = Reader.has("block") ? Reader.integer("block", 1, MaxSize) : 1;
  if (Reader.failed())
    return std::nullopt;
  int64_t Own = Plan.Sites.size() - 1;
  if (Site > Own) {
    Reader.fail(fmt::format("its gate is of site {}, which comes later than its own site {}", Site, Own));
    return std::nullopt;
  }
  const SitePlan &From = Plan.Sites[Site];
  if (size_t(Channel) >= From.Channels.size()) {
    Reader.fail(fmt::format("its gate is channel {} of site {} '{}', which has {} channels", Channel, Site, From.Name,
                            From.Channels.size()));
    return std::nullopt;
  }
  if (!llvm::isPowerOf2_64(Block)) {
    Reader.fail(fmt::format("'block': expected a power of 2, got {}", Block));
    return std::nullopt;
  }
  if (Block > 1 && From.Spatial.size() != 2) {
    Reader.fail(fmt::format("'block' is {}, but site {} '{}' has {} spatial axes, expected 2", Block, Site, From.Name,
                            From.Spatial.size()));
    return std::nullopt;
  }
  if (!positionsMap(From.Spatial, User.Spatial)) {
    Reader.fail(fmt::format("the positions {} of its gate's site {} '{}' do not map onto {}", shapeText(From.Spatial),
                            Site, From.Name, shapeText(User.Spatial)));
    return std::nullopt;
  }
  return GateSource{unsigned(Site), unsigned(Channel), unsigned(Block)};
}

Expected<SharePlan> deepshare::parseSharePlan(StringRef Json, StringRef Name) {
  Expected<llvm::json::Value> Document = parseJson(Json, Name);
  if (!Document)
    return Document.takeError();
  JsonReader Reader(*Document, Name);
  if (Reader.string("format") != FormatName)
    Reader.fail("not a share plan: 'format' is not '" + FormatName + "'");
  int64_t Version = Reader.integer("version", 1, MaxSize);
  if (!Reader.failed() && Version > LatestVersion)
    Reader.fail("plan version " + Twine(Version) + ", this program reads versions 1 to " + Twine(LatestVersion));
  if (Version < 2)
    Reader.expectOnly({"format", "version", "model", "note", "sites"});
  else
    Reader.expectOnly({"format", "version", "model", "note", "sites", "average_pools"});

  SharePlan Plan;
  Plan.Model = Reader.string("model");
  Plan.Note = Reader.string("note");
  const llvm::json::Array &Sites = Reader.array("sites");
  if (Reader.failed())
    return Reader.takeError();
  PlanParser Parser(Plan, Name);
  for (const llvm::json::Value &Site : Sites)
    if (Error Failed = Parser.parseSite(Site))
      return Failed;
  if (Reader.has("average_pools"))
    for (const llvm::json::Value &Pool : Reader.array("average_pools"))
      if (Error Failed = Parser.parsePool(Pool))
        return Failed;
  if (Reader.failed())
    return Reader.takeError();
  return Plan;
}

Expected<SharePlan> deepshare::readSharePlan(StringRef Path) {
  Expected<std::string> Text = readTextFile(Path);
  if (!Text)
    return Text.takeError();
  return parseSharePlan(*Text, Path);
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

/// The shortest text that reads back as \p Slope; equal slopes give equal text.
static std::string slopeText(float Slope) { return Slope == 0 ? "0" : fmt::format("{}", Slope); }

static std::string channelText(const ChannelPlan &Channel) {
  if (!Channel.Source) {
    assert(Channel.On == Channel.Off && "a channel without a gate has one slope");
    return fmt::format(R"({{"slope": {}}})", slopeText(Channel.On));
  }
  const GateSource &Gate = *Channel.Source;
  std::string Block = Gate.Block == 1 ? "" : fmt::format(R"("block": {}, )", Gate.Block);
  return fmt::format(R"({{"site": {}, "channel": {}, {}"on": {}, "off": {}}})", Gate.Site, Gate.Channel, Block,
                     slopeText(Channel.On), slopeText(Channel.Off));
}

std::string deepshare::printSharePlan(const SharePlan &Plan) {
  std::string Text;
  llvm::raw_string_ostream Stream(Text);
  llvm::json::OStream Writer(Stream, 1);
  Writer.object([&] {
    Writer.attribute("format", FormatName);
    Writer.attribute("version", formatVersion(Plan));
    Writer.attribute("model", llvm::json::fixUTF8(Plan.Model));
    Writer.attribute("note", llvm::json::fixUTF8(Plan.Note));
    Writer.attributeArray("sites", [&] {
      for (const SitePlan &Site : Plan.Sites)
        Writer.object([&] {
          Writer.attribute("name", llvm::json::fixUTF8(Site.Name));
          Writer.attributeBegin("spatial");
          Writer.rawValue(fmt::format("[{}]", fmt::join(Site.Spatial, ", ")));
          Writer.attributeEnd();
          Writer.attributeArray("channels", [&] {
            for (const ChannelPlan &Channel : Site.Channels)
              Writer.rawValue(channelText(Channel));
          });
        });
    });
    if (Plan.AveragePools.empty())
      return;
    Writer.attributeArray("average_pools", [&] {
      for (const AveragePoolPlan &Pool : Plan.AveragePools)
        Writer.object([&] {
          Writer.attribute("name", llvm::json::fixUTF8(Pool.Name));
          Writer.attributeBegin("scale");
          Writer.rawValue(fmt::format("[{}]", fmt::join(llvm::map_range(Pool.Scale, slopeText), ", ")));
          Writer.attributeEnd();
        });
    });
  });
  Stream << "\n";
  return Text;
}

Error deepshare::writeSharePlan(const SharePlan &Plan, StringRef Path) {
  return writeTextFile(Path, printSharePlan(Plan));
}
