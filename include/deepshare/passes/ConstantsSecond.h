//===- ConstantsSecond.h -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_PASSES_CONSTANTSSECOND_H
#define DEEPSHARE_PASSES_CONSTANTSSECOND_H

#include "deepshare/passes/Pass.h"

namespace deepshare {

/// Makes constants the second operands of Add, Mul and Sub, and takes away Neg and operands given twice.
PassInfo constantsSecondPass();

} // namespace deepshare

#endif // DEEPSHARE_PASSES_CONSTANTSSECOND_H
