//===- ImageInputs.h - images as inputs of a model --------------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_EXEC_IMAGEINPUTS_H
#define DEEPSHARE_EXEC_IMAGEINPUTS_H

#include "deepshare/Data/ImageSet.h"
#include "deepshare/IR/Graph.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace deepshare {

/// What a caller has to give: the inputs of \p G that have no constant, in order.
std::vector<const Value *> freeInputs(const Graph &G);

/// openImageSet() for \p G: of an archive the arrays with the names of its inputs, if they are several.
llvm::Expected<std::unique_ptr<ImageSet>> openImagesFor(const Graph &G, llvm::StringRef Path,
                                                        const Normalization &Norm);

/// The images \p Indices of \p Set, [N, shape of the set].
llvm::Expected<at::Tensor> readImages(const ImageSet &Set, llvm::ArrayRef<uint64_t> Indices);

/// How the images of a set become the inputs of a graph.
class ImageInputs {
public:
  /// The only input of \p G takes the images; or each takes the part of \p Images that has its name. Error if there is
  /// no input, if one has no part, or if one does not take floats of its part's shape.
  static llvm::Expected<ImageInputs> find(const Graph &G, const ImageSet &Images);

  /// freeInputs() of the graph.
  llvm::ArrayRef<const Value *> inputs() const { return Inputs; }
  /// Images a run, where the model fixes their number; 1 or more.
  std::optional<uint64_t> batch() const { return Batch; }
  /// The input that fixes batch(), the first if several do; null if none does.
  const Value *batchInput() const { return BatchInput; }

  /// A tensor for each input. \p Images: of the set, [N,elements] or [N, shape of the set], on any device.
  std::vector<at::Tensor> split(const at::Tensor &Images) const;

private:
  /// Takes \p Input, for images of \p Shape that are, flattened, a row's elements from \p First on.
  llvm::Error add(const Value &Input, llvm::ArrayRef<int64_t> Shape, int64_t First);

  struct Piece {
    int64_t First, Size; ///< elements of a row
    std::vector<int64_t> Shape;
  };
  llvm::SmallVector<const Value *, 1> Inputs;
  llvm::SmallVector<Piece, 1> Pieces; ///< by input
  int64_t Elements = 0;               ///< of a row
  std::optional<uint64_t> Batch;
  const Value *BatchInput = nullptr;
};

} // namespace deepshare

#endif // DEEPSHARE_EXEC_IMAGEINPUTS_H
