//===- Identity.h - which training a checkpoint is of -----------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_TUNE_IDENTITY_H
#define DEEPSHARE_LIB_TUNE_IDENTITY_H

#include "deepshare/Tune/Training.h"

#include <string>

namespace deepshare::tune {

/// Everything that the course of a training depends on, as one line a part: "<part> <fingerprint>". The parts are the
/// model and the teacher (structure and weights), the images (number, shape, labels, and the pixels of some) and the
/// options. \p Teacher may be null.
std::string trainingIdentity(const Model &M, const Model *Teacher, const ImageSet &Images, const TrainingOptions &O);

/// The parts in which \p Stored differs from \p Own, for messages: "another teacher and other options". Empty if they
/// are equal.
std::string differences(llvm::StringRef Stored, llvm::StringRef Own);

} // namespace deepshare::tune

#endif // DEEPSHARE_LIB_TUNE_IDENTITY_H
