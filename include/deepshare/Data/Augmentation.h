//===- Augmentation.h - random changes to training images -------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Every random choice is a function of (seed, epoch, index of the image) alone, so that results depend neither on the
// number of threads nor on where a run was interrupted.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_DATA_AUGMENTATION_H
#define DEEPSHARE_DATA_AUGMENTATION_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>

namespace deepshare {

/// What happens to a training image. The default changes nothing.
struct Augmentation {
  /// Mirrors the image left to right with probability 1/2.
  bool Flip = false;
  /// Shifts the image by up to this many pixels each way: pads it with the mean colour (0 after normalisation) and
  /// crops it at a random place.
  unsigned CropPadding = 0;
  /// Sets a square of this side to the mean colour, its centre anywhere in the image (DeVries and Taylor, 2017).
  unsigned Cutout = 0;
  /// Mixes each image of a batch with the next: x = w*x_i + (1-w)*x_next with one w of Beta(alpha, alpha) a batch
  /// (Zhang et al., 2018). 0: off.
  double MixupAlpha = 0;

  /// True if single images change (mixup, which changes batches, does not count).
  bool changesImages() const { return Flip || CropPadding || Cutout; }
};

/// Error if \p Options make no sense for images of \p Shape: flip, crop and cutout need [C,H,W].
llvm::Error checkAugmentation(const Augmentation &Options, llvm::ArrayRef<int64_t> Shape);

/// Applies flip, crop and cutout to one image [C,H,W] of normalised values.
void augmentImage(const Augmentation &Options, llvm::ArrayRef<int64_t> Shape, uint64_t Seed, uint64_t Epoch,
                  uint64_t Index, llvm::MutableArrayRef<float> Image);

/// Moves the label of each pixel to where augmentImage() moves the pixel; \p Filler comes where the image was padded.
/// \p Shape is the image's.
void augmentLabels(const Augmentation &Options, llvm::ArrayRef<int64_t> Shape, uint64_t Seed, uint64_t Epoch,
                   uint64_t Index, int64_t Filler, llvm::MutableArrayRef<int64_t> Labels);

/// Mixup's weight for batch number \p Position of an epoch: a sample of Beta(alpha, alpha), made larger than 1/2 so
/// that the first image is the one that counts.
float mixupWeight(double Alpha, uint64_t Seed, uint64_t Epoch, uint64_t Position);

/// Mixes the images of a batch in place: image i becomes \p Weight * image i + (1 - Weight) * image i+1 (the last one
/// is mixed with the first). \p ImageSize: elements of one image.
void mixImages(llvm::MutableArrayRef<float> Images, size_t ImageSize, float Weight);

} // namespace deepshare

#endif // DEEPSHARE_DATA_AUGMENTATION_H
