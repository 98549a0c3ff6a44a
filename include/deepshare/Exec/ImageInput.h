//===- ImageInput.h - the input of a model that takes images ----*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_EXEC_IMAGEINPUT_H
#define DEEPSHARE_EXEC_IMAGEINPUT_H

#include "deepshare/IR/Model.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <optional>

namespace deepshare {

struct ImageInput {
  const Value *Input;
  /// Images a run, where the model fixes their number; 1 or more.
  std::optional<uint64_t> Batch;
};

/// The one input of \p M's main graph that has no constant. Error if there is none or several, or if it does not take
/// float images of \p Shape (without the batch).
llvm::Expected<ImageInput> findImageInput(const Model &M, llvm::ArrayRef<int64_t> Shape);

} // namespace deepshare

#endif // DEEPSHARE_EXEC_IMAGEINPUT_H
