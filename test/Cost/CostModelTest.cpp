//===- CostModelTest.cpp - cost models from data files --------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Cost/CostModel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace deepshare;
using llvm::Expected;
using testing::AllOf;
using testing::Ge;
using testing::HasSubstr;

namespace {

TEST(CostModel, BuiltInModelsLoad) {
  std::vector<std::string> Names = builtinCostModels();
  EXPECT_THAT(Names,
              testing::IsSupersetOf({"semi2k-64", "semi2k-32", "cheetah-64", "cheetah-32", "aby3-64", "aby3-32",
                                     "crypten-64", "cryptflow2-32", "cryptflow2-64", "securenn", "falcon", "delphi"}));
  for (const std::string &Name : Names) {
    Expected<CostModel> Model = loadCostModel(Name);
    ASSERT_TRUE(bool(Model)) << llvm::toString(Model.takeError());
    EXPECT_EQ(Model->Name, Name);
    EXPECT_FALSE(Model->Source.empty());
    EXPECT_GT(Model->DReLU.Bytes, 0);
  }
  EXPECT_EQ(loadCostModel("crypten-64")->DReLU.Bytes, 432);
  EXPECT_EQ(loadCostModel("semi2k-64")->Mux.Bytes, 32);
}

TEST(CostModel, BadInput) {
  EXPECT_THAT(llvm::toString(loadCostModel("nosuch").takeError()),
              AllOf(HasSubstr("cost model 'nosuch' is neither a file nor built in"), HasSubstr("crypten-64")));
  auto Message = [](const char *Json) { return llvm::toString(parseCostModel(Json, "m.json").takeError()); };
  EXPECT_THAT(Message("{"), HasSubstr("m.json: not JSON"));
  EXPECT_EQ(Message("{}"), "m.json: 'format' is missing");
  EXPECT_EQ(Message(R"({"format": "deepshare-cost-model", "version": 2})"),
            "m.json: cost model version 2, this program reads version 1");
  EXPECT_EQ(Message(R"({"format": "deepshare-cost-model", "version": 1, "name": "m", "source": "s", "ring_bits": 64,
                        "drelu": {"bytes": -1, "rounds": 1}})"),
            "m.json: 'drelu': 'bytes': expected a number from 0 to 1000000000000000, got -1");
  EXPECT_EQ(Message(R"({"format": "deepshare-cost-model", "version": 1, "name": "m", "source": []})"),
            "m.json: 'source': expected a string or an array of strings, which say where the numbers come from");
}

TEST(Network, NamesAndNumbers) {
  EXPECT_DOUBLE_EQ(parseNetwork("lan")->RoundTrip, 0.3e-3);
  EXPECT_DOUBLE_EQ(parseNetwork("wan")->BytesPerSecond, 44e6);
  EXPECT_DOUBLE_EQ(parseNetwork("20ms,100Mbit")->RoundTrip, 0.02);
  EXPECT_DOUBLE_EQ(parseNetwork("20ms, 100 Mbit")->BytesPerSecond, 12.5e6);
  EXPECT_DOUBLE_EQ(parseNetwork("1.5s,3GB")->BytesPerSecond, 3e9);
  EXPECT_DOUBLE_EQ(parseNetwork("20ms,100Mbps")->BytesPerSecond, 12.5e6);
  EXPECT_EQ(networkText({0.3e-3, 384e6}), "0.3 ms, 384 MB/s");
  for (const char *Bad : {"", "fast", "20ms", "20,100Mbit", "20ms,100", "-1ms,1GB", "0ms,1GB", "1..2ms,1GB"})
    EXPECT_THAT(llvm::toString(parseNetwork(Bad).takeError()), HasSubstr("expected lan, wan, or round trip")) << Bad;
}

} // namespace
