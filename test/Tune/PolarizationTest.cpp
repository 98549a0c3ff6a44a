//===- PolarizationTest.cpp - gates that a training gives up --------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Data/Random.h"
#include "deepshare/IR/ShareOps.h"
#include "deepshare/ONNX/ONNX.h"
#include "deepshare/Tune/Training.h"

#include <fmt/format.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace deepshare;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

/// Points of the cube [-1,1]^4, without labels.
class Cube final : public ImageSet {
public:
  uint64_t size() const override { return 512; }
  llvm::ArrayRef<int64_t> shape() const override { return Shape; }
  bool hasLabels() const override { return false; }
  int64_t label(uint64_t) const override { return 0; }
  llvm::Error batch(llvm::ArrayRef<uint64_t> Indices, llvm::MutableArrayRef<float> Into) const override {
    for (size_t At = 0; At < Indices.size(); ++At) {
      Random Numbers({Indices[At]});
      for (size_t Axis = 0; Axis < 4; ++Axis)
        Into[4 * At + Axis] = static_cast<float>(2 * Numbers.uniform() - 1);
    }
    return llvm::Error::success();
  }

private:
  std::vector<int64_t> Shape = {4};
};

/// Four ReLUs as a DReLU "gates" and a DReLUShare, added up with \p Weights, a row of two numbers a ReLU.
std::unique_ptr<Model> fourGates(llvm::StringRef Weights) {
  std::string Text = fmt::format(R"(<ir_version: 10, opset_import: ["" : 17]>
g (float[N,4] x) => (float[N,2] logits) <float[4,2] v = {{{}}}> {{
  gated = Relu (x)
  logits = MatMul (gated, v)
}})",
                                 Weights.str());
  std::unique_ptr<Model> M = llvm::cantFail(parseModelText(Text, "test"));
  Node &Gate = *M->graph().begin();
  Graph::iterator Before = Graph::iteratorTo(&Gate);
  Value *Bits = insertDReLU(Before, Gate.input(0), 1, "gates");
  Value *Gated = insertDReLUShare(Before, Gate.input(0), {Bits}, {0, 1, 2, 3}, std::vector<float>(4, 1),
                                  std::vector<float>(4, 0), "shared");
  Gate.output()->replaceAllUsesWith(Gated);
  M->graph().erase(&Gate);
  return M;
}

/// Which gates a short training keeps, that follows the model as it is.
llvm::Expected<std::vector<bool>> keptGates(llvm::StringRef Weights, Polarization Gates, TrainingOptions Options = {}) {
  std::unique_ptr<Model> Teacher = fourGates(Weights), M = Teacher->clone();
  Options.Steps = 200;
  Options.BatchSize = 32;
  Options.SmoothPart = 0;
  Options.Polarize = std::move(Gates);
  llvm::Expected<TrainingResult> Result = trainModel(*M, Teacher.get(), Cube(), Options);
  if (!Result)
    return Result.takeError();
  EXPECT_EQ(Result->Gates.size(), Options.Polarize->Masks.size());
  std::vector<bool> Kept;
  for (const PolarizedGate &Gate : Result->Gates.front()) {
    Kept.push_back(Gate.Kept);
    // Half of the points open a gate.
    EXPECT_NEAR(Gate.Level, 0.5, 0.2);
  }
  return Kept;
}

std::string errorOf(Polarization Gates) {
  llvm::Expected<std::vector<bool>> Kept = keptGates("1, 0, 1, 0, 1, 0, 1, 0", std::move(Gates));
  return Kept ? "" : llvm::toString(Kept.takeError());
}

TEST(Polarization, GatesThatMatterStay) {
  llvm::Expected<std::vector<bool>> Kept =
      keptGates("2, -2, 0.01, -0.01, -2, 2, 0.01, 0.01", {{{"gates", {1, 1, 1, 1}}}, 2});
  ASSERT_TRUE(bool(Kept)) << llvm::toString(Kept.takeError());
  EXPECT_THAT(*Kept, ElementsAre(true, false, true, false));
}

TEST(Polarization, OfGatesOfOneWorthTheDearGoes) {
  llvm::Expected<std::vector<bool>> Kept = keptGates("2, -2, 2, -2, -2, 2, -2, 2", {{{"gates", {3, 1, 1, 1}}}, 3});
  ASSERT_TRUE(bool(Kept)) << llvm::toString(Kept.takeError());
  EXPECT_THAT(*Kept, ElementsAre(false, true, true, true));
}

TEST(Polarization, NeverSpendsMoreThanTheTarget) {
  for (double Target : {0.0, 2.5, 6.0}) {
    llvm::Expected<std::vector<bool>> Kept =
        keptGates("2, -2, 1, -2, -1, 2, -2, 1", {{{"gates", {1, 3, 1, 1}}}, Target});
    ASSERT_TRUE(bool(Kept)) << llvm::toString(Kept.takeError());
    double Spent = (*Kept)[0] + 3 * (*Kept)[1] + (*Kept)[2] + (*Kept)[3];
    EXPECT_LE(Spent, Target);
    EXPECT_TRUE(Target < 6 || Spent == 6) << "all fit";
  }
}

TEST(Polarization, WhateverMovesTheWeights) {
  TrainingOptions Sgd, Averaged, Clipped;
  Sgd.Optimizer = OptimizerKind::Sgd;
  Sgd.LearningRate = 0.01;
  Averaged.EmaDecay = 0.9;
  Clipped.ClipNorm = 0.1;
  for (const TrainingOptions &Options : {Sgd, Averaged, Clipped}) {
    llvm::Expected<std::vector<bool>> Kept =
        keptGates("2, -2, 0.01, -0.01, -2, 2, 0.01, 0.01", {{{"gates", {1, 1, 1, 1}}}, 2}, Options);
    ASSERT_TRUE(bool(Kept)) << llvm::toString(Kept.takeError());
    EXPECT_THAT(*Kept, ElementsAre(true, false, true, false));
  }
}

/// A learning rate of 0 moves nothing; gates are then given up by their places.
TEST(Polarization, NothingMovesWithoutALearningRate) {
  TrainingOptions Still;
  Still.LearningRate = 0;
  llvm::Expected<std::vector<bool>> Kept =
      keptGates("0.01, 0.01, 2, -2, 1, 1, 1, -1", {{{"gates", {1, 1, 1, 1}}}, 2}, Still);
  ASSERT_TRUE(bool(Kept)) << llvm::toString(Kept.takeError());
  EXPECT_THAT(*Kept, ElementsAre(true, true, false, false));
}

TEST(Polarization, BadGates) {
  EXPECT_THAT(errorOf({{{"absent", {1}}}, 1}), HasSubstr("the model has no DReLU 'absent'"));
  EXPECT_THAT(errorOf({{}, 1}), HasSubstr("there is no gate to give up"));
  EXPECT_THAT(errorOf({{{"gates", {}}}, 1}), HasSubstr("mask 'gates' has no gates"));
  EXPECT_THAT(errorOf({{{"gates", {1}}, {"gates", {1}}}, 1}), HasSubstr("mask 'gates' is there twice"));
  EXPECT_THAT(errorOf({{{"gates", {1, 1, 1, 1}}}, -1}),
              HasSubstr("expected a price of the gates that stay of 0 or more"));
  EXPECT_THAT(errorOf({{{"gates", {1, 0, 1, 1}}}, 1}),
              HasSubstr("mask 'gates': expected prices of gates above 0, got 0"));
  EXPECT_THAT(errorOf({{{"gates", {1, 1}}}, 1}), HasSubstr("mask 'gates' has 4 gates, but there are 2 prices"));
}

} // namespace
