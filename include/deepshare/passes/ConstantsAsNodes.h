//===- ConstantsAsNodes.h -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_PASSES_CONSTANTSASNODES_H
#define DEEPSHARE_PASSES_CONSTANTSASNODES_H

#include "deepshare/passes/Pass.h"

namespace deepshare {

/// Turns initialisers of integers and booleans into Constant nodes, so that an importer does not take them for
/// weights.
PassInfo constantsAsNodesPass();

} // namespace deepshare

#endif // DEEPSHARE_PASSES_CONSTANTSASNODES_H
