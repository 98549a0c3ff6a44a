//===- RoundTrip.h - checks that a model survives printing -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_TOOLS_DS_OPT_ROUNDTRIP_H
#define DEEPSHARE_TOOLS_DS_OPT_ROUNDTRIP_H

#include "deepshare/IR/Model.h"

#include "llvm/Support/Error.h"

namespace deepshare {

/// Writes \p M as text and as binary, reads both back and writes them again; an error if that gives other bytes.
llvm::Error checkRoundTrip(const Model &M);

} // namespace deepshare

#endif // DEEPSHARE_TOOLS_DS_OPT_ROUNDTRIP_H
