//===- FoldBatchNorm.h -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_PASSES_FOLDBATCHNORM_H
#define DEEPSHARE_PASSES_FOLDBATCHNORM_H

#include "deepshare/passes/Pass.h"

namespace deepshare {

/// Folds a BatchNormalization into the linear layer before it.
PassInfo foldBatchNormPass();

} // namespace deepshare

#endif // DEEPSHARE_PASSES_FOLDBATCHNORM_H
