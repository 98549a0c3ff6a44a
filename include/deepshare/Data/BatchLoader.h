//===- BatchLoader.h - batches prepared in background threads ---*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_DATA_BATCHLOADER_H
#define DEEPSHARE_DATA_BATCHLOADER_H

#include "deepshare/Data/Augmentation.h"
#include "deepshare/Data/ImageSet.h"

#include "llvm/Support/Error.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace deepshare {

struct LoaderOptions {
  /// Images a batch. An epoch's last images that do not fill a batch are left out.
  uint64_t BatchSize = 128;
  uint64_t Seed = 0;
  /// A new order each epoch, a function of seed and epoch; else the order of the set.
  bool Shuffle = true;
  /// Uses only the images [First, First + Count); Count 0: all from First on.
  uint64_t First = 0;
  uint64_t Count = 0;
  /// Background threads, and how many batches may be ready ahead of the reader. Neither changes what is read.
  unsigned Threads = 1;
  unsigned Prefetch = 4;
  /// Data-parallel training: the processes' batches, put together in order of Rank, are one batch of
  /// BatchSize * WorldSize.
  unsigned Rank = 0;
  unsigned WorldSize = 1;
  Augmentation Augment;
};

/// A place in the endless sequence of batches.
struct LoaderState {
  uint64_t Epoch = 0;
  /// Batches of the epoch already taken.
  uint64_t Position = 0;
  friend bool operator==(const LoaderState &, const LoaderState &) = default;
};

/// One batch.
struct Batch {
  std::vector<uint64_t> Indices;
  /// Normalised, augmented, [BatchSize, shape...].
  std::vector<float> Images;
  /// Empty if the set has none. Of pixels: a map an image, moved like it; NoLabel where it was padded.
  std::vector<int64_t> Labels;
  /// Mixup: image i is MixWeight * itself + (1 - MixWeight) * the next one (cyclically). 1: not mixed.
  float MixWeight = 1;
  /// Where the sequence goes on after this batch; give it to create() to resume there.
  LoaderState Next;
};

/// Reads batches ahead in background threads. The sequence is a function of the options and the state alone.
class BatchLoader {
public:
  /// Starts at \p State. \p Set must outlive the loader. Error if the images do not fill one batch or the options do
  /// not fit the set.
  static llvm::Expected<std::unique_ptr<BatchLoader>> create(const ImageSet &Set, const LoaderOptions &Options,
                                                             LoaderState State = {});
  /// Stops the threads.
  ~BatchLoader();

  /// The next batch; waits for it. After an error (a file that does not decode) the loader is not to be used.
  llvm::Expected<Batch> next();

  uint64_t batchesPerEpoch() const;

private:
  struct Impl;
  explicit BatchLoader(std::unique_ptr<Impl> I);
  std::unique_ptr<Impl> I;
};

} // namespace deepshare

#endif // DEEPSHARE_DATA_BATCHLOADER_H
