//===- Images.h - images in batches -----------------------------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_TOOLS_DS_RUN_IMAGES_H
#define DEEPSHARE_TOOLS_DS_RUN_IMAGES_H

#include "Options.h"

#include "deepshare/Exec/ImageInputs.h"

#include "llvm/ADT/STLFunctionalExtras.h"

#include <ATen/core/Tensor.h>

namespace deepshare {

/// Whether \p Output is [N,K] with K classes, 2 or more.
bool isLogits(const at::Tensor &Output);

/// The images of --images, up to --limit, in batches that the model takes.
class ImageBatches {
public:
  /// Error if the images are not the model's (ImageInputs), if there is none, or if the model's batches do not divide
  /// their number.
  static llvm::Expected<ImageBatches> open(const Graph &G, const RunOptions &Options);

  uint64_t size() const { return Total; }
  /// Whether each image has one label.
  bool hasClasses() const { return Images->hasLabels() && Images->labelShape().empty(); }
  /// Calls \p Run on each batch, a tensor [N,...] for each input, with the number of its first image; shows progress.
  /// Ends with the first error.
  llvm::Error forEach(llvm::function_ref<llvm::Error(llvm::ArrayRef<at::Tensor> Batch, uint64_t First)> Run) const;
  /// How many rows of \p Logits [N,K] have their greatest element where the label of image \p First and its followers
  /// says.
  uint64_t countCorrect(const at::Tensor &Logits, uint64_t First) const;

private:
  ImageBatches(std::unique_ptr<ImageSet> Images, ImageInputs Inputs)
      : Images(std::move(Images)), Inputs(std::move(Inputs)) {}
  std::unique_ptr<ImageSet> Images;
  ImageInputs Inputs;
  uint64_t Total = 0, Batch = 0;
};

} // namespace deepshare

#endif // DEEPSHARE_TOOLS_DS_RUN_IMAGES_H
