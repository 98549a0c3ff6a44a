//===- ExplicitAttributes.h -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_PASSES_EXPLICITATTRIBUTES_H
#define DEEPSHARE_PASSES_EXPLICITATTRIBUTES_H

#include "deepshare/passes/Pass.h"

namespace deepshare {

/// Writes out defaults of attributes: windows of Conv and pooling, Gemm's factors and operand C, axes.
PassInfo explicitAttributesPass();

} // namespace deepshare

#endif // DEEPSHARE_PASSES_EXPLICITATTRIBUTES_H
