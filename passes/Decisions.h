//===- Decisions.h - comparisons of a run and how close they were -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// A comparison jumps: where its sides are within rounding of each other, two orders of the same sum may decide it
// differently, and what depends on it moves by its full value. These bits are taken down in one run and imposed on
// another, so that all else can be compared as if there were no jumps.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_PASSES_DECISIONS_H
#define DEEPSHARE_LIB_PASSES_DECISIONS_H

#include "deepshare/Exec/Exec.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"

#include <ATen/core/Tensor.h>

#include <deque>

namespace deepshare {

/// The largest finite magnitude in \p T; 0 if there is none.
double magnitude(const at::Tensor &T);

/// How far rounding may move elements of this type, relative to the largest magnitude of their tensor:
/// reassociationBound of its precision.
double roundingOf(at::ScalarType Type);

/// The decisions of one run: the outputs of comparisons, DReLU and Sign in the main graph and in the bodies of its If,
/// Loop and Scan, in the order in which they are made.
class Decisions {
public:
  /// Has \p Exec show the decisions of \p M and what they compare.
  static void observe(Executor &Exec, Model &M);

  /// To be called for each observed value of a run of \p Exec.
  void takeDown(const Executor &Exec, const Value &V, const at::Tensor &T);

  /// To be called for each observed value of another run. Given: \p T, the value of \p V. Execute: puts the elements
  /// that were taken down for the value of the same name in its place, where the sides of their comparisons were within
  /// rounding of each other. Of what a body computes again and again, the n-th time gets what was taken down the n-th
  /// time.
  void impose(const Value &V, at::Tensor &T);

  /// As impose(), but of all elements; returns whether \p V is such a value.
  bool repeat(const Value &V, at::Tensor &T);

  /// Given: \p T, the value of \p V, whose operands were taken down in the same run. Execute: if it is a DReLU of
  /// tiles, decides those whose means are within rounding of zero anew, by means in double precision.
  void decideTiles(const Value &V, at::Tensor &T) const;

private:
  struct Decision {
    at::Tensor Result;
    at::Tensor IsClose;
  };
  std::optional<Decision> next(const Value &V);
  at::Tensor findClose(const Executor &Exec, const Node &N) const;

  llvm::DenseMap<const Value *, at::Tensor> Operands;
  llvm::StringMap<std::deque<Decision>> ByPath; ///< by pathOf()
};

} // namespace deepshare

#endif // DEEPSHARE_LIB_PASSES_DECISIONS_H
