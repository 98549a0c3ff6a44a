//===- SampleInputs.h - inputs to run a model on -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_PASSES_SAMPLEINPUTS_H
#define DEEPSHARE_LIB_PASSES_SAMPLEINPUTS_H

#include "deepshare/Data/ImageSet.h"
#include "deepshare/IR/Model.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"

#include <ATen/core/Tensor.h>

#include <vector>

namespace deepshare {

/// One tensor for each input that has no constant, by the input's name.
using NamedTensors = llvm::StringMap<at::Tensor>;

/// Draws inputs for \p Samples rows of the batch of \p M, in as many runs as a fixed batch needs: images of \p Images,
/// or random numbers where it is null (ValidationOptions::Images). The same for the same seed. Error where the images
/// do not fit, or an input's type is not known or one that ATen lacks.
llvm::Expected<std::vector<NamedTensors>> drawInputs(const Model &M, const ImageSet *Images, unsigned Samples,
                                                     uint64_t Seed);

} // namespace deepshare

#endif // DEEPSHARE_LIB_PASSES_SAMPLEINPUTS_H
