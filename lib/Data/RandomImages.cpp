//===- RandomImages.cpp - noise in the place of images --------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Data/ImageSet.h"
#include "deepshare/Data/Random.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"

#include <cmath>
#include <numbers>

using namespace deepshare;

namespace {

/// Images are drawn when they are read, each from a stream of its own, so that they do not depend on the order.
class RandomImages : public ImageSet {
public:
  RandomImages(llvm::ArrayRef<int64_t> Shape, uint64_t Count, uint64_t Seed) : Shape(Shape), Count(Count), Seed(Seed) {}

  uint64_t size() const override { return Count; }
  llvm::ArrayRef<int64_t> shape() const override { return Shape; }
  bool hasLabels() const override { return false; }
  int64_t label(uint64_t) const override { llvm_unreachable("noise has no labels"); }

  llvm::Error batch(llvm::ArrayRef<uint64_t> Indices, llvm::MutableArrayRef<float> Into) const override {
    size_t Each = Indices.empty() ? 0 : Into.size() / Indices.size();
    for (auto [I, Index] : llvm::enumerate(Indices)) {
      Random Generator({Seed, Index});
      for (float &Number : Into.slice(I * Each, Each)) {
        // A normal number, by Box and Muller.
        double Radius = std::sqrt(-2 * std::log(1 - Generator.uniform()));
        Number = static_cast<float>(Radius * std::cos(2 * std::numbers::pi * Generator.uniform()));
      }
    }
    return llvm::Error::success();
  }

private:
  llvm::SmallVector<int64_t, 3> Shape;
  uint64_t Count, Seed;
};

} // namespace

std::unique_ptr<ImageSet> deepshare::makeRandomImages(llvm::ArrayRef<int64_t> Shape, uint64_t Count, uint64_t Seed) {
  return std::make_unique<RandomImages>(Shape, Count, Seed);
}
