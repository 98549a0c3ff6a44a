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
/// Std, a number each for a channel, or one for all. Empty: no shift, no scale.
struct Normalization {
  std::vector<float> Mean;
  std::vector<float> Std;
};

/// The array of a sample that goes to one of a model's inputs.
struct ImagePart {
  std::string Name; ///< of the input
  std::vector<int64_t> Shape;

  friend bool operator==(const ImagePart &, const ImagePart &) = default;
};

/// A set of images (or of any tensors of one shape) with optional labels, in memory or mapped.
class ImageSet {
public:
  virtual ~ImageSet();

  virtual uint64_t size() const = 0;
  /// Shape of one image as batch() gives it, channels first: [C,H,W]; for data that is not images, as stored.
  virtual llvm::ArrayRef<int64_t> shape() const = 0;
  /// What an image consists of if it is for a model of several inputs: shape() is then the number of all elements, and
  /// batch() writes an image's parts one after the other. Empty: a single tensor.
  virtual llvm::ArrayRef<ImagePart> parts() const { return {}; }
  virtual bool hasLabels() const = 0;
  /// [H,W] if every pixel has a label of its own; empty if an image has one.
  virtual llvm::ArrayRef<int64_t> labelShape() const { return {}; }
  /// Label of image \p Index; only with hasLabels() and an empty labelShape().
  virtual int64_t label(uint64_t Index) const = 0;
  /// Appends the labels of image \p Index, a row after the other: one if labelShape() is empty. NoLabel for a pixel
  /// that has none. Only with hasLabels().
  virtual void labels(uint64_t Index, std::vector<int64_t> &Into) const { Into.push_back(label(Index)); }
  static constexpr int64_t NoLabel = -1;
  /// Writes the images \p Indices, normalised, channels first, to \p Into, which has room for them all.
  virtual llvm::Error batch(llvm::ArrayRef<uint64_t> Indices, llvm::MutableArrayRef<float> Into) const = 0;
};

/// Opens an image set by what \p Path is:
/// - a .npy array (mapped): uint8 [N,H,W,C] or [N,H,W] is channels last and becomes [C,H,W] (C = 1 for the latter);
///   float32 or float64 of any shape [N,...] is taken as stored, images being [N,C,H,W]; other uint8 shapes too;
/// - a .npz archive: arrays `images` and, if there, `labels` (integers, [N] or [N,1], or [N,H,W] for a label a pixel,
///   where -1 and, in bytes, 255 are no label), or a single array; with two names or more in \p Parts, the arrays of
///   these names instead of `images`;
/// - an MNIST idx file of images, perhaps gzipped; `*-labels-idx1-ubyte` beside `*-images-idx3-ubyte` is found;
/// - a CIFAR-10 or CIFAR-100 binary batch (.bin), or a folder of them: the training batches (data_batch_*.bin or
///   train.bin) if there are any, else all. The label of CIFAR-100 is the fine one;
/// - a folder of PNG or JPEG files, or of class folders of them, classes and files in the order of their names. All
///   images must have the same size. Grey becomes RGB, alpha is dropped; files are decoded when batch() needs them.
/// Errors name the file and what is wrong with it: truncated, of another type or shape, not an image set at all, or a
/// normalisation for another number of channels (of any part). The set may be read from several threads at once.
llvm::Expected<std::unique_ptr<ImageSet>> openImageSet(llvm::StringRef Path, const Normalization &Norm,
                                                       llvm::ArrayRef<std::string> Parts = {});

/// \p Count images of \p Set drawn by \p Seed, in their order, as a set of their own; \p Set itself where it has no
/// more, or where \p Count is 0. The same seed draws the same images.
std::unique_ptr<ImageSet> sampleImages(std::unique_ptr<ImageSet> Set, uint64_t Count, uint64_t Seed);

/// Given: \p Count is at most \p Size. Count of the numbers 0 .. Size - 1, drawn by \p Seed without replacement, in
/// order.
std::vector<uint64_t> drawIndices(uint64_t Count, uint64_t Size, uint64_t Seed);

/// A set whose images consist of those of several sets, by the names of parts. Labels are the first set's. Given: two
/// sets or more, of equal size, none of which has parts.
std::unique_ptr<ImageSet> joinImages(std::vector<std::pair<std::string, std::unique_ptr<ImageSet>>> Sets);

/// \p Count tensors of \p Shape of normal noise, which \p Seed determines: for models without data.
std::unique_ptr<ImageSet> makeRandomImages(llvm::ArrayRef<int64_t> Shape, uint64_t Count, uint64_t Seed);

} // namespace deepshare

#endif // DEEPSHARE_DATA_IMAGESET_H
