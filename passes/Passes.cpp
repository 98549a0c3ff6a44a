//===- Passes.cpp - the registry of all passes ----------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/Canonicalize.h"
#include "deepshare/passes/ChannelsFirst.h"
#include "deepshare/passes/CheckTarget.h"
#include "deepshare/passes/ConstantsAsNodes.h"
#include "deepshare/passes/ConstantsSecond.h"
#include "deepshare/passes/ContractGates.h"
#include "deepshare/passes/DecomposeOperators.h"
#include "deepshare/passes/DistinctNames.h"
#include "deepshare/passes/EliminateCommonSubexpressions.h"
#include "deepshare/passes/EliminateDeadCode.h"
#include "deepshare/passes/EliminateIdentity.h"
#include "deepshare/passes/ExpandGates.h"
#include "deepshare/passes/ExplicitAttributes.h"
#include "deepshare/passes/ExplicitShapes.h"
#include "deepshare/passes/FoldBatchNorm.h"
#include "deepshare/passes/FoldConstants.h"
#include "deepshare/passes/FoldScales.h"
#include "deepshare/passes/GreaterAsLess.h"
#include "deepshare/passes/InferShapes.h"
#include "deepshare/passes/InlineBodies.h"
#include "deepshare/passes/InlineFunctions.h"
#include "deepshare/passes/LowerShareOps.h"
#include "deepshare/passes/MergeComparisons.h"
#include "deepshare/passes/ObserveGates.h"
#include "deepshare/passes/PlanGates.h"
#include "deepshare/passes/Repair.h"
#include "deepshare/passes/ScalarOperands.h"
#include "deepshare/passes/SelectionAsConv.h"
#include "deepshare/passes/SequencesAsSplit.h"
#include "deepshare/passes/SequencesAsTensors.h"
#include "deepshare/passes/ShareGates.h"
#include "deepshare/passes/SinkGates.h"
#include "deepshare/passes/SpatialReductionAsPooling.h"
#include "deepshare/passes/SumsAsAdds.h"

using namespace deepshare;

llvm::ArrayRef<PassInfo> deepshare::allPasses() {
  // One pass a line.
  // clang-format off
  static const PassInfo Table[] = {
      canonicalizePass(),
      channelsFirstPass(),
      checkTargetPass(),
      constantsAsNodesPass(),
      constantsSecondPass(),
      contractGatesPass(),
      decomposeOperatorsPass(),
      distinctNamesPass(),
      eliminateCommonSubexpressionsPass(),
      eliminateDeadCodePass(),
      eliminateIdentityPass(),
      expandGatesPass(),
      explicitAttributesPass(),
      explicitShapesPass(),
      foldBatchNormPass(),
      foldConstantsPass(),
      foldScalesPass(),
      greaterAsLessPass(),
      inferShapesPass(),
      inlineBodiesPass(),
      inlineFunctionsPass(),
      lowerShareOpsPass(),
      mergeComparisonsPass(),
      observeGatesPass(),
      planGatesPass(),
      repairPass(),
      scalarOperandsPass(),
      selectionAsConvPass(),
      sequencesAsSplitPass(),
      sequencesAsTensorsPass(),
      shareGatesPass(),
      sinkGatesPass(),
      spatialReductionAsPoolingPass(),
      sumsAsAddsPass(),
  };
  // clang-format on
  return Table;
}
