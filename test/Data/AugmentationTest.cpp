//===- AugmentationTest.cpp - random changes to training images -----------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Data/Augmentation.h"

#include "deepshare/Data/Random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

using namespace deepshare;

namespace {

constexpr int64_t Shape[] = {2, 4, 6};

std::vector<float> image() {
  std::vector<float> Result(48);
  for (size_t Index = 0; Index < Result.size(); ++Index)
    Result[Index] = static_cast<float>(Index + 1);
  return Result;
}

std::vector<float> augmented(const Augmentation &Options, uint64_t Index, uint64_t Epoch = 0, uint64_t Seed = 0) {
  std::vector<float> Result = image();
  augmentImage(Options, Shape, Seed, Epoch, Index, Result);
  return Result;
}

TEST(Augmentation, NothingByDefault) { EXPECT_EQ(augmented({}, 0), image()); }

TEST(Augmentation, FlipMirrorsHalfOfTheImages) {
  Augmentation Options;
  Options.Flip = true;
  std::vector<float> Mirrored = image();
  for (auto Row = Mirrored.begin(); Row != Mirrored.end(); Row += 6)
    std::reverse(Row, Row + 6);
  unsigned Flipped = 0;
  for (uint64_t Index = 0; Index < 1000; ++Index) {
    std::vector<float> Result = augmented(Options, Index);
    Flipped += Result == Mirrored;
    EXPECT_TRUE(Result == Mirrored || Result == image());
  }
  EXPECT_NEAR(Flipped, 500, 60);
}

TEST(Augmentation, CropShiftsAndPadsWithZero) {
  Augmentation Options;
  Options.CropPadding = 1;
  std::map<std::vector<float>, unsigned> Seen;
  for (uint64_t Index = 0; Index < 1000; ++Index)
    ++Seen[augmented(Options, Index)];
  EXPECT_EQ(Seen.size(), 9u);
  EXPECT_EQ(Seen.count(image()), 1u);
  std::vector<float> Down(48);
  std::vector<float> Plain = image();
  for (int Channel = 0; Channel < 2; ++Channel)
    std::copy_n(Plain.begin() + Channel * 24, 18, Down.begin() + Channel * 24 + 6);
  EXPECT_EQ(Seen.count(Down), 1u);
}

TEST(Augmentation, LabelsOfPixelsMoveWithThem) {
  Augmentation Options;
  Options.Flip = true;
  Options.CropPadding = 2;
  std::vector<float> Plain = image();
  for (uint64_t Index = 0; Index < 100; ++Index) {
    // Labels that are the first channel's pixels; 0 is what padding gives.
    std::vector<int64_t> Labels(Plain.begin(), Plain.begin() + 24);
    augmentLabels(Options, Shape, /*Seed=*/0, /*Epoch=*/0, Index, /*Filler=*/0, Labels);
    std::vector<float> Image = augmented(Options, Index);
    EXPECT_EQ(Labels, std::vector<int64_t>(Image.begin(), Image.begin() + 24));
  }
}

TEST(Augmentation, CutoutClearsASquareInEveryChannel) {
  Augmentation Options;
  Options.Cutout = 3;
  size_t Most = 0;
  for (uint64_t Index = 0; Index < 200; ++Index) {
    std::vector<float> Result = augmented(Options, Index);
    for (size_t At = 0; At < 24; ++At)
      EXPECT_EQ(Result[At] == 0, Result[At + 24] == 0);
    size_t Cleared = std::count(Result.begin(), Result.end(), 0.0f);
    EXPECT_GE(Cleared, 8u);
    Most = std::max(Most, Cleared);
  }
  EXPECT_EQ(Most, 18u);
}

TEST(Augmentation, DependsOnSeedEpochAndIndexOnly) {
  Augmentation Options;
  Options.Flip = true;
  Options.CropPadding = 2;
  Options.Cutout = 2;
  EXPECT_EQ(augmented(Options, 5, 3, 1), augmented(Options, 5, 3, 1));
  unsigned Same = 0;
  for (uint64_t Index = 0; Index < 100; ++Index) {
    Same += augmented(Options, Index, 0) == augmented(Options, Index, 1);
    Same += augmented(Options, Index, 0, 0) == augmented(Options, Index, 0, 1);
  }
  EXPECT_LT(Same, 10u);
}

TEST(Augmentation, MixupWeightIsBeta) {
  EXPECT_EQ(mixupWeight(0, 0, 0, 0), 1.0f);
  // Beta(1,1) is uniform; folded at 1/2 its mean is 3/4. Beta(a,a) has variance 1/(4(2a+1)).
  for (double Alpha : {0.2, 1.0, 2.0}) {
    double Squares = 0;
    for (uint64_t Position = 0; Position < 4000; ++Position) {
      float Weight = mixupWeight(Alpha, 1, 2, Position);
      EXPECT_GE(Weight, 0.5f);
      EXPECT_LE(Weight, 1.0f);
      Squares += (Weight - 0.5) * (Weight - 0.5);
    }
    EXPECT_NEAR(Squares / 4000, 1 / (4 * (2 * Alpha + 1)), 0.01) << Alpha;
  }
}

TEST(Augmentation, MixImagesIsCyclic) {
  std::vector<float> Images = {1, 2, 10, 20, 100, 200};
  mixImages(Images, 2, 0.75f);
  EXPECT_EQ(Images, (std::vector<float>{3.25f, 6.5f, 32.5f, 65, 75.25f, 150.5f}));
}

TEST(Augmentation, OptionsAreChecked) {
  Augmentation Options;
  Options.Flip = true;
  EXPECT_EQ(llvm::toString(checkAugmentation(Options, {3})),
            "flip, crop and cutout need images [C,H,W], got data of rank 1");
  Options.CropPadding = 4;
  EXPECT_EQ(llvm::toString(checkAugmentation(Options, {3, 4, 8})),
            "a crop padding of 4 pixels is too large for images of 4 x 8");
  Options.MixupAlpha = -1;
  EXPECT_EQ(llvm::toString(checkAugmentation(Options, {3, 4, 8})), "mixup's alpha must be 0 or more, got -1");
}

TEST(Random, IsTheSameEverywhere) {
  Random Numbers({1, 2, 3});
  Random Same({1, 2, 3}), Other({1, 3, 2});
  uint64_t First = Numbers.next();
  EXPECT_EQ(First, Same.next());
  EXPECT_NE(First, Other.next());
  for (unsigned Index = 0; Index < 1000; ++Index) {
    EXPECT_LT(Numbers.below(7), 7u);
    double Uniform = Numbers.uniform();
    EXPECT_GE(Uniform, 0);
    EXPECT_LT(Uniform, 1);
  }
}

} // namespace
