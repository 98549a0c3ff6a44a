//===- Canonicalize.cpp - the canonical form ------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// An alias, repeated until no pass of it changes anything. Distinct names come first, since the others hand values from
// graphs to their subgraphs, then functions written out, then shapes, which the others read; and shapes again in each
// round, since a folded shape operand makes more of them known.
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/Canonicalize.h"

using namespace deepshare;

PassInfo deepshare::canonicalizePass() {
  return {.Name = "canonicalize",
          .Contract =
              "Brings a model into the form that the analyses expect, by repeating the passes of its pipeline until "
              "none changes anything.",
          .Options = {},
          .Create = nullptr,
          .Alias = "distinct-names,inline-functions,infer-shapes,scalar-operands,fold-constants,inline-bodies,"
                   "sequences-as-split,sequences-as-tensors,eliminate-identity,fold-batch-norm,"
                   "eliminate-common-subexpressions,eliminate-dead-code"};
}
