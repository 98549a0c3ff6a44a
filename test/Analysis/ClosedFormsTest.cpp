//===- ClosedFormsTest.cpp - gates and averages fitted to moments ---------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Analysis/GateStatistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

using namespace deepshare;

namespace {

/// Samples of one channel's input and of a gate, with their weights.
struct Samples {
  std::vector<double> X, Weight, Gate;
  double S = 0, R = 0, M = 0, A = 0;
};

Samples randomSamples(std::mt19937 &Random) {
  std::normal_distribution<double> Normal;
  Samples Result;
  for (int I = 0; I < 200; ++I) {
    double X = Normal(Random) + 0.3, W = std::abs(Normal(Random)), D = X + Normal(Random) > 0;
    Result.X.push_back(X);
    Result.Weight.push_back(W);
    Result.Gate.push_back(D);
    Result.S += W * X * X;
    Result.R += X > 0 ? W * X * X : 0;
    Result.M += D * W * X * X;
    Result.A += X > 0 ? D * W * X * X : 0;
  }
  return Result;
}

double bruteLoss(const Samples &Data, double NewOn, double NewOff, double On, double Off) {
  double Loss = 0;
  for (size_t I = 0; I < Data.X.size(); ++I) {
    double Error = Data.X[I] * ((Data.X[I] > 0 ? On : Off) - (Data.Gate[I] > 0 ? NewOn : NewOff));
    Loss += Data.Weight[I] * Error * Error;
  }
  return Loss;
}

TEST(ClosedForms, AgreeWithBruteForceLeastSquares) {
  std::mt19937 Random(0);
  for (int Round = 0; Round < 200; ++Round) {
    Samples Data = randomSamples(Random);
    double On = std::normal_distribution<double>(1, 1)(Random), Off = std::normal_distribution<double>(0, 1)(Random);
    AffineGate Gate = fitAffine(Data.S, Data.R, Data.M, Data.A, On, Off);
    EXPECT_NEAR(Gate.Loss, bruteLoss(Data, Gate.On, Gate.Off, On, Off), 1e-9 * Data.S * (1 + On * On + Off * Off));
    EXPECT_NEAR(gateLoss(Data.S, Data.R, Data.M, Data.A, 0.3, -0.2, On, Off), bruteLoss(Data, 0.3, -0.2, On, Off),
                1e-9 * Data.S * (1 + On * On + Off * Off));
    AffineGate Linear = fitLinear(Data.S, Data.R, On, Off);
    EXPECT_EQ(Linear.On, Linear.Off);
    EXPECT_NEAR(Linear.Loss, bruteLoss(Data, Linear.On, Linear.On, On, Off), 1e-9 * Data.S * (1 + On * On + Off * Off));
    // No neighbour is better.
    for (double Step : {-1e-3, 1e-3}) {
      EXPECT_LE(Gate.Loss, bruteLoss(Data, Gate.On + Step, Gate.Off, On, Off));
      EXPECT_LE(Gate.Loss, bruteLoss(Data, Gate.On, Gate.Off + Step, On, Off));
      EXPECT_LE(Linear.Loss, bruteLoss(Data, Linear.On + Step, Linear.On + Step, On, Off));
    }
  }
}

TEST(ClosedForms, ScaledSlopesAreTheBestOfAllScales) {
  std::mt19937 Random(1);
  for (int Round = 0; Round < 200; ++Round) {
    Samples Data = randomSamples(Random);
    double On = std::normal_distribution<double>(1, 1)(Random), Off = std::normal_distribution<double>(0, 1)(Random);
    AffineGate Gate = fitScaled(Data.S, Data.R, Data.M, Data.A, On, Off);
    double Tolerance = 1e-9 * Data.S * (1 + On * On + Off * Off);
    EXPECT_NEAR(Gate.Loss, bruteLoss(Data, Gate.On, Gate.Off, On, Off), Tolerance);
    EXPECT_TRUE(Gate.On == 0 || Gate.Off == 0 || std::abs(Gate.On) == std::abs(Gate.Off));
    for (double Scale = 0; Scale < 4; Scale += 0.01)
      for (int T1 : {-1, 0, 1})
        for (int T0 : {-1, 0, 1})
          EXPECT_LE(Gate.Loss, bruteLoss(Data, Scale * T1, Scale * T0, On, Off) + Tolerance);
    EXPECT_GE(Gate.Loss + Tolerance, fitAffine(Data.S, Data.R, Data.M, Data.A, On, Off).Loss);
  }
}

TEST(ClosedForms, EmptyHalvesAndOwnGates) {
  AffineGate Own = fitAffine(3, 2, 2, 2);
  EXPECT_EQ(Own.On, 1);
  EXPECT_EQ(Own.Off, 0);
  EXPECT_EQ(Own.Loss, 0);
  EXPECT_EQ(fitAffine(3, 2, 0, 0).On, 0);
  EXPECT_EQ(fitAffine(3, 2, 3, 2).Off, 0);
  EXPECT_EQ(fitAffine(0, 0, 0, 0).Loss, 0);
  EXPECT_EQ(fitLinear(0, 0).On, 0);
  Own = fitScaled(3, 2, 2, 2);
  EXPECT_EQ(Own.On, 1);
  EXPECT_EQ(Own.Off, 0);
  EXPECT_EQ(Own.Loss, 0);
  // A gate that is always closed, and one that is always open, are linear.
  EXPECT_EQ(fitScaled(4, 2, 0, 0).Off, 0.5);
  EXPECT_EQ(fitScaled(4, 2, 4, 2).On, 0.5);
  EXPECT_EQ(fitScaled(0, 0, 0, 0).Loss, 0);
}

TEST(ClosedForms, AveragesOfMaxima) {
  // Channels: a scale of 2 leaves nothing; no correlation; nothing there.
  PoolMoments Pool{{4, 3, 0}, {2, 0, 0}, {1, 5, 0}};
  AverageFit Fit = fitAverage(Pool);
  EXPECT_EQ(Fit.Scale, (std::vector<float>{2, 1, 1}));
  EXPECT_DOUBLE_EQ(Fit.Loss, 0 + 3 + 5);
}

} // namespace
