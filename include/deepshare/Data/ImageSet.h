//===- ImageSet.h - images as batches of tensors -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_DATA_IMAGESET_H
#define DEEPSHARE_DATA_IMAGESET_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace deepshare {

/// How stored images become network inputs: (value / 255 for bytes, the value itself for floats) minus Mean, divided by
/// Std, a channel each. Empty: no shift, no scale.
struct Normalization {
  std::vector<float> Mean;
  std::vector<float> Std;
};

/// A set of images (or of any tensors of one shape) with optional labels, in memory or mapped.
class ImageSet {
public:
  virtual ~ImageSet();

  virtual uint64_t size() const = 0;
  /// Shape of one image as batch() gives it, channels first: [C,H,W]; for data that is not images, as stored.
  virtual llvm::ArrayRef<int64_t> shape() const = 0;
  virtual bool hasLabels() const = 0;
  /// Label of image \p Index; only with hasLabels().
  virtual int64_t label(uint64_t Index) const = 0;
  /// Writes the images \p Indices, normalised, channels first, to \p Into, which has room for them all.
  virtual llvm::Error batch(llvm::ArrayRef<uint64_t> Indices, llvm::MutableArrayRef<float> Into) const = 0;
};

/// Opens an image set by what \p Path is: a .npy array, a .npz archive (arrays `images` and `labels`, or a single
/// array; uint8 [N,H,W,C] or float [N,C,H,W]), MNIST idx files (optionally gzipped; labels beside them are found),
/// CIFAR binary batches, or a folder of PNG/JPEG files (subfolders are classes, in the order of their names).
llvm::Expected<std::unique_ptr<ImageSet>> openImageSet(llvm::StringRef Path, const Normalization &Norm);

} // namespace deepshare

#endif // DEEPSHARE_DATA_IMAGESET_H
