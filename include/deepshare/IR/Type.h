//===- Type.h - element types, dimensions and tensor types ------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_IR_TYPE_H
#define DEEPSHARE_IR_TYPE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/StringSet.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace deepshare {

/// Element type of a tensor. The numbers are those of ONNX's TensorProto.DataType; a number that this list does not
/// name (a type newer than this code) is carried through unchanged.
enum class ElementType : int32_t {
  Undefined = 0,
  Float32 = 1,
  UInt8 = 2,
  Int8 = 3,
  UInt16 = 4,
  Int16 = 5,
  Int32 = 6,
  Int64 = 7,
  String = 8,
  Bool = 9,
  Float16 = 10,
  Float64 = 11,
  UInt32 = 12,
  UInt64 = 13,
  Complex64 = 14,
  Complex128 = 15,
  BFloat16 = 16,
};

/// Returns the type's name as ONNX text writes it ("float", "int64", ...), or "type<N>" for one without a name.
std::string elementTypeName(ElementType Type);

/// Returns the size of one element in bytes; 0 for strings and for types whose elements do not fill whole bytes or
/// that this code does not know.
unsigned elementSize(ElementType Type);

/// True for real floating-point numbers of any width, what layers compute with.
bool isFloatingPoint(ElementType Type);

/// The ElementType of a C++ type.
template <typename T> struct ElementTypeOf;
template <> struct ElementTypeOf<float> {
  static constexpr ElementType Value = ElementType::Float32;
};
template <> struct ElementTypeOf<double> {
  static constexpr ElementType Value = ElementType::Float64;
};
template <> struct ElementTypeOf<uint8_t> {
  static constexpr ElementType Value = ElementType::UInt8;
};
template <> struct ElementTypeOf<int8_t> {
  static constexpr ElementType Value = ElementType::Int8;
};
template <> struct ElementTypeOf<uint16_t> {
  static constexpr ElementType Value = ElementType::UInt16;
};
template <> struct ElementTypeOf<int16_t> {
  static constexpr ElementType Value = ElementType::Int16;
};
template <> struct ElementTypeOf<uint32_t> {
  static constexpr ElementType Value = ElementType::UInt32;
};
template <> struct ElementTypeOf<int32_t> {
  static constexpr ElementType Value = ElementType::Int32;
};
template <> struct ElementTypeOf<uint64_t> {
  static constexpr ElementType Value = ElementType::UInt64;
};
template <> struct ElementTypeOf<int64_t> {
  static constexpr ElementType Value = ElementType::Int64;
};
template <> struct ElementTypeOf<bool> {
  static constexpr ElementType Value = ElementType::Bool;
};

/// One dimension of a shape: a fixed size, a named symbol ("N") or a multiple of one ("64*N"), or unknown.
class Dim {
public:
  /// An unknown dimension.
  Dim() = default;
  static Dim fixed(int64_t Size);
  static Dim symbolic(llvm::StringRef Symbol);
  /// \p Factor, at least 1, times the size that \p Symbol stands for: a symbol like "64*N", as PyTorch's exporter and
  /// ONNX Runtime's shape inference write it.
  static Dim multiple(int64_t Factor, llvm::StringRef Symbol);

  bool isFixed() const { return Size.has_value(); }
  bool isSymbolic() const { return !Symbol.empty(); }
  /// The size; only for a fixed dimension.
  int64_t size() const { return *Size; }
  /// The symbol; empty unless symbolic.
  llvm::StringRef symbol() const { return Symbol; }
  /// How many times the size of one of \p Names this is, and of which: 64 and "N" for "64*N", 1 and "N" for "N";
  /// nothing for others. A name among them that looks like a multiple ("2*N") is a name.
  std::optional<std::pair<int64_t, llvm::StringRef>> multipleOf(const llvm::StringSet<> &Names) const;
  /// "3", "N", "64*N" or "?".
  std::string str() const;

  /// Two unknown dimensions compare equal as descriptions; that says nothing of the sizes that they stand for.
  friend bool operator==(const Dim &, const Dim &) = default;

private:
  std::optional<int64_t> Size;
  std::string Symbol;
};

using Shape = llvm::SmallVector<Dim, 4>;

/// The type of a dense tensor: an element type and, if known, a shape.
struct TensorType {
  ElementType Element = ElementType::Undefined;
  /// Absent when not even the rank is known.
  std::optional<Shape> Dims;

  /// Returns the rank, or nothing if unknown.
  std::optional<unsigned> rank() const;
  /// True if the rank and all dimensions but those in the first \p FreeLeading positions are fixed.
  bool isStatic(unsigned FreeLeading = 0) const;
  /// "float[N,3,32,32]"; "float" when the rank is unknown.
  std::string str() const;

  friend bool operator==(const TensorType &, const TensorType &) = default;
};

/// Builds a tensor type of fixed dimensions.
TensorType makeTensorType(ElementType Element, llvm::ArrayRef<int64_t> Dims);

} // namespace deepshare

#endif // DEEPSHARE_IR_TYPE_H
