//===- RingKernels.h - operators on ring elements ---------------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_EXEC_RINGKERNELS_H
#define DEEPSHARE_LIB_EXEC_RINGKERNELS_H

#include "Kernels.h"
#include "NumberSystem.h"

namespace deepshare::exec {

/// Computes a node one of whose inputs is a carrier. Results are integers of the ring; nothing if the ring cannot
/// compute the node as it stands.
using RingKernel = std::optional<Tensors> (*)(const Operator &Op, const OpContext &C, RingNumbers &S);

/// The kernel for \p N, which adds and multiplies; null if there is none.
RingKernel findRingKernel(const Node &N);

/// Whether \p N gives the elements of its inputs, moved, picked or filled up with zeros, and computes nothing: its
/// kernel serves carriers.
bool movesElements(const OpContext &C);

} // namespace deepshare::exec

#endif // DEEPSHARE_LIB_EXEC_RINGKERNELS_H
