//===- ObservationTest.cpp - moments and Fisher weights -------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Analysis/Observation.h"
#include "deepshare/ONNX/ONNX.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

using namespace deepshare;
using llvm::Expected;
using testing::ElementsAre;
using testing::FloatNear;
using testing::HasSubstr;
using testing::Pair;
using testing::Pointwise;

namespace {

/// Normal noise of a shape.
class Noise : public ImageSet {
public:
  Noise(uint64_t Size, std::vector<int64_t> Shape) : Shape(Shape) {
    std::mt19937 Random(1);
    Each = 1;
    for (int64_t Axis : Shape)
      Each *= Axis;
    for (uint64_t I = 0; I < Size * Each; ++I)
      Values.push_back(std::normal_distribution<float>(0.2f, 1)(Random));
  }
  uint64_t size() const override { return Values.size() / Each; }
  llvm::ArrayRef<int64_t> shape() const override { return Shape; }
  bool hasLabels() const override { return false; }
  int64_t label(uint64_t) const override { return 0; }
  llvm::Error batch(llvm::ArrayRef<uint64_t> Indices, llvm::MutableArrayRef<float> Into) const override {
    for (size_t I = 0; I < Indices.size(); ++I)
      std::copy_n(image(Indices[I]), Each, Into.data() + I * Each);
    return llvm::Error::success();
  }
  const float *image(uint64_t Index) const { return Values.data() + Index * Each; }

