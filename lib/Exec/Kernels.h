//===- Kernels.h - the table of operators -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_EXEC_KERNELS_H
#define DEEPSHARE_LIB_EXEC_KERNELS_H

#include "OpContext.h"

namespace deepshare::exec {

/// Computes a node's outputs. Never writes to its inputs, so that autograd works through it.
using Kernel = Tensors (*)(const OpContext &);

/// One operator: a line of a family's table.
struct Operator {
  llvm::StringRef Name;
  Kernel Run;
  /// Whether the kernel can run a node with these attributes; absent: any.
  bool (*Supports)(const Attributes &) = nullptr;
  /// The kernel gives its outputs the right types itself. Others get float32 in place of 16-bit floats on a CPU, which
  /// has few 16-bit kernels, and their float32 outputs are rounded back.
  bool FixesTypes = false;
  llvm::StringRef Domain = "";
};

// One table a family, in the file of that name.
llvm::ArrayRef<Operator> activationOperators();
llvm::ArrayRef<Operator> arithmeticOperators();
llvm::ArrayRef<Operator> comparisonOperators();
llvm::ArrayRef<Operator> constantOperators();
llvm::ArrayRef<Operator> controlFlowOperators();
llvm::ArrayRef<Operator> convolutionOperators();
llvm::ArrayRef<Operator> gateOperators();
llvm::ArrayRef<Operator> indexingOperators();
llvm::ArrayRef<Operator> linearOperators();
llvm::ArrayRef<Operator> normalizationOperators();
llvm::ArrayRef<Operator> poolingOperators();
llvm::ArrayRef<Operator> quantizationOperators();
llvm::ArrayRef<Operator> reductionOperators();
llvm::ArrayRef<Operator> resizeOperators();
llvm::ArrayRef<Operator> shapeOperators();
llvm::ArrayRef<Operator> slicingOperators();

/// The kernel for operator \p Name of \p Domain; null if there is none.
const Operator *findOperator(llvm::StringRef Domain, llvm::StringRef Name);

} // namespace deepshare::exec

#endif // DEEPSHARE_LIB_EXEC_KERNELS_H
