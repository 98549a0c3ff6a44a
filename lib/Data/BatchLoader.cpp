//===- BatchLoader.cpp - batches prepared in background threads -----------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Batches are numbered from the start of training: number n is batch n mod B of epoch n / B. A thread takes the next
// number, makes that batch, and puts it where the reader waits for it; a thread that is too far ahead of the reader
// sleeps.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Data/BatchLoader.h"

#include "deepshare/Data/Random.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <numeric>
#include <optional>
#include <thread>

using namespace deepshare;

namespace {
enum : uint64_t { OrderStream = 0 };
using Order = std::shared_ptr<const std::vector<uint64_t>>;
} // namespace

struct BatchLoader::Impl {
  const ImageSet &Set;
  LoaderOptions Options;
  uint64_t Count;
  uint64_t PerEpoch;
  size_t ImageSize = 1;

  std::mutex Lock;
  std::condition_variable RoomAhead, BatchReady;
  // All below: under Lock.
  uint64_t NextToMake;
  uint64_t NextToRead;
  bool Stopping = false;
  std::map<uint64_t, llvm::Expected<Batch>> Ready;
  std::map<uint64_t, Order> Orders;

  std::vector<std::thread> Threads;

  Impl(const ImageSet &Set, const LoaderOptions &Options, uint64_t Count, uint64_t PerEpoch, LoaderState State)
      : Set(Set), Options(Options), Count(Count), PerEpoch(PerEpoch),
        NextToMake(State.Epoch * PerEpoch + State.Position), NextToRead(NextToMake) {
    for (int64_t Size : Set.shape())
      ImageSize *= Size;
    for (unsigned Thread = 0; Thread < std::max(1u, Options.Threads); ++Thread)
      Threads.emplace_back([this] { work(); });
  }

  ~Impl() {
    {
      std::lock_guard Guard(Lock);
      Stopping = true;
    }
    RoomAhead.notify_all();
    for (std::thread &Thread : Threads)
      Thread.join();
    for (auto &[Number, Made] : Ready)
      if (!Made)
        llvm::consumeError(Made.takeError());
  }

  Order makeOrder(uint64_t Epoch) const {
    auto Images = std::make_shared<std::vector<uint64_t>>(Count);
    std::iota(Images->begin(), Images->end(), Options.First);
    if (Options.Shuffle) {
      Random Numbers({Options.Seed, OrderStream, Epoch});
      for (uint64_t Left = Count; Left > 1; --Left)
        std::swap((*Images)[Left - 1], (*Images)[Numbers.below(Left)]);
    }
    return Images;
  }

  llvm::Expected<Batch> make(uint64_t Number, const std::vector<uint64_t> &Images) const {
    uint64_t Epoch = Number / PerEpoch, Position = Number % PerEpoch;
    Batch Result;
    Result.Next = {(Number + 1) / PerEpoch, (Number + 1) % PerEpoch};
    auto First = Images.begin() + (Position * Options.WorldSize + Options.Rank) * Options.BatchSize;
    Result.Indices.assign(First, First + Options.BatchSize);
    Result.Images.resize(Options.BatchSize * ImageSize);
    if (llvm::Error E = Set.batch(Result.Indices, Result.Images))
      return E;
    llvm::MutableArrayRef<float> Pixels(Result.Images);
    for (auto [At, Index] : llvm::enumerate(Result.Indices)) {
      augmentImage(Options.Augment, Set.shape(), Options.Seed, Epoch, Index, Pixels.slice(At * ImageSize, ImageSize));
      if (!Set.hasLabels())
        continue;
      size_t Before = Result.Labels.size();
      Set.labels(Index, Result.Labels);
      if (!Set.labelShape().empty())
        augmentLabels(Options.Augment, Set.shape(), Options.Seed, Epoch, Index, ImageSet::NoLabel,
                      llvm::MutableArrayRef(Result.Labels).drop_front(Before));
    }
    Result.MixWeight = mixupWeight(Options.Augment.MixupAlpha, Options.Seed, Epoch, Position);
    mixImages(Pixels, ImageSize, Result.MixWeight);
    return Result;
  }

  void work() {
    std::unique_lock Guard(Lock);
    for (;;) {
      RoomAhead.wait(Guard, [&] { return Stopping || NextToMake < NextToRead + std::max(1u, Options.Prefetch); });
      if (Stopping)
        return;
      uint64_t Number = NextToMake++;
      Order &Cached = Orders[Number / PerEpoch];
      if (!Cached)
        Cached = makeOrder(Number / PerEpoch);
      Order Images = Cached;
      Guard.unlock();
      llvm::Expected<Batch> Made = make(Number, *Images);
      Guard.lock();
      Ready.emplace(Number, std::move(Made));
      BatchReady.notify_all();
    }
  }

  llvm::Expected<Batch> next() {
    std::unique_lock Guard(Lock);
    BatchReady.wait(Guard, [&] { return Ready.count(NextToRead) != 0; });
    auto Found = Ready.find(NextToRead++);
    llvm::Expected<Batch> Result = std::move(Found->second);
    Ready.erase(Found);
    Orders.erase(Orders.begin(), Orders.lower_bound(NextToRead / PerEpoch));
    RoomAhead.notify_all();
    return Result;
  }
};

BatchLoader::BatchLoader(std::unique_ptr<Impl> I) : I(std::move(I)) {}
BatchLoader::~BatchLoader() = default;

llvm::Expected<std::unique_ptr<BatchLoader>> BatchLoader::create(const ImageSet &Set, const LoaderOptions &Options,
                                                                 LoaderState State) {
  if (Options.First > Set.size() || Options.Count > Set.size() - Options.First)
    return llvm::createStringError(
        "expected images %llu to %llu, got a set of %llu", static_cast<unsigned long long>(Options.First),
        static_cast<unsigned long long>(Options.First + Options.Count), static_cast<unsigned long long>(Set.size()));
  uint64_t Count = Options.Count ? Options.Count : Set.size() - Options.First;
  uint64_t PerEpoch = Options.BatchSize && Options.WorldSize ? Count / Options.WorldSize / Options.BatchSize : 0;
  if (PerEpoch == 0 || Options.Rank >= Options.WorldSize)
    return llvm::createStringError("%llu images do not fill a batch of %llu for each of %u processes",
                                   static_cast<unsigned long long>(Count),
                                   static_cast<unsigned long long>(Options.BatchSize), Options.WorldSize);
  if (llvm::Error E = checkAugmentation(Options.Augment, Set.shape()))
    return E;
  if (Options.Augment.changesImages() && !Set.labelShape().empty() && Set.labelShape() != Set.shape().drop_front())
    return llvm::createStringError("flip, crop and cutout need a label for each pixel, or one for the image");
  return std::unique_ptr<BatchLoader>(new BatchLoader(std::make_unique<Impl>(Set, Options, Count, PerEpoch, State)));
}

llvm::Expected<Batch> BatchLoader::next() { return I->next(); }

uint64_t BatchLoader::batchesPerEpoch() const { return I->PerEpoch; }
