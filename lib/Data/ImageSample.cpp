//===- ImageSample.cpp - some images of a set -----------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Data/ImageSet.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVectorExtras.h"

#include <numeric>
#include <random>

using namespace deepshare;

namespace {
class ImageSample : public ImageSet {
public:
  ImageSample(std::unique_ptr<ImageSet> Set, std::vector<uint64_t> Chosen)
      : Set(std::move(Set)), Chosen(std::move(Chosen)) {}

  uint64_t size() const override { return Chosen.size(); }
  llvm::ArrayRef<int64_t> shape() const override { return Set->shape(); }
  llvm::ArrayRef<ImagePart> parts() const override { return Set->parts(); }
  bool hasLabels() const override { return Set->hasLabels(); }
  llvm::ArrayRef<int64_t> labelShape() const override { return Set->labelShape(); }
  int64_t label(uint64_t Index) const override { return Set->label(Chosen[Index]); }
  void labels(uint64_t Index, std::vector<int64_t> &Into) const override { Set->labels(Chosen[Index], Into); }
  llvm::Error batch(llvm::ArrayRef<uint64_t> Indices, llvm::MutableArrayRef<float> Into) const override {
    return Set->batch(llvm::map_to_vector(Indices, [&](uint64_t Index) { return Chosen[Index]; }), Into);
  }

private:
  std::unique_ptr<ImageSet> Set;
  std::vector<uint64_t> Chosen;
};
} // namespace

std::vector<uint64_t> deepshare::drawIndices(uint64_t Count, uint64_t Size, uint64_t Seed) {
  // The first Count entries of a shuffle, then in order, which suits files.
  std::mt19937_64 Random(Seed);
  std::vector<uint64_t> Chosen(Size);
  std::iota(Chosen.begin(), Chosen.end(), 0);
  for (uint64_t I = 0; I < Count; ++I)
    std::swap(Chosen[I], Chosen[I + Random() % (Size - I)]);
  Chosen.resize(Count);
  llvm::sort(Chosen);
  return Chosen;
}

std::unique_ptr<ImageSet> deepshare::sampleImages(std::unique_ptr<ImageSet> Set, uint64_t Count, uint64_t Seed) {
  if (Count == 0 || Count >= Set->size())
    return Set;
  uint64_t Size = Set->size();
  return std::make_unique<ImageSample>(std::move(Set), drawIndices(Count, Size, Seed));
}
