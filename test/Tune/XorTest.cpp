//===- XorTest.cpp - XOR with one gate ------------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// What a shared gate can do that a ReLU cannot: the extended XOR (do two numbers have the same sign?) with two neurons
// and one DReLU, and XOR of two bits with a single layer of PReLUs.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Data/Random.h"
#include "deepshare/IR/ShareOps.h"
#include "deepshare/ONNX/ONNX.h"
#include "deepshare/Tune/Training.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace deepshare;

namespace {

/// Labelled points of the plane.
class Points final : public ImageSet {
public:
  Points(std::vector<float> Coordinates, std::vector<int64_t> Labels)
      : Coordinates(std::move(Coordinates)), Labels(std::move(Labels)) {}
  uint64_t size() const override { return Labels.size(); }
  llvm::ArrayRef<int64_t> shape() const override { return Shape; }
  bool hasLabels() const override { return true; }
  int64_t label(uint64_t Index) const override { return Labels[Index]; }
  llvm::Error batch(llvm::ArrayRef<uint64_t> Indices, llvm::MutableArrayRef<float> Into) const override {
    for (size_t At = 0; At < Indices.size(); ++At)
      for (size_t Axis = 0; Axis < 2; ++Axis)
        Into[2 * At + Axis] = Coordinates[2 * Indices[At] + Axis];
    return llvm::Error::success();
  }

private:
  std::vector<float> Coordinates;
  std::vector<int64_t> Labels;
  std::vector<int64_t> Shape = {2};
};

std::unique_ptr<Model> randomModel(llvm::StringRef Text, uint64_t Seed) {
  llvm::Expected<std::unique_ptr<Model>> M = parseModelText(Text, "xor");
  EXPECT_TRUE(bool(M)) << llvm::toString(M.takeError());
  llvm::Error E = initializeRandomly(**M, Seed);
  EXPECT_FALSE(bool(E)) << llvm::toString(std::move(E));
  return std::move(*M);
}

Value *valueNamed(Graph &G, llvm::StringRef Name) {
  for (Node &N : G)
    if (N.output()->name() == Name)
      return N.output();
  return nullptr;
}

/// Share of the training points that a model gets right after training from \p Seed.
double trainedAccuracy(Model &M, const ImageSet &Set, TrainingOptions Options, uint64_t Seed) {
  Options.Seed = Seed;
  Options.LabelWeight = 1;
  Options.WeightDecay = 0;
  Options.Optimizer = OptimizerKind::AdamW;
  Options.HeldOut = &Set;
  llvm::Expected<TrainingResult> Result = trainModel(M, nullptr, Set, Options);
  EXPECT_TRUE(bool(Result)) << llvm::toString(Result.takeError());
  return *Result->Accuracy;
}

TEST(Xor, ExtendedXorNeedsOneGateAndTwoNeurons) {
  std::vector<float> Coordinates;
  std::vector<int64_t> Labels;
  Random Numbers({7});
  for (unsigned Point = 0; Point < 512; ++Point) {
    double X = 2 * Numbers.uniform() - 1, Y = 2 * Numbers.uniform() - 1;
    Coordinates.push_back(static_cast<float>(X));
    Coordinates.push_back(static_cast<float>(Y));
    Labels.push_back((X > 0) == (Y > 0));
  }
  Points Set(Coordinates, Labels);
  TrainingOptions Options;
  Options.Steps = 600;
  Options.BatchSize = 64;
  Options.LearningRate = 0.1;
  // Nearly linear at first: the gated value is then a product of two neurons, whose loss has no bad minimum.
  Options.FirstSharpness = 0.2;
  // The gate's own neuron learns only while the gate is smooth.
  Options.LastSharpness = 40;
  Options.SmoothPart = 0.95;
  unsigned Solved = 0;
  double Worst = 1;
  for (uint64_t Seed = 0; Seed < 100; ++Seed) {
    std::unique_ptr<Model> M = randomModel(R"(<ir_version: 10, opset_import: ["" : 17]>
g (float[N,2] x, float[2,2] w, float[2] b, float[2,1] v, float[2] c) => (float[N,2] logits)
<int64[1] first = {0}, int64[1] second = {1}> {
  neurons = Gemm <transB = 1> (x, w, b)
  decides = Gather <axis = 1> (neurons, first)
  value = Gather <axis = 1> (neurons, second)
  gated = Relu (value)
  logits = Gemm <transB = 1> (gated, v, c)
})",
                                           Seed);
    for (Node &N : M->graph()) {
      if (!N.is("Relu"))
        continue;
      auto Before = Graph::iteratorTo(&N);
      Value *Bit = insertDReLU(Before, valueNamed(M->graph(), "decides"), 1, "bit");
      // XOR's sign flip: y = x where the bit is set, else -x.
      N.output()->replaceAllUsesWith(insertDReLUShare(Before, N.input(0), {Bit}, {0}, {1.0f}, {-1.0f}, "flipped"));
      M->graph().erase(&N);
      break;
    }
    double Accuracy = trainedAccuracy(*M, Set, Options, Seed);
    Solved += Accuracy >= 0.98;
    Worst = std::min(Worst, Accuracy);
  }
  RecordProperty("solved", static_cast<int>(Solved));
  EXPECT_GE(Solved, 99u) << "the worst start reaches " << Worst;
}

TEST(Xor, PReluSolvesXorInOneLayer) {
  std::vector<float> Coordinates;
  std::vector<int64_t> Labels;
  for (unsigned Copy = 0; Copy < 8; ++Copy)
    for (int X : {0, 1})
      for (int Y : {0, 1}) {
        Coordinates.push_back(static_cast<float>(X));
        Coordinates.push_back(static_cast<float>(Y));
        Labels.push_back(X != Y);
      }
  Points Set(Coordinates, Labels);
  TrainingOptions Options;
  Options.Steps = 800;
  Options.BatchSize = 32;
  Options.LearningRate = 0.1;
  unsigned Solved = 0;
  for (uint64_t Seed = 0; Seed < 20; ++Seed) {
    std::unique_ptr<Model> M = randomModel(R"(<ir_version: 10, opset_import: ["" : 17]>
g (float[N,2] x, float[2,2] w, float[2] b, float[2] slope) => (float[N,2] logits) {
  neurons = Gemm <transB = 1> (x, w, b)
  logits = PRelu (neurons, slope)
})",
                                           Seed);
    Solved += trainedAccuracy(*M, Set, Options, Seed) == 1;
  }
  RecordProperty("solved", static_cast<int>(Solved));
  EXPECT_GE(Solved, 15u);
}

} // namespace
