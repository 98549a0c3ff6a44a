//===- SinkGates.h -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_PASSES_SINKGATES_H
#define DEEPSHARE_PASSES_SINKGATES_H

#include "deepshare/passes/Pass.h"

namespace deepshare {

/// Moves a monotone gate behind the MaxPool that alone uses it, where fewer elements are compared.
PassInfo sinkGatesPass();

} // namespace deepshare

#endif // DEEPSHARE_PASSES_SINKGATES_H
