//===- SumsAsAdds.h -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_PASSES_SUMSASADDS_H
#define DEEPSHARE_PASSES_SUMSASADDS_H

#include "deepshare/passes/Pass.h"

namespace deepshare {

/// Turns Sum into Adds, from left to right.
PassInfo sumsAsAddsPass();

} // namespace deepshare

#endif // DEEPSHARE_PASSES_SUMSASADDS_H
