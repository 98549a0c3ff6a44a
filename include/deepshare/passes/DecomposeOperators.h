//===- DecomposeOperators.h -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_PASSES_DECOMPOSEOPERATORS_H
#define DEEPSHARE_PASSES_DECOMPOSEOPERATORS_H

#include "deepshare/passes/Pass.h"

namespace deepshare {

/// Replaces operators that a target lacks by ONNX's own definition of them.
PassInfo decomposeOperatorsPass();

} // namespace deepshare

#endif // DEEPSHARE_PASSES_DECOMPOSEOPERATORS_H
