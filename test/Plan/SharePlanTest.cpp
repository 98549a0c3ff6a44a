//===- SharePlanTest.cpp - the share plan's JSON --------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Plan/SharePlan.h"

#include "llvm/Support/FileSystem.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <random>

using namespace deepshare;
using llvm::Expected;
using testing::HasSubstr;

namespace {

bool equal(const SharePlan &A, const SharePlan &B) {
  return A.Model == B.Model && A.Note == B.Note && A.AveragePools == B.AveragePools &&
         std::equal(A.Sites.begin(), A.Sites.end(), B.Sites.begin(), B.Sites.end(),
                    [](const SitePlan &X, const SitePlan &Y) {
                      return X.Name == Y.Name && X.Spatial == Y.Spatial && X.Channels == Y.Channels;
                    });
}

/// A plan of random sites, sources and slopes.
SharePlan randomPlan(unsigned Seed) {
  std::mt19937 Random(Seed);
  auto Below = [&](unsigned N) { return unsigned(Random() % N); };
  SharePlan Plan;
  Plan.Model = std::to_string(Random());
  Plan.Note = "note \"quoted\" \\ \n\t \xc3\xa9";
  for (unsigned S = 0, Sites = 1 + Below(6); S < Sites; ++S) {
    SitePlan Site;
    Site.Name = "site/" + std::to_string(S);
    int64_t Size = 8 >> Below(3);
    Site.Spatial = {Size, Size};
    Site.Channels.resize(1 + Below(9));
    Plan.Sites.push_back(Site);
    for (ChannelPlan &Channel : Plan.Sites.back().Channels) {
      auto Slope = [&] { return std::bit_cast<float>(uint32_t(Random()) & 0xbfffffffu); };
      Channel.On = Channel.Off = Below(4) ? Slope() : float(int(Below(3)) - 1);
      if (Below(3) == 0)
        continue;
      unsigned From = Below(S + 1);
      Channel.Source = GateSource{From, Below(Plan.Sites[From].Channels.size()), 1u << Below(3)};
      Channel.Off = Below(2) ? Slope() : 0;
    }
  }
  for (unsigned P = 0, Pools = Below(3); P < Pools; ++P)
    Plan.AveragePools.push_back({"pool/" + std::to_string(P), {0.1f, 1, float(1 + Below(5)) / 7}});
  return Plan;
}

constexpr const char *Valid = R"({"format": "deepshare-plan", "version": 1, "model": "", "note": "",
  "sites": [{"name": "a", "spatial": [4, 4], "channels": [{"slope": 1}, {"site": 0, "channel": 1, "on": 1, "off": 0}]},
            {"name": "b", "spatial": [2, 2], "channels": [{"site": 0, "channel": 0, "block": 2, "on": 1, "off": 0}]},
            {"name": "c", "spatial": [3, 3], "channels": [{"slope": 0.5}]}]})";

/// Valid with its first \p Old replaced.
std::string changed(llvm::StringRef Old, llvm::StringRef New) {
  auto [Before, After] = llvm::StringRef(Valid).split(Old);
  EXPECT_FALSE(After.empty()) << Old.str();
  return (Before + New + After).str();
}

std::string messageFor(const std::string &Json) {
  Expected<SharePlan> Plan = parseSharePlan(Json, "plan.json");
  return Plan ? "accepted" : llvm::toString(Plan.takeError());
}

TEST(SharePlan, RandomPlansRoundTrip) {
  for (unsigned Seed = 0; Seed < 300; ++Seed) {
    SharePlan Plan = randomPlan(Seed);
    std::string Text = printSharePlan(Plan);
    Expected<SharePlan> Parsed = parseSharePlan(Text, "plan.json");
    ASSERT_TRUE(bool(Parsed)) << llvm::toString(Parsed.takeError());
    EXPECT_TRUE(equal(Plan, *Parsed)) << Text;
    EXPECT_EQ(Text, printSharePlan(*Parsed));
  }
}

