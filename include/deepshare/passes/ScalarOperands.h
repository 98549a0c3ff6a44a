//===- ScalarOperands.h -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_PASSES_SCALAROPERANDS_H
#define DEEPSHARE_PASSES_SCALAROPERANDS_H

#include "deepshare/passes/Pass.h"

namespace deepshare {

/// Makes operands of Range with one element the scalars that ONNX asks for.
PassInfo scalarOperandsPass();

} // namespace deepshare

#endif // DEEPSHARE_PASSES_SCALAROPERANDS_H
