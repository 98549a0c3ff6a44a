//===- BatchLoaderTest.cpp - batches prepared in background threads -------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Data/BatchLoader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

using namespace deepshare;

namespace {

/// Image i is [1,2,2] with all values i; label i + 100. Index \p Broken fails.
class CountingSet final : public ImageSet {
public:
  explicit CountingSet(uint64_t Count, uint64_t Broken = UINT64_MAX) : Count(Count), Broken(Broken) {}
  uint64_t size() const override { return Count; }
  llvm::ArrayRef<int64_t> shape() const override { return Shape; }
  bool hasLabels() const override { return true; }
  int64_t label(uint64_t Index) const override { return static_cast<int64_t>(Index) + 100; }
  llvm::Error batch(llvm::ArrayRef<uint64_t> Indices, llvm::MutableArrayRef<float> Into) const override {
    for (size_t At = 0; At < Indices.size(); ++At) {
      if (Indices[At] == Broken)
        return llvm::createStringError("image does not decode");
      std::fill_n(Into.begin() + At * 4, 4, static_cast<float>(Indices[At]));
    }
    return llvm::Error::success();
  }

private:
  uint64_t Count, Broken;
  std::vector<int64_t> Shape = {1, 2, 2};
};

std::vector<Batch> take(const ImageSet &Set, const LoaderOptions &Options, unsigned Count, LoaderState State = {}) {
  auto Loader = BatchLoader::create(Set, Options, State);
  EXPECT_TRUE(bool(Loader)) << llvm::toString(Loader.takeError());
  std::vector<Batch> Result;
  for (unsigned Taken = 0; Taken < Count; ++Taken) {
    llvm::Expected<Batch> Next = (*Loader)->next();
    EXPECT_TRUE(bool(Next)) << llvm::toString(Next.takeError());
    Result.push_back(std::move(*Next));
  }
  return Result;
}

void expectSame(const std::vector<Batch> &A, const std::vector<Batch> &B) {
  ASSERT_EQ(A.size(), B.size());
  for (size_t Index = 0; Index < A.size(); ++Index) {
    EXPECT_EQ(A[Index].Indices, B[Index].Indices);
    EXPECT_EQ(A[Index].Images, B[Index].Images);
    EXPECT_EQ(A[Index].Labels, B[Index].Labels);
    EXPECT_EQ(A[Index].MixWeight, B[Index].MixWeight);
    EXPECT_EQ(A[Index].Next, B[Index].Next);
  }
}

TEST(BatchLoader, EachEpochIsAnotherPermutation) {
  CountingSet Set(10);
  LoaderOptions Options;
  Options.BatchSize = 5;
  std::vector<Batch> Batches = take(Set, Options, 4);
  std::vector<uint64_t> Epochs[2];
  for (unsigned Index = 0; Index < 4; ++Index) {
    for (size_t At = 0; At < 5; ++At) {
      EXPECT_EQ(Batches[Index].Images[At * 4 + 3], static_cast<float>(Batches[Index].Indices[At]));
      EXPECT_EQ(Batches[Index].Labels[At], static_cast<int64_t>(Batches[Index].Indices[At]) + 100);
      Epochs[Index / 2].push_back(Batches[Index].Indices[At]);
    }
  }
  EXPECT_NE(Epochs[0], Epochs[1]);
  for (auto &Epoch : Epochs)
    EXPECT_EQ(std::set<uint64_t>(Epoch.begin(), Epoch.end()).size(), 10u);
  EXPECT_EQ(Batches[1].Next, (LoaderState{1, 0}));
  EXPECT_EQ(Batches[2].Next, (LoaderState{1, 1}));
}

TEST(BatchLoader, ThreadsAndPrefetchDoNotChangeTheSequence) {
  CountingSet Set(37);
  LoaderOptions Options;
  Options.BatchSize = 4;
  Options.Seed = 7;
  Options.Augment.Flip = true;
  Options.Augment.CropPadding = 1;
  Options.Augment.MixupAlpha = 0.4;
  std::vector<Batch> Reference = take(Set, Options, 40);
  for (unsigned Threads : {2, 5}) {
    Options.Threads = Threads;
    Options.Prefetch = 3 * Threads;
    expectSame(take(Set, Options, 40), Reference);
  }
  // Resumed at every place of the first epochs.
  for (unsigned At : {1, 8, 9, 17}) {
    std::vector<Batch> Rest = take(Set, Options, 40 - At, Reference[At - 1].Next);
    expectSame(Rest, std::vector<Batch>(Reference.begin() + At, Reference.end()));
  }
}

TEST(BatchLoader, SubsetsAndUnshuffledOrder) {
  CountingSet Set(20);
  LoaderOptions Options;
  Options.BatchSize = 3;
  Options.Shuffle = false;
  Options.First = 10;
  Options.Count = 7;
  std::vector<Batch> Batches = take(Set, Options, 3);
  EXPECT_EQ(Batches[0].Indices, (std::vector<uint64_t>{10, 11, 12}));
  EXPECT_EQ(Batches[1].Indices, (std::vector<uint64_t>{13, 14, 15}));
  EXPECT_EQ(Batches[2].Indices, Batches[0].Indices);
}

TEST(BatchLoader, ProcessesSplitTheCombinedBatch) {
  CountingSet Set(50);
  LoaderOptions Options;
  Options.BatchSize = 6;
  std::vector<Batch> Whole = take(Set, Options, 20);
  Options.BatchSize = 3;
  Options.WorldSize = 2;
  std::vector<Batch> First = take(Set, Options, 20);
  Options.Rank = 1;
  std::vector<Batch> Second = take(Set, Options, 20);
  for (unsigned Index = 0; Index < 20; ++Index) {
    std::vector<uint64_t> Both = First[Index].Indices;
    Both.insert(Both.end(), Second[Index].Indices.begin(), Second[Index].Indices.end());
    EXPECT_EQ(Both, Whole[Index].Indices);
  }
}

TEST(BatchLoader, ErrorsReachTheReader) {
  CountingSet Set(8, 5);
  LoaderOptions Options;
  Options.BatchSize = 4;
  Options.Shuffle = false;
  auto Loader = BatchLoader::create(Set, Options);
  ASSERT_TRUE(bool(Loader));
  EXPECT_TRUE(bool((*Loader)->next()));
  llvm::Expected<Batch> Broken = (*Loader)->next();
  ASSERT_FALSE(bool(Broken));
  EXPECT_EQ(llvm::toString(Broken.takeError()), "image does not decode");
}

TEST(BatchLoader, OptionsAreChecked) {
  CountingSet Set(8);
  auto ErrorOf = [&](const LoaderOptions &Options) {
    auto Loader = BatchLoader::create(Set, Options);
    return Loader ? std::string() : llvm::toString(Loader.takeError());
  };
  LoaderOptions Options;
  EXPECT_EQ(ErrorOf(Options), "8 images do not fill a batch of 128 for each of 1 processes");
  Options.BatchSize = 0;
  EXPECT_NE(ErrorOf(Options), "");
  Options.BatchSize = 2;
  Options.First = 4;
  Options.Count = 5;
  EXPECT_EQ(ErrorOf(Options), "expected images 4 to 9, got a set of 8");
  Options.Count = 0;
  Options.Augment.CropPadding = 2;
  EXPECT_NE(ErrorOf(Options).find("crop padding"), std::string::npos);
}

} // namespace