TEST(SharePlan, PrintsReadably) {
  SharePlan Plan;
  Plan.Model = "ab";
  Plan.Note = "n";
  Plan.Sites = {{"r", {{GateSource{0, 0}, 1, 0}, {GateSource{0, 0, 2}, 0.1f, -0.0f}, {std::nullopt, 1, 1}}, {4, 4}}};
  EXPECT_EQ(printSharePlan(Plan), R"({
 "format": "deepshare-plan",
 "version": 1,
 "model": "ab",
 "note": "n",
 "sites": [
  {
   "name": "r",
   "spatial": [4, 4],
   "channels": [
    {"site": 0, "channel": 0, "on": 1, "off": 0},
    {"site": 0, "channel": 0, "block": 2, "on": 0.1, "off": 0},
    {"slope": 1}
   ]
  }
 ]
}
)");
}

TEST(SharePlan, CountsEachGateOnce) {
  Expected<SharePlan> Plan = parseSharePlan(Valid, "plan.json");
  ASSERT_TRUE(bool(Plan)) << llvm::toString(Plan.takeError());
  EXPECT_EQ(countDReLUs(*Plan), 16u + 4u); // channel 1 of a, and channel 0 of a in 2 x 2 tiles
  Plan->Sites[0].Channels[0].Source = GateSource{0, 1};
  EXPECT_EQ(countDReLUs(*Plan), 16u + 4u);
  Plan->Sites[0].Spatial = {5, 3}; // tiles at the border are cut
  EXPECT_EQ(countDReLUs(*Plan), 15u + 3u * 2u);
}

TEST(SharePlan, SaysWhatIsWrong) {
  EXPECT_EQ(messageFor(Valid), "accepted");
  EXPECT_THAT(messageFor(std::string(Valid).substr(0, 90)), HasSubstr("plan.json: not JSON: "));
  EXPECT_THAT(messageFor(std::string(100000, '[')), HasSubstr("plan.json: JSON nested 100000 levels deep"));
  EXPECT_EQ(messageFor("[]"), "plan.json: expected an object");
  EXPECT_EQ(messageFor(changed("deepshare-plan", "x")),
            "plan.json: not a share plan: 'format' is not 'deepshare-plan'");
  EXPECT_EQ(messageFor(changed("\"version\": 1", "\"version\": 2")), "accepted");
  EXPECT_EQ(messageFor(changed("\"version\": 1", "\"version\": 3")),
            "plan.json: plan version 3, this program reads versions 1 to 2");
  EXPECT_EQ(messageFor(changed("\"note\"", "\"nota\"")),
            "plan.json: unknown field 'nota', expected one of format, version, model, note, sites");
  EXPECT_EQ(messageFor(changed("\"a\"", "3")), "plan.json: site 0: 'name': expected a string");
  EXPECT_EQ(messageFor(changed("\"b\"", "\"a\"")), "plan.json: site 1 'a': site 0 has this name already");
  EXPECT_EQ(messageFor(changed("\"b\"", "\"\"")), "plan.json: site 1 '': the name is empty");
  EXPECT_EQ(messageFor(changed("[4, 4]", "[4, 0]")),
            "plan.json: site 0 'a': 'spatial': expected sizes of at least 1 and at most 2^40 positions in all");
  EXPECT_EQ(messageFor(changed("[4, 4]", "[4000000, 4000000]")),
            "plan.json: site 0 'a': 'spatial': expected sizes of at least 1 and at most 2^40 positions in all");
  EXPECT_EQ(messageFor(changed("[{\"slope\": 0.5}]", "[]")), "plan.json: site 2 'c': 'channels' is empty");
  EXPECT_EQ(messageFor(changed("0.5", "1e39")),
            "plan.json: site 2 'c': channel 0: 'slope': expected a number from -3.4028234663852886e+38 to "
            "3.4028234663852886e+38, got 1e+39");
  EXPECT_EQ(messageFor(changed("0.5", "true")),
            "plan.json: site 2 'c': channel 0: 'slope': expected a number from -3.4028234663852886e+38 to "
            "3.4028234663852886e+38");
  EXPECT_EQ(messageFor(changed("{\"slope\": 0.5}", "{\"slope\": 0.5, \"on\": 1}")),
            "plan.json: site 2 'c': channel 0: unknown field 'on', expected one of slope");
  EXPECT_EQ(messageFor(changed("{\"slope\": 0.5}", "{\"site\": 3, \"channel\": 0, \"on\": 1, \"off\": 0}")),
            "plan.json: site 2 'c': channel 0: its gate is of site 3, which comes later than its own site 2");
  EXPECT_EQ(messageFor(changed("{\"slope\": 0.5}", "{\"site\": 0, \"channel\": 2, \"on\": 1, \"off\": 0}")),
            "plan.json: site 2 'c': channel 0: its gate is channel 2 of site 0 'a', which has 2 channels");
  EXPECT_EQ(messageFor(changed("{\"slope\": 0.5}", "{\"site\": 0, \"channel\": 1, \"on\": 1, \"off\": 0}")),
            "plan.json: site 2 'c': channel 0: the positions 4x4 of its gate's site 0 'a' do not map onto 3x3");
  EXPECT_EQ(messageFor(changed("{\"slope\": 0.5}", "{\"site\": 2, \"channel\": 0, \"on\": 1}")),
            "plan.json: site 2 'c': channel 0: 'off' is missing");
  EXPECT_EQ(messageFor(changed("\"block\": 2", "\"block\": 3")),
            "plan.json: site 1 'b': channel 0: 'block': expected a power of 2, got 3");
  EXPECT_EQ(messageFor(changed("\"block\": 2", "\"block\": -1")),
            "plan.json: site 1 'b': channel 0: 'block': expected an integer from 1 to 2147483648, got -1");
  EXPECT_EQ(messageFor(changed("\"spatial\": [4, 4]", "\"spatial\": [4]")),
            "plan.json: site 1 'b': channel 0: 'block' is 2, but site 0 'a' has 1 spatial axes, expected 2");
}

