//===- FixedPoint.h - a model in a ring, on images --------------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_TOOLS_DS_RUN_FIXEDPOINT_H
#define DEEPSHARE_TOOLS_DS_RUN_FIXEDPOINT_H

#include "Options.h"

#include "deepshare/IR/Model.h"

namespace deepshare {

/// Does what --ring and --range ask for: runs \p M on the images and prints what fixed point makes of it, or the bits
/// that comparisons need; writes --json and -o.
llvm::Error runFixedPoint(const Model &M, const RunOptions &Options);

} // namespace deepshare

#endif // DEEPSHARE_TOOLS_DS_RUN_FIXEDPOINT_H
