//===- GateTable.h - the table of --count -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_TOOLS_DS_OPT_GATETABLE_H
#define DEEPSHARE_TOOLS_DS_OPT_GATETABLE_H

#include "deepshare/IR/Model.h"

#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"

namespace deepshare {

/// Infers the shapes of \p M, finds its gates and prints a line for each site and one for the total.
llvm::Error printGateTable(Model &M, llvm::raw_ostream &Out);

} // namespace deepshare

#endif // DEEPSHARE_TOOLS_DS_OPT_GATETABLE_H