TEST(SharePlan, AveragePoolsAreOfVersionTwo) {
  auto With = [](int Version, const std::string &Pools) {
    return R"({"format": "deepshare-plan", "version": )" + std::to_string(Version) +
           R"(, "model": "", "note": "", "sites": [{"name": "a", "spatial": [], "channels": [{"slope": 1}]}],)"
           R"( "average_pools": )" +
           Pools + "}";
  };
  std::string Good = R"([{"name": "p", "scale": [1.5, 1]}])";
  Expected<SharePlan> Plan = parseSharePlan(With(2, Good), "plan.json");
  ASSERT_TRUE(bool(Plan)) << llvm::toString(Plan.takeError());
  ASSERT_EQ(Plan->AveragePools.size(), 1u);
  EXPECT_EQ(Plan->AveragePools[0].Name, "p");
  EXPECT_EQ(Plan->AveragePools[0].Scale, (std::vector<float>{1.5, 1}));
  EXPECT_TRUE(isScaled(Plan->AveragePools[0]));
  EXPECT_THAT(printSharePlan(*Plan), HasSubstr("\"version\": 2,"));
  // Without such pools a plan is one that every reader knows.
  Plan->AveragePools.clear();
  EXPECT_THAT(printSharePlan(*Plan), HasSubstr("\"version\": 1,"));

  EXPECT_EQ(messageFor(With(1, Good)),
            "plan.json: unknown field 'average_pools', expected one of format, version, model, note, sites");
  EXPECT_EQ(messageFor(With(2, R"([{"name": "a", "scale": [1]}])")),
            "plan.json: average pool 0 'a': the plan has this name already");
  EXPECT_EQ(messageFor(With(2, R"([{"name": "p", "scale": []}])")), "plan.json: average pool 0 'p': 'scale' is empty");
  for (const char *Scale : {"[0]", "[1e39]", "[true]"})
    EXPECT_EQ(messageFor(With(2, std::string(R"([{"name": "p", "scale": )") + Scale + "}]")),
              "plan.json: average pool 0 'p': 'scale': expected finite numbers that are not 0");
}

