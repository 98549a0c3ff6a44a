//===- Passes.cpp - the registry of all passes ----------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/Canonicalize.h"
#include "deepshare/passes/ContractGates.h"
#include "deepshare/passes/EliminateCommonSubexpressions.h"
#include "deepshare/passes/EliminateDeadCode.h"
#include "deepshare/passes/EliminateIdentity.h"
#include "deepshare/passes/ExpandGates.h"
#include "deepshare/passes/FoldBatchNorm.h"
#include "deepshare/passes/FoldConstants.h"
#include "deepshare/passes/InferShapes.h"
#include "deepshare/passes/LowerOnnx.h"
#include "deepshare/passes/ObserveGates.h"
#include "deepshare/passes/PlanGates.h"
#include "deepshare/passes/Repair.h"
#include "deepshare/passes/ShareGates.h"

using namespace deepshare;

llvm::ArrayRef<PassInfo> deepshare::allPasses() {
  // One pass a line.
  // clang-format off
  static const PassInfo Table[] = {
      canonicalizePass(),
      contractGatesPass(),
      eliminateCommonSubexpressionsPass(),
      eliminateDeadCodePass(),
      eliminateIdentityPass(),
      expandGatesPass(),
      foldBatchNormPass(),
      foldConstantsPass(),
      inferShapesPass(),
      lowerOnnxPass(),
      observeGatesPass(),
      planGatesPass(),
      repairPass(),
      shareGatesPass(),
  };
  // clang-format on
  return Table;
}
