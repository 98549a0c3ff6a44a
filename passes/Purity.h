//===- Purity.h - which nodes give the same result each time -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_PASSES_PURITY_H
#define DEEPSHARE_PASSES_PURITY_H

#include "deepshare/IR/Graph.h"

namespace deepshare {

/// True if \p N is one of ONNX's own operators, has no subgraphs, and depends on nothing but its inputs and attributes:
/// it is not random.
bool isPure(const Node &N);

} // namespace deepshare

#endif // DEEPSHARE_PASSES_PURITY_H
