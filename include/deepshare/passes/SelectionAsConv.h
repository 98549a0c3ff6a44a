//===- SelectionAsConv.h -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_PASSES_SELECTIONASCONV_H
#define DEEPSHARE_PASSES_SELECTIONASCONV_H

#include "deepshare/passes/Pass.h"

namespace deepshare {

/// Turns chains of strided Slice and Pad into one convolution with public weights of zeros and ones.
PassInfo selectionAsConvPass();

} // namespace deepshare

#endif // DEEPSHARE_PASSES_SELECTIONASCONV_H
