//===- ShapeArithmetic.h - what is known of shapes as data -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_PASSES_SHAPEARITHMETIC_H
#define DEEPSHARE_PASSES_SHAPEARITHMETIC_H

#include "deepshare/IR/Model.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallVector.h"

#include <optional>

namespace deepshare {

/// One element of an integer tensor that a graph computes from shapes: a number, the size of a tensor's dimension, or
/// unknown.
class ShapeElement {
public:
  ShapeElement() = default;
  static ShapeElement number(int64_t N);
  static ShapeElement dimension(const Value *Of, unsigned Axis);

  bool isNumber() const { return Number.has_value(); }
  int64_t number() const { return *Number; }
  /// True if the element is certain to be the size of dimension \p Axis of \p V.
  bool isDimensionOf(const Value &V, unsigned Axis) const;

private:
  std::optional<int64_t> Number;
  const Value *Of = nullptr;
  unsigned Axis = 0;
};

/// An integer tensor of rank 0 or 1, element by element.
struct ShapeTensor {
  ElementType Type = ElementType::Int64;
  bool IsScalar = false;
  llvm::SmallVector<ShapeElement, 4> Elements;

  /// The tensor if every element is a number.
  std::optional<Tensor> constant() const;
};

/// Follows shapes through the integer arithmetic that exporters write for dynamic sizes (Shape, Gather, Slice, Concat,
/// Unsqueeze, Squeeze, Reshape, Cast, Add, Sub, Mul, Div), element by element, so that the fixed dimensions of a shape
/// with a dynamic batch are known. Visit nodes in graph order.
class ShapeArithmetic {
public:
  /// Looks at \p N and remembers what its first output holds.
  void visit(const Node &N);
  /// What is known of \p V: of a constant everything, of a visited node's output what visit() found; else nothing.
  std::optional<ShapeTensor> lookUp(const Value *V) const;
  /// Forgets \p V, which is about to be erased.
  void forget(const Value *V) { Known.erase(V); }

private:
  std::optional<ShapeTensor> evaluate(const Node &N) const;
  llvm::DenseMap<const Value *, ShapeTensor> Known;
};

/// Size of dimension \p Axis (from the end if negative) of \p V, if it is fixed.
std::optional<int64_t> fixedDimension(const Value &V, int64_t Axis);

/// The elements of a constant int64 or int32 tensor of any rank; nothing for anything else.
std::optional<std::vector<int64_t>> constantIntegers(const Value *V);

/// The place from 0 to \p Last that \p V, a constant of one element, is among \p Size; a negative one counts from the
/// end. Nothing if it is none.
std::optional<int64_t> constantPlace(const Value *V, int64_t Size, int64_t Last);

/// An operand that an operator took as attribute \p Name before some opset and takes as constant input \p Index since.
std::optional<std::vector<int64_t>> integersOperand(const Node &N, unsigned Index, llvm::StringRef Name);

/// Bytes of a tensor of type \p Type; nothing if the type does not tell.
std::optional<int64_t> byteSize(const std::optional<TensorType> &Type);

} // namespace deepshare

#endif // DEEPSHARE_PASSES_SHAPEARITHMETIC_H
