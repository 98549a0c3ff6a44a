//===- JoinedImages.cpp - images for several inputs -----------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Formats.h"

#include "llvm/ADT/STLExtras.h"

#include <numeric>

using namespace deepshare;

namespace {
class JoinedImages : public ImageSet {
public:
  explicit JoinedImages(std::vector<std::pair<std::string, std::unique_ptr<ImageSet>>> Named) {
    for (auto &[Name, Set] : Named) {
      Sizes.push_back(*data::product(Set->shape()));
      Parts.push_back({std::move(Name), Set->shape().vec()});
      Sets.push_back(std::move(Set));
    }
    Shape = {static_cast<int64_t>(std::accumulate(Sizes.begin(), Sizes.end(), uint64_t(0)))};
  }

  uint64_t size() const override { return Sets.front()->size(); }
  llvm::ArrayRef<int64_t> shape() const override { return Shape; }
  llvm::ArrayRef<ImagePart> parts() const override { return Parts; }
  bool hasLabels() const override { return Sets.front()->hasLabels(); }
  llvm::ArrayRef<int64_t> labelShape() const override { return Sets.front()->labelShape(); }
  int64_t label(uint64_t Index) const override { return Sets.front()->label(Index); }
  void labels(uint64_t Index, std::vector<int64_t> &Into) const override { Sets.front()->labels(Index, Into); }

  llvm::Error batch(llvm::ArrayRef<uint64_t> Indices, llvm::MutableArrayRef<float> Into) const override {
    std::vector<float> Part;
    uint64_t Start = 0;
    for (auto [Set, Size] : llvm::zip_equal(Sets, Sizes)) {
      Part.resize(Indices.size() * Size);
      if (llvm::Error E = Set->batch(Indices, Part))
        return E;
      for (size_t I = 0; I < Indices.size(); ++I)
        llvm::copy(llvm::ArrayRef(Part).slice(I * Size, Size), Into.begin() + I * Shape[0] + Start);
      Start += Size;
    }
    return llvm::Error::success();
  }

private:
  std::vector<std::unique_ptr<ImageSet>> Sets;
  std::vector<ImagePart> Parts;
  std::vector<uint64_t> Sizes; ///< elements of an image, by part
  std::vector<int64_t> Shape;
};
} // namespace

std::unique_ptr<ImageSet> deepshare::joinImages(std::vector<std::pair<std::string, std::unique_ptr<ImageSet>>> Sets) {
  return std::make_unique<JoinedImages>(std::move(Sets));
}
