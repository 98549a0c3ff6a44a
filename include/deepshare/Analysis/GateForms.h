//===- GateForms.h - the forms that gates are written in -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_ANALYSIS_GATEFORMS_H
#define DEEPSHARE_ANALYSIS_GATEFORMS_H

#include "deepshare/IR/Graph.h"

#include <optional>

namespace deepshare {

/// The tensor that \p V always has: a constant initialiser's or a Constant node's; null otherwise.
const Tensor *constantTensor(const Value *V);

/// constantTensor(V) if it is of floats, else null.
const Tensor *floatConstant(const Value *V);

/// The number in \p V if that is a constant of one int64 element.
std::optional<int64_t> integerConstant(const Value *V);

/// What \p V always is, if that is a constant of one boolean.
std::optional<bool> booleanConstant(const Value *V);

/// True if nothing secret can be in \p V: a constant, or an operand that is left out.
bool isConstant(const Value *V);

/// True if \p Norm, a BatchNormalization, scales and shifts each channel by its parameters. Before opset 14 more than
/// one output asks for training, whether the others have users or not; up to opset 8 `spatial` = 0 for single elements.
bool isInferenceNormalization(const Node &Norm);

/// The number that all elements of a constant have.
std::optional<float> splat(const Value *V);

/// b where V = b * X for one number b: X itself, zero, Neg(X), or a product with a constant.
std::optional<float> slopeOf(const Value *V, const Value *X);

/// Both slopes of a gate y = x * (x > 0 ? On : Off) that is the same for all channels.
struct Slopes {
  float On, Off;
};

/// A comparison of a value with zero: the bit is x > 0 (or x >= 0), or its complement.
struct ZeroComparison {
  const Value *X;
  bool Complement;
};

/// True for Greater, GreaterOrEqual, Less, LessOrEqual and Equal.
bool isComparison(const Node &N);

/// What \p N compares with zero; nothing if it is no such comparison.
std::optional<ZeroComparison> comparisonWithZero(const Node &N);

/// Slopes a, b where \p Where is Where(x > 0, a*x, b*x) with the condition \p Comparison. At x = 0 both sides are 0, so
/// that > and >= are one.
std::optional<Slopes> whereSlopes(const Node &Where, const Node &Comparison);

/// One bound of a Clip.
struct ClipBound {
  bool Exists;                ///< false for a side that is open
  std::optional<float> Value; ///< nothing for a bound that only the run knows
};

/// The lower (\p Side 0) or upper (1) bound of the Clip \p N, from its operands or, in old opsets, its attributes.
ClipBound clipBound(const Node &N, unsigned Side);

} // namespace deepshare

#endif // DEEPSHARE_ANALYSIS_GATEFORMS_H
