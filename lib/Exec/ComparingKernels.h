//===- ComparingKernels.h - operators that compare --------------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_EXEC_COMPARINGKERNELS_H
#define DEEPSHARE_LIB_EXEC_COMPARINGKERNELS_H

#include "NumberSystem.h"

namespace deepshare::exec {

/// Computes a node of numbers. Results are numbers or bits.
using ComparingKernel = Tensors (*)(const OpContext &C, NumberSystem &S);

/// The kernel for \p N, each of whose secure comparisons goes through NumberSystem::isPositive; null if it makes none.
/// Pools that also give positions are left to their ordinary kernel.
ComparingKernel findComparingKernel(const Node &N);

} // namespace deepshare::exec

#endif // DEEPSHARE_LIB_EXEC_COMPARINGKERNELS_H
