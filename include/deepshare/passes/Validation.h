//===- Validation.h - compares a model before and after a pass -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Translation validation: after a pass, the model is run beside the model before it (lib/Exec) on the same few inputs,
// and the outputs are compared as the pass's PassEffect says:
//
//   Exact           the same numbers (0 and -0 are one, NaN is NaN)
//   Reassociates    |a - b| <= bound * the largest |a| of the output (reassociationBound), or what the output moves by
//                   where every value of the model before moves within the bound; integers and booleans alike. Where
//                   it has to be more than 1 % of the output's largest magnitude, nothing is said of the change
//   Shares          the same numbers as the plan's own definition gives on the model before (passes/PlanReference.h),
//                   which shares no code with the rewriting; averages in place of MaxPools agree within the bound
//   Refits          only that the outputs keep their types and shapes, and stay finite where they were
//
// A comparison jumps where what it compares is within rounding of zero (docs/ops.md), and a re-associating pass may tip
// it. Such a bit is not excused by a wider bound: a decision of the model before (a comparison, DReLU or Sign of the
// main graph or of a body) whose two sides are within the bound of each other is imposed on the value of the same name
// in the model after, element by element, and everything else is compared as ever. Likewise tiles whose mean is within
// rounding of zero are decided by means in double precision on both sides of a rewriting.
//
// A pass that says it changed nothing is not looked at: PipelineOptions::VerifyEach finds those that do not tell the
// truth.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_PASSES_VALIDATION_H
#define DEEPSHARE_PASSES_VALIDATION_H

#include "deepshare/passes/Pass.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace deepshare {

/// The bound of a re-associating pass, relative to the largest magnitude of a tensor whose elements have \p
/// MantissaBits of precision (24: float32): 128 units in the last place, and no finer than float32's, since weights are
/// float32.
double reassociationBound(unsigned MantissaBits);

/// What is compared.
struct ValidationOptions {
  /// Inputs of a comparison: images, or rows of the batch. A model of a fixed batch is run as often as they need.
  unsigned Samples = 4;
  /// The images that are given to a model that takes them; null: random inputs of the types and shapes that the graph
  /// asks for (normal floats, integers from 0 to 4, booleans; 32 along an axis of unknown size).
  const ImageSet *Images = nullptr;
  uint64_t Seed = 0;
};

/// How many changes of a model were compared.
struct ValidationSummary {
  unsigned Compared = 0;
  /// Changes whose values lib/Exec cannot compute, or of which rounding leaves too little to compare.
  unsigned Skipped = 0;
  /// Why the first of these could not be.
  std::string Reason;
};

/// Validates the passes of one run; PipelineOptions::Validate calls it.
class Validator {
public:
  explicit Validator(const ValidationOptions &Options);
  Validator(const Validator &) = delete;
  Validator &operator=(const Validator &) = delete;
  ~Validator();

  /// Compares the models before and after \p Change. An error says which output differs by how much, and which node
  /// computes the first value, in topological order and by name, where both part. Success, but counted as skipped,
  /// where the model before cannot be run (an operator that lib/Exec lacks, an input of strings, random inputs that do
  /// not fit), or where rounding alone may change an output by more than 1 %, and it has changed by more. A model after
  /// that cannot be run is an error.
  llvm::Error check(const PassChange &Change);

  const ValidationSummary &summary() const { return Summary; }

private:
  struct Inputs;
  ValidationOptions Options;
  ValidationSummary Summary;
  std::unique_ptr<Inputs> Drawn; ///< for the first model; later ones are given the same by name
};

} // namespace deepshare

#endif // DEEPSHARE_PASSES_VALIDATION_H
