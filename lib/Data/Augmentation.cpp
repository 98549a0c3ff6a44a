//===- Augmentation.cpp - random changes to training images ---------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Data/Augmentation.h"

#include "deepshare/Data/Random.h"

#include "llvm/ADT/SmallVector.h"

#include <algorithm>
#include <cassert>
#include <cmath>

using namespace deepshare;

// Streams of random numbers that must not depend on each other.
enum : uint64_t { ImageStream = 1, MixupStream = 2 };

llvm::Error deepshare::checkAugmentation(const Augmentation &Options, llvm::ArrayRef<int64_t> Shape) {
  if (Options.changesImages() && Shape.size() != 3)
    return llvm::createStringError("flip, crop and cutout need images [C,H,W], got data of rank %zu", Shape.size());
  if (!std::isfinite(Options.MixupAlpha) || Options.MixupAlpha < 0)
    return llvm::createStringError("mixup's alpha must be 0 or more, got %g", Options.MixupAlpha);
  if (Options.CropPadding && Options.CropPadding >= static_cast<uint64_t>(std::min(Shape[1], Shape[2])))
    return llvm::createStringError("a crop padding of %u pixels is too large for images of %lld x %lld",
                                   Options.CropPadding, static_cast<long long>(Shape[1]),
                                   static_cast<long long>(Shape[2]));
  return llvm::Error::success();
}

namespace {

/// What happens to one image.
struct Change {
  bool Flip;
  int64_t Rows, Columns;            ///< moved down and right; negative: up and left
  int64_t Top, Bottom, Left, Right; ///< what is cleared

  // All numbers are drawn whatever the options, so that one option does not change what another does.
  Change(const Augmentation &Options, llvm::ArrayRef<int64_t> Shape, uint64_t Seed, uint64_t Epoch, uint64_t Index) {
    int64_t Height = Shape[1], Width = Shape[2];
    Random Numbers({Seed, ImageStream, Epoch, Index});
    Flip = (Numbers.next() & 1) && Options.Flip;
    int64_t Padding = Options.CropPadding;
    Rows = static_cast<int64_t>(Numbers.below(2 * Padding + 1)) - Padding;
    Columns = static_cast<int64_t>(Numbers.below(2 * Padding + 1)) - Padding;
    int64_t CentreY = Numbers.below(Height), CentreX = Numbers.below(Width), Side = Options.Cutout;
    Top = std::max<int64_t>(CentreY - Side / 2, 0);
    Bottom = std::min(CentreY - Side / 2 + Side, Height);
    Left = std::max<int64_t>(CentreX - Side / 2, 0);
    Right = std::min(CentreX - Side / 2 + Side, Width);
  }

  /// Mirrors and moves one plane; \p Filler comes in at the border.
  template <typename T> void move(llvm::MutableArrayRef<T> Plane, int64_t Height, int64_t Width, T Filler) const {
    if (!Flip && !Rows && !Columns)
      return;
    llvm::SmallVector<T, 0> Before(Plane.begin(), Plane.end());
    for (int64_t Y = 0; Y < Height; ++Y)
      for (int64_t X = 0; X < Width; ++X) {
        int64_t FromY = Y - Rows, FromX = X - Columns;
        bool Inside = FromY >= 0 && FromY < Height && FromX >= 0 && FromX < Width;
        Plane[Y * Width + X] = Inside ? Before[FromY * Width + (Flip ? Width - 1 - FromX : FromX)] : Filler;
      }
  }
};

} // namespace

void deepshare::augmentImage(const Augmentation &Options, llvm::ArrayRef<int64_t> Shape, uint64_t Seed, uint64_t Epoch,
                             uint64_t Index, llvm::MutableArrayRef<float> Image) {
  if (!Options.changesImages())
    return;
  int64_t Channels = Shape[0], Height = Shape[1], Width = Shape[2], Positions = Height * Width;
  assert(Image.size() == static_cast<uint64_t>(Channels * Positions) && "one image of the shape");
  Change C(Options, Shape, Seed, Epoch, Index);
  for (int64_t Channel = 0; Channel < Channels; ++Channel) {
    llvm::MutableArrayRef<float> Plane = Image.slice(Channel * Positions, Positions);
    C.move(Plane, Height, Width, 0.0f);
    for (int64_t Y = C.Top; Y < C.Bottom; ++Y)
      for (int64_t X = C.Left; X < C.Right; ++X)
        Plane[Y * Width + X] = 0.0f;
  }
}

void deepshare::augmentLabels(const Augmentation &Options, llvm::ArrayRef<int64_t> Shape, uint64_t Seed, uint64_t Epoch,
                              uint64_t Index, int64_t Filler, llvm::MutableArrayRef<int64_t> Labels) {
  if (!Options.changesImages())
    return;
  assert(Labels.size() == static_cast<uint64_t>(Shape[1] * Shape[2]) && "one label a pixel");
  Change(Options, Shape, Seed, Epoch, Index).move(Labels, Shape[1], Shape[2], Filler);
}

float deepshare::mixupWeight(double Alpha, uint64_t Seed, uint64_t Epoch, uint64_t Position) {
  if (Alpha <= 0)
    return 1;
  // Jöhnk's method: given that U^(1/a) + V^(1/a) <= 1, the share of the first is Beta(a, a). In logarithms, so that a
  // small alpha does not underflow.
  Random Numbers({Seed, MixupStream, Epoch, Position});
  for (;;) {
    double A = std::log1p(-Numbers.uniform()) / Alpha, B = std::log1p(-Numbers.uniform()) / Alpha;
    double Larger = std::max(A, B), Sum = Larger + std::log(std::exp(A - Larger) + std::exp(B - Larger));
    if (Sum > 0)
      continue;
    double Weight = std::exp(A - Sum);
    return static_cast<float>(std::max(Weight, 1 - Weight));
  }
}

void deepshare::mixImages(llvm::MutableArrayRef<float> Images, size_t ImageSize, float Weight) {
  if (Images.empty() || Weight == 1)
    return;
  llvm::SmallVector<float, 0> First(Images.begin(), Images.begin() + ImageSize);
  size_t Last = Images.size() - ImageSize;
  for (size_t At = 0; At < Images.size(); ++At) {
    float Other = At < Last ? Images[At + ImageSize] : First[At - Last];
    Images[At] = Weight * Images[At] + (1 - Weight) * Other;
  }
}