TEST(SharePlan, NoTruncatedOrMutatedTextCrashes) {
  std::string Text = printSharePlan(randomPlan(7));
  for (size_t Length = 0; Length < Text.size(); Length += 3)
    (void)messageFor(Text.substr(0, Length));
  std::mt19937 Random(1);
  for (int Round = 0; Round < 3000; ++Round) {
    std::string Mutated = Text;
    for (int Change = 0; Change < 3; ++Change)
      Mutated[Random() % Mutated.size()] = "0123456789-[]{},:\"e.\x80 "[Random() % 23];
    (void)messageFor(Mutated);
  }
}

TEST(SharePlan, PositionsDoNotOverflow) {
  std::string Text = R"({"format": "deepshare-plan", "version": 1, "model": "", "note": "", "sites": [
    {"name": "a", "spatial": [2147483648, 512, 2147483648], "channels": [{"slope": 1}]}]})";
  EXPECT_EQ(llvm::toString(parseSharePlan(Text, "plan.json").takeError()),
            "plan.json: site 0 'a': 'spatial': expected sizes of at least 1 and at most 2^40 positions in all");
}

TEST(SharePlan, PositionsMap) {
  EXPECT_TRUE(positionsMap({}, {}));
  EXPECT_TRUE(positionsMap({8, 8}, {8, 8}));
  EXPECT_TRUE(positionsMap({8, 8}, {4, 2}));
  EXPECT_TRUE(positionsMap({4, 7}, {8, 14}));
  EXPECT_TRUE(positionsMap({7, 7}, {4, 4}));
  EXPECT_FALSE(positionsMap({8, 8}, {8}));
  EXPECT_FALSE(positionsMap({8, 8}, {7, 8}));
}

TEST(SharePlan, NeedsTruncation) {
  EXPECT_FALSE(needsTruncation({GateSource{0, 0}, 1, -1}));
  EXPECT_FALSE(needsTruncation({std::nullopt, 0, 0}));
  EXPECT_TRUE(needsTruncation({GateSource{0, 0}, 1, 0.25}));
  EXPECT_TRUE(needsTruncation({std::nullopt, 2, 2}));
  // With a scale that weights take.
  EXPECT_FALSE(needsTruncation({std::nullopt, 2, 2}, true));
  EXPECT_FALSE(needsTruncation({GateSource{0, 0}, 0.5, -0.5}, true));
  EXPECT_FALSE(needsTruncation({GateSource{0, 0}, 0, 0.5}, true));
  EXPECT_TRUE(needsTruncation({GateSource{0, 0}, 1, 0.25}, true));
}

TEST(SharePlan, FilesAreReplacedWhole) {
  llvm::SmallString<64> Folder;
  ASSERT_FALSE(llvm::sys::fs::createUniqueDirectory("plan", Folder));
  std::string Path = (Folder + "/plan.json").str();
  SharePlan Plan = randomPlan(3);
  EXPECT_EQ(llvm::toString(writeSharePlan(Plan, Path)), "");
  Expected<SharePlan> Read = readSharePlan(Path);
  ASSERT_TRUE(bool(Read)) << llvm::toString(Read.takeError());
  EXPECT_TRUE(equal(Plan, *Read));
  EXPECT_THAT(llvm::toString(writeSharePlan(Plan, (Folder + "/none/plan.json").str())), HasSubstr("cannot write"));
  EXPECT_THAT(llvm::toString(readSharePlan((Folder + "/other.json").str()).takeError()), HasSubstr("cannot read"));
  // Nothing but the plan is left behind.
  std::error_code Code;
  unsigned Files = 0;
  for (llvm::sys::fs::directory_iterator It(Folder, Code), End; It != End && !Code; It.increment(Code))
    ++Files;
  EXPECT_EQ(Files, 1u);
  llvm::sys::fs::remove_directories(Folder);
}

} // namespace
