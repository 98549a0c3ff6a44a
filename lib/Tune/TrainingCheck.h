//===- TrainingCheck.h - whether a training can be run ----------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_TUNE_TRAININGCHECK_H
#define DEEPSHARE_LIB_TUNE_TRAININGCHECK_H

#include "deepshare/Tune/Training.h"

namespace deepshare::tune {

/// Error if the options make no sense, or do not fit the models and images. \p Teacher may be null.
llvm::Error checkTraining(const Model &M, const Model *Teacher, const ImageSet &Images, const TrainingOptions &O);

} // namespace deepshare::tune

#endif // DEEPSHARE_LIB_TUNE_TRAININGCHECK_H
