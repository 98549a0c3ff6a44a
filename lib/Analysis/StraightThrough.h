//===- StraightThrough.h - gradients through quantization -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_ANALYSIS_STRAIGHTTHROUGH_H
#define DEEPSHARE_LIB_ANALYSIS_STRAIGHTTHROUGH_H

#include "deepshare/Exec/Exec.h"

namespace deepshare {

/// Lets gradients pass pairs of QuantizeLinear and DequantizeLinear in the main graph of \p M as if they were not there
/// (the straight-through estimator); values stay what they are. Without it the integers between the two cut the
/// gradient, and gates before them would seem to weigh nothing.
void passGradientsThroughQuantization(const Model &M, Executor &E);

} // namespace deepshare

#endif // DEEPSHARE_LIB_ANALYSIS_STRAIGHTTHROUGH_H
