//===- GreaterAsLess.h -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_PASSES_GREATERASLESS_H
#define DEEPSHARE_PASSES_GREATERASLESS_H

#include "deepshare/passes/Pass.h"

namespace deepshare {

/// Turns Greater and GreaterOrEqual into Less and LessOrEqual of the exchanged operands.
PassInfo greaterAsLessPass();

} // namespace deepshare

#endif // DEEPSHARE_PASSES_GREATERASLESS_H