  std::vector<int64_t> Shape;
  uint64_t Each;
  std::vector<float> Values;
};

struct Observed {
  std::unique_ptr<Model> M;
  std::vector<GateSite> Sites;
};

Observed setUp(const std::string &Signature, const std::string &Body) {
  std::string Text = "<ir_version: 10, opset_import: [\"\" : 17]>\nmain " + Signature + " {\n" + Body + "\n}\n";
  Observed Result;
  Expected<std::unique_ptr<Model>> M = parseModelText(Text, "test.onnxtxt");
  if (!M) {
    ADD_FAILURE() << llvm::toString(M.takeError());
    return Result;
  }
  Result.M = std::move(*M);
  EXPECT_EQ(llvm::toString(inferShapes(*Result.M)), "");
  Result.Sites = llvm::cantFail(findGateSites(*Result.M));
  return Result;
}

GateStatistics collect(const Observed &S, const ImageSet &Images, const ObservationOptions &Options) {
  Expected<GateStatistics> Statistics = collectStatistics(*S.M, S.Sites, Images, Options);
  if (!Statistics) {
    ADD_FAILURE() << llvm::toString(Statistics.takeError());
    return {};
  }
  return std::move(*Statistics);
}

std::string failure(const Observed &S, const ImageSet &Images, const ObservationOptions &Options) {
  return llvm::toString(collectStatistics(*S.M, S.Sites, Images, Options).takeError());
}

/// Two sites: x of 2 channels on 4 x 4, then its mean over 2 x 2 tiles and the negative of it.
const char *Signature = "(float[N,2,4,4] x) => (float[N,2,4,4] y)";
const char *Body = "a = Relu(x) n = Neg(x) y = Relu(n)";

TEST(Observation, MomentsAreThoseOfTheDefinition) {
  Observed S = setUp(Signature, Body);
  Noise Images(10, {2, 4, 4});
  ObservationOptions Options;
  Options.Weight = Weighting::None;
  Options.Batch = 4; // 4, 4 and 2 images
  Options.Blocks = {2};
  GateStatistics Statistics = collect(S, Images, Options);
  EXPECT_EQ(Statistics.Images, 10u);
  ASSERT_EQ(Statistics.Sites.size(), 2u);
  ASSERT_EQ(Statistics.Pairs.size(), 6u); // a-a, y-a, y-y, each for elements and for tiles

  auto X = [&](unsigned Site, uint64_t Image, unsigned C, unsigned P) {
    float Value = Images.image(Image)[C * 16 + P];
    return Site == 0 ? Value : -Value;
  };
  auto Gate = [&](unsigned Site, unsigned Block, uint64_t Image, unsigned C, unsigned P) {
    float Sum = 0;
    for (unsigned I = 0; I < Block; ++I)
      for (unsigned J = 0; J < Block; ++J)
        Sum += X(Site, Image, C, (P / 4 / Block * Block + I) * 4 + P % 4 / Block * Block + J);
    return Sum > 0;
  };
  for (const PairMoments &Pair : Statistics.Pairs)
    for (unsigned R = 0; R < 2; ++R)
      for (unsigned C = 0; C < 2; ++C) {
        double Own = 0, Open = 0, M = 0, A = 0, Both = 0, All = 0;
        for (uint64_t Image = 0; Image < 10; ++Image)
          for (unsigned P = 0; P < 16; ++P) {
            double W = std::pow(X(Pair.Replicate, Image, R, P), 2);
            bool D = X(Pair.Replicate, Image, R, P) > 0;
            bool G = Gate(Pair.Candidate, Pair.Block, Image, C, P);
            All += W;
            Own += D ? W : 0;
            Open += D;
            M += G ? W : 0;
            A += G && D ? W : 0;
            Both += G && D;
          }
        EXPECT_NEAR(Statistics.Sites[Pair.Replicate].S[R], All / 10, 1e-4);
        EXPECT_NEAR(Statistics.Sites[Pair.Replicate].R[R], Own / 10, 1e-4);
        EXPECT_NEAR(Statistics.Sites[Pair.Replicate].Open[R], Open / 160, 1e-9);
        EXPECT_NEAR(Pair.M(R, C), M / 10, 1e-4);
        EXPECT_NEAR(Pair.A(R, C), A / 10, 1e-4);
        if (Pair.Candidate == Pair.Replicate && Pair.Block == 1) {
          EXPECT_NEAR(Pair.Both(R, C), Both / 160, 1e-6);
        }
      }
}

TEST(Observation, SampledPositionsKeepTheSums) {
  // Wide enough that only some positions can be paid; the sums of the few stand for those of all.
  Observed S = setUp("(float[N,96,24,24] x) => (float[N,96,24,24] y)", "a = Relu(x) n = Neg(x) y = Relu(n)");
  Noise Images(6, {96, 24, 24});
  ObservationOptions Options;
  Options.Weight = Weighting::None;
  GateStatistics Statistics = collect(S, Images, Options);
  for (unsigned C = 0; C < 96; ++C) {
    double All = 0, Open = 0;
    for (uint64_t Image = 0; Image < 6; ++Image)
      for (unsigned P = 0; P < 576; ++P) {
        float X = Images.image(Image)[C * 576 + P];
        All += X * X;
        Open += X > 0 ? X * X : 0;
      }
    EXPECT_NEAR(Statistics.Sites[0].S[C] / (All / 6), 1, 0.2);
    EXPECT_NEAR(Statistics.Sites[0].R[C] / Statistics.Sites[0].S[C], Open / All, 0.1);
    EXPECT_NEAR(Statistics.Pairs[0].M(C, C), Statistics.Sites[0].R[C], 1e-3 * Statistics.Sites[0].R[C]);
    EXPECT_NEAR(Statistics.Pairs[0].M(C, (C + 1) % 96) / Statistics.Sites[0].S[C], 0.58, 0.15);
  }
}

TEST(Observation, NoiseFlipsBitsNearZero) {
  // x is normal around 0.2: its density at zero is 0.391, and normal noise moves bits across it as far as its mean size
  // goes.
  Observed S = setUp("(float[N,1,64] x) => (float[N,1,64] y)", "y = Relu(x)");
  ObservationOptions Options;
  Options.Weight = Weighting::None;
  Options.Noise = 0.005;
  GateStatistics Statistics = collect(S, Noise(2000, {1, 64}), Options);
  ASSERT_EQ(Statistics.Pairs.front().Flips.size(), 1u);
  EXPECT_NEAR(Statistics.Pairs.front().Flips[0], 0.8 * 0.005 * 0.391, 1e-4);
}

TEST(Observation, StridedAndCoarserGates) {
  // x on 4 x 4, every second of it, and back to 4 x 4.
  Observed S = setUp("(float[N,1,4,4] x) => (float[N,1,4,4] y)",
                     "a = Relu(x) h = AveragePool<kernel_shape = [1, 1], strides = [2, 2]>(x) b = Relu(h) n = Neg(x) "
                     "c = Relu(n) m = ReduceMean<axes = [2, 3]>(b) y = Add(c, m)");
  ASSERT_EQ(S.Sites.size(), 3u);
  Noise Images(8, {1, 4, 4});
  ObservationOptions Options;
  Options.Weight = Weighting::None;
  Options.OtherSizes = true;
  GateStatistics Statistics = collect(S, Images, Options);
  ASSERT_EQ(Statistics.Pairs.size(), 6u);
  for (const PairMoments &Pair : Statistics.Pairs) {
    double M = 0;
    for (uint64_t Image = 0; Image < 8; ++Image)
      for (unsigned P = 0; P < 16; ++P) {
        const float *X = Images.image(Image);
        unsigned Even = P / 8 * 8 + P % 4 / 2 * 2; // the element of the tile that the strided layer keeps
        bool IsKept = P == Even;
        if (Pair.Replicate == 1 && !IsKept)
          continue;
        bool Gate = Pair.Candidate == 1 ? X[Even] > 0 : Pair.Candidate == 2 ? X[P] < 0 : X[P] > 0;
        M += Gate ? X[P] * X[P] : 0;
      }
    EXPECT_NEAR(Pair.M(0, 0), M / 8, 1e-4) << Pair.Replicate << " with " << Pair.Candidate;
  }
}

TEST(Observation, AveragesOfMaxPools) {
  // Windows of 2 with one element of padding before: the first holds one element, and so does the average.
  Observed S =
      setUp("(float[N,1,5] x) => (float[N,1,3] y)", "y = MaxPool<kernel_shape = [2], strides = [2], pads = [1, 0]>(x)");
  ASSERT_EQ(S.Sites.size(), 1u);
  Noise Images(6, {1, 5});
  ObservationOptions Options;
  Options.Weight = Weighting::None;
  Options.Batch = 4;
  EXPECT_FALSE(collect(S, Images, Options).Sites[0].Pool.has_value());
  Options.AveragePools = true;
  GateStatistics Statistics = collect(S, Images, Options);
  ASSERT_TRUE(Statistics.Sites[0].Pool.has_value());
  double MaxMax = 0, MaxAverage = 0, AverageAverage = 0;
  for (uint64_t Image = 0; Image < 6; ++Image) {
    const float *X = Images.image(Image);
    const double Max[] = {X[0], std::max(X[1], X[2]), std::max(X[3], X[4])};
    const double Average[] = {X[0], (X[1] + X[2]) / 2, (X[3] + X[4]) / 2};
    for (int I = 0; I < 3; ++I) {
      MaxMax += Max[I] * Max[I] / 6;
      MaxAverage += Max[I] * Average[I] / 6;
      AverageAverage += Average[I] * Average[I] / 6;
    }
  }
  EXPECT_NEAR(Statistics.Sites[0].Pool->MaxMax[0], MaxMax, 1e-6);
  EXPECT_NEAR(Statistics.Sites[0].Pool->MaxAverage[0], MaxAverage, 1e-6);
  EXPECT_NEAR(Statistics.Sites[0].Pool->AverageAverage[0], AverageAverage, 1e-6);
  // The weight is the squared gradient at the output: noise of standard deviation 1 here.
  Options.Weight = Weighting::Regression;
  EXPECT_GT(collect(S, Images, Options).Sites[0].Pool->MaxMax[0], 0);
}

TEST(Observation, FisherWeightsAreTheModelsOwn) {
  // Logits W'relu(x): for a label l the gradient of -T log p(l) is W (p - e_l), with p the softmax of logits / T.
  Observed S = setUp("(float[N,3] x) => (float[N,2] z)",
                     "w = Constant<value = float[3,2] {1, -1, 0.5, 2, -3, 0.25}>() y = Relu(x) z = MatMul(y, w)");
  const float W[3][2] = {{1, -1}, {0.5, 2}, {-3, 0.25}};
  Noise Images(40, {3});
  ObservationOptions Options;
  Options.Images = 1;
  Options.Temperature = 2;
  unsigned Labels[2] = {};
  for (uint64_t Seed = 0; Seed < 40; ++Seed) {
    Options.Seed = Seed;
    GateStatistics Statistics = collect(S, Images, Options);
    // Which image it was, and which label, is known by the moments.
    unsigned Matches = 0;
    for (uint64_t Image = 0; Image < 40; ++Image) {
      const float *X = Images.image(Image);
      double Z[2] = {};
      for (int C = 0; C < 3; ++C)
        for (int K = 0; K < 2; ++K)
          Z[K] += W[C][K] * std::max(0.0f, X[C]);
      double P = 1 / (1 + std::exp((Z[1] - Z[0]) / Options.Temperature));
      for (int Label : {0, 1}) {
        bool Same = true;
        for (int C = 0; C < 3; ++C) {
          double Gradient = W[C][0] * (P - (Label == 0)) + W[C][1] * (1 - P - (Label == 1));
          double Sum = std::pow(Gradient * X[C], 2);
          Same &= std::abs(Statistics.Sites[0].S[C] - Sum) < 1e-5 + 1e-4 * Sum;
        }
        Matches += Same;
        Labels[Label] += Same;
      }
    }
    EXPECT_GE(Matches, 1u) << "seed " << Seed;
  }
  EXPECT_GT(Labels[0], 5u);
  EXPECT_GT(Labels[1], 5u);
}

TEST(Observation, OutputsWithoutGates) {
  // No gate at all, and one that no output of numbers depends on: integers have no gradient.
  Noise Images(4, {2, 4, 4});
  Observed None = setUp("(float[N,2,4,4] x) => (float[N,2,4,4] y)", "y = Sigmoid(x)");
  EXPECT_TRUE(collect(None, Images, {}).Pairs.empty());
  Observed Other = setUp("(float[N,2,4,4] x) => (float[N,2,4,4] y, int64[N,1,4,4] z)",
                         "y = Sigmoid(x) r = Relu(x) z = ArgMax<axis = 1>(r)");
  EXPECT_THAT(collect(Other, Images, {}).Sites[0].S, testing::Each(testing::Gt(0)));
  ObservationOptions Options;
  Options.Weight = Weighting::Regression;
  EXPECT_THAT(collect(Other, Images, Options).Sites[0].S, testing::Each(0));
}

TEST(Observation, SaturatedLogitsAreWeightedAsNumbers) {
  // The logits are so far apart that all probabilities are 0 or 1: no label says anything.
  Observed S =
      setUp("(float[N,3] x) => (float[N,2] z)",
            "w = Constant<value = float[3,2] {1e6, -1e6, 5e5, 2e6, -3e6, 25e4}>() y = Relu(x) z = MatMul(y, w)");
  Noise Images(4, {3});
  GateStatistics Statistics = collect(S, Images, {});
  EXPECT_GT(Statistics.Sites[0].S[0], 0);
  EXPECT_EQ(describe(Statistics, 0),
            "4 images, seed 0, weighted by 'regression' since the softmax of the outputs is saturated");
  ObservationOptions Options;
  Options.Weight = Weighting::Regression;
  EXPECT_EQ(collect(S, Images, Options).Sites[0].S, Statistics.Sites[0].S);
  // What comes out of a Softmax does not change at all.
  Observed Last = setUp("(float[N,3] x) => (float[N,2] p)",
                        "w = Constant<value = float[3,2] {1e6, -1e6, 5e5, 2e6, -3e6, 25e4}>() y = Relu(x) "
                        "z = MatMul(y, w) b = Constant<value = float[2] {1e6, 0}>() s = Add(z, b) p = Softmax(s)");
  Statistics = collect(Last, Images, {});
  EXPECT_GT(Statistics.Sites[0].S[0], 0);
  EXPECT_EQ(Statistics.WeightedBy, "none");
}

TEST(Observation, SameSeedSameStatistics) {
  Observed S = setUp(Signature, Body);
  Noise Images(30, {2, 4, 4});
  ObservationOptions Options;
  Options.Images = 20;
  Options.Weight = Weighting::Regression;
  uint64_t Done = 0, Total = 0;
  Options.Progress = [&](uint64_t D, uint64_t T) {
    Done = D;
    Total = T;
  };
  GateStatistics A = collect(S, Images, Options), B = collect(S, Images, Options);
  EXPECT_EQ(Done, 20u);
  EXPECT_EQ(Total, 20u);
  EXPECT_EQ(A.Images, 20u);
  ASSERT_EQ(A.Pairs.size(), B.Pairs.size());
  for (size_t I = 0; I < A.Pairs.size(); ++I)
    EXPECT_EQ(A.Pairs[I].M.Values, B.Pairs[I].M.Values);
  Options.Seed = 1;
  EXPECT_NE(collect(S, Images, Options).Sites[1].S, A.Sites[1].S);
}

/// Where memory is short the farthest sites are left out, and what is left is what it was.
TEST(Observation, LeavesOutFarSites) {
  Observed S = setUp("(float[N,8,8,8] x) => (float[N,8,8,8] y)", "a = Relu(x) b = Relu(a) c = Relu(b) y = Relu(c)");
  Noise Images(8, {8, 8, 8});
  ObservationOptions Options;
  Options.Batch = 8;
  GateStatistics All = collect(S, Images, Options);
  EXPECT_EQ(All.LeftOut, 0u);
  EXPECT_EQ(All.Pairs.size(), 10u);
  Options.Memory = 111000;
  GateStatistics Some = collect(S, Images, Options);
  std::vector<std::pair<unsigned, unsigned>> Left;
  for (const PairMoments &Measured : Some.Pairs) {
    Left.emplace_back(Measured.Replicate, Measured.Candidate);
    auto Same = llvm::find_if(All.Pairs, [&](const PairMoments &Other) {
      return Other.Replicate == Measured.Replicate && Other.Candidate == Measured.Candidate;
    });
    // Products of matrices of other widths may round otherwise.
    EXPECT_THAT(Same->M.Values, Pointwise(FloatNear(1e-4f), Measured.M.Values));
    EXPECT_THAT(Same->A.Values, Pointwise(FloatNear(1e-4f), Measured.A.Values));
  }
  EXPECT_THAT(Left, ElementsAre(Pair(0, 0), Pair(1, 0), Pair(1, 1), Pair(2, 1), Pair(2, 2), Pair(3, 2), Pair(3, 3)));
  EXPECT_EQ(describe(Some, 0), "8 images, seed 0, 192 pairs of channels left out for want of memory");
}

/// Every output that a site reaches weighs it, wherever it stands among the outputs.
TEST(Observation, AllOutputsGiveWeights) {
  const std::string Body = "y = Relu(x) a = Relu(v) z = MatMul(y, w) b = MatMul(a, w) i = ArgMax<axis = 1>(b)";
  auto Loss = [&](const std::string &Outputs) {
    Observed S = setUp("(float[N,2] x) => (" + Outputs + ")",
                       "w = Constant<value = float[2,2] {1, -1, 0.5, 2}>() v = Neg(x) " + Body);
    std::vector<double> Sums;
    for (const SiteMoments &Site : collect(S, Noise(40, {2}), {}).Sites)
      if (!Site.S.empty()) // of an ArgMax, which is only counted
        Sums.push_back(Site.S[0]);
    return Sums;
  };
  std::vector<double> Both = Loss("int64[N,1] i, float[N,2] z, float[N,2] b"), One = Loss("float[N,2] z, int64[N,1] i");
  ASSERT_EQ(Both.size(), 2u);
  EXPECT_GT(Both[0], 0);
  EXPECT_GT(Both[1], 0);
  EXPECT_GT(One[0], 0);
  EXPECT_EQ(One[1], 0);
  // Integers alone have no gradient: all elements weigh the same.
  for (double Sum : Loss("int64[N,1] i"))
    EXPECT_GT(Sum, 0);
}

TEST(Observation, BadInput) {
  Observed S = setUp(Signature, Body);
  EXPECT_EQ(failure(S, Noise(4, {3, 4, 4}), {}),
            "the model's input 'x' is float[N,2,4,4], but the images are float[3,4,4]");
  Observed Two = setUp("(float[N,2] x, float[N,2] z) => (float[N,2] y)", "a = Add(x, z) y = Relu(a)");
  EXPECT_THAT(failure(Two, Noise(4, {2}), {}), HasSubstr("the model has 2 inputs ('x', 'z')"));
  // What is cut off of a batch has no size that is known.
  Observed First = setUp("(float[N,2,4,4] x) => (float[M,2,4,4] y)",
                         "b = Constant<value = int64[1] {0}>() e = Constant<value = int64[1] {1}>() "
                         "t = Slice(x, b, e, b) [gate] y = Relu(t)");
  ObservationOptions Options;
  Options.Weight = Weighting::None;
  EXPECT_EQ(
      failure(First, Noise(4, {2, 4, 4}), Options),
      "node 'gate' (Relu): its output is of shape [1,2,4,4], expected 4 rows, one for each image, of 32 elements");
  Options.Memory = 10;
  EXPECT_THAT(failure(S, Noise(4, {2, 4, 4}), Options), HasSubstr("but the memory is limited to"));
  EXPECT_THAT(llvm::toString(parseWeighting("best").takeError()), HasSubstr("expected auto, none"));
}

} // namespace
