//===- Tensor.h - constant tensors ------------------------------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_IR_TENSOR_H
#define DEEPSHARE_IR_TENSOR_H

#include "deepshare/IR/Type.h"

#include <cassert>
#include <cstring>
#include <memory>
#include <vector>

namespace deepshare {

/// How the file that a tensor came from stored its elements; the exporter writes them back the same way.
enum class TensorStorage : uint8_t {
  Raw,      ///< bytes in `raw_data`
  Typed,    ///< `float_data`, `int32_data`, ...
  External, ///< bytes in a file beside the model
};

/// An immutable constant. A cheap handle: copies share the elements, which are a view of a memory-mapped file or of a
/// heap buffer that the handle keeps alive. To change a tensor, make a new one.
///
/// Elements are row-major, little-endian, and not necessarily aligned: read them with get<T>() or toVector<T>().
class Tensor {
public:
  /// A tensor over \p Bytes, which must live as long as \p Owner does.
  static Tensor view(ElementType Type, llvm::ArrayRef<int64_t> Dims, llvm::ArrayRef<char> Bytes,
                     std::shared_ptr<const void> Owner, TensorStorage Storage = TensorStorage::Raw);
  /// A tensor that owns a copy of \p Bytes.
  static Tensor copy(ElementType Type, llvm::ArrayRef<int64_t> Dims, llvm::ArrayRef<char> Bytes);
  /// A tensor of strings.
  static Tensor strings(llvm::ArrayRef<int64_t> Dims, std::vector<std::string> Values);
  /// A tensor that owns a copy of \p Values, one for each element of \p Dims.
  template <typename T> static Tensor of(llvm::ArrayRef<int64_t> Dims, llvm::ArrayRef<T> Values) {
    return copy(ElementTypeOf<T>::Value, Dims,
                {reinterpret_cast<const char *>(Values.data()), Values.size() * sizeof(T)});
  }
  /// A rank-0 tensor.
  template <typename T> static Tensor scalar(T Value) { return of<T>({}, llvm::ArrayRef<T>(&Value, 1)); }

  ElementType elementType() const { return Payload->Type; }
  llvm::ArrayRef<int64_t> dims() const { return Payload->Dims; }
  int64_t numElements() const;
  TensorStorage storage() const { return Payload->Storage; }
  TensorType type() const { return makeTensorType(elementType(), dims()); }

  /// The elements' bytes; empty for strings.
  llvm::ArrayRef<char> bytes() const { return Payload->Bytes; }
  /// The elements of a string tensor; empty for others.
  llvm::ArrayRef<std::string> strings() const { return Payload->Strings; }
  /// What keeps bytes() alive.
  const std::shared_ptr<const void> &owner() const { return Payload->Owner; }

  /// Element \p Index; T must be the tensor's element type.
  template <typename T> T get(size_t Index) const {
    assert(ElementTypeOf<T>::Value == elementType() && "reads a tensor as another type");
    assert((Index + 1) * sizeof(T) <= bytes().size() && "index past the tensor");
    T Value;
    std::memcpy(&Value, bytes().data() + Index * sizeof(T), sizeof(T));
    return Value;
  }
  /// All elements; T must be the tensor's element type.
  template <typename T> std::vector<T> toVector() const {
    assert(ElementTypeOf<T>::Value == elementType() && "reads a tensor as another type");
    std::vector<T> Values(bytes().size() / sizeof(T));
    if (!Values.empty())
      std::memcpy(Values.data(), bytes().data(), Values.size() * sizeof(T));
    return Values;
  }

  /// What the exporter needs to give back fields of the tensor's serialised form that we do not model (doc string,
  /// unknown fields, ...), as lib/ONNX wrote it; empty for a tensor made here.
  llvm::StringRef unmodelled() const { return Payload->Unmodelled; }
  /// Returns a handle to the same elements that carries \p Bytes as its unmodelled part.
  Tensor withUnmodelled(std::string Bytes) const;
  /// Returns a handle to the same elements with other dimensions of the same number of elements.
  Tensor reshaped(llvm::ArrayRef<int64_t> Dims) const;

private:
  struct Data {
    ElementType Type = ElementType::Undefined;
    llvm::SmallVector<int64_t, 4> Dims;
    llvm::ArrayRef<char> Bytes;
    std::vector<std::string> Strings;
    std::shared_ptr<const void> Owner;
    TensorStorage Storage = TensorStorage::Raw;
    std::string Unmodelled;
  };
  explicit Tensor(std::shared_ptr<const Data> Payload) : Payload(std::move(Payload)) {}

  std::shared_ptr<const Data> Payload;
};

/// Same type, dimensions and elements (bit for bit).
bool operator==(const Tensor &A, const Tensor &B);

/// Product of \p Dims; nothing if it overflows or a dimension is negative.
std::optional<int64_t> numElements(llvm::ArrayRef<int64_t> Dims);

} // namespace deepshare

#endif // DEEPSHARE_IR_TENSOR_H
