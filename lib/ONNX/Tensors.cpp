//===- Tensors.cpp - TensorProto and Tensor -------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// A tensor's elements stand in `raw_data` (little-endian, as Tensor has them), in an external file in the same form,
// or in one of the typed fields, where narrow types are widened one by one:
//
//   float_data   float, complex64          int64_data   int64
//   double_data  double, complex128        uint64_data  uint32, uint64
//   int32_data   int32, int16, int8, uint16, uint8, bool; float16 and bfloat16 by their bits
//   string_data  string
//
// Typed elements of types that the IR does not know (elementSize 0), and those that do not survive the way through
// the narrow type, stay in the tensor's unmodelled part.
//
//===----------------------------------------------------------------------===//

#include "Tensors.h"

#include "llvm/Support/MathExtras.h"

#include <fmt/format.h>

#include <cstring>

using namespace deepshare;
using namespace deepshare::onnx;

// Calls Visit<T>(field) with the repeated field that holds elements of \p Type, one entry of which stands for a T in
// memory. Returns false for types that have none that we know.
template <typename Proto, typename Visitor> static bool visitTypedField(ElementType Type, Proto &P, Visitor Visit) {
  switch (Type) {
  case ElementType::Float32:
  case ElementType::Complex64:
    return Visit.template operator()<float>(P.float_data());
  case ElementType::Float64:
  case ElementType::Complex128:
    return Visit.template operator()<double>(P.double_data());
  case ElementType::Int32:
    return Visit.template operator()<int32_t>(P.int32_data());
  case ElementType::Int16:
    return Visit.template operator()<int16_t>(P.int32_data());
  case ElementType::Int8:
    return Visit.template operator()<int8_t>(P.int32_data());
  case ElementType::UInt16:
  case ElementType::Float16:
  case ElementType::BFloat16:
    return Visit.template operator()<uint16_t>(P.int32_data());
  case ElementType::UInt8:
  case ElementType::Bool:
    return Visit.template operator()<uint8_t>(P.int32_data());
  case ElementType::Int64:
    return Visit.template operator()<int64_t>(P.int64_data());
  case ElementType::UInt32:
    return Visit.template operator()<uint32_t>(P.uint64_data());
  case ElementType::UInt64:
    return Visit.template operator()<uint64_t>(P.uint64_data());
  default:
    return false;
  }
}

static int numTypedFields(const TensorProto &P) {
  return !P.float_data().empty() + !P.int32_data().empty() + !P.string_data().empty() + !P.int64_data().empty() +
         !P.double_data().empty() + !P.uint64_data().empty();
}

static void clearTypedData(TensorProto &P) {
  P.clear_float_data();
  P.clear_int32_data();
  P.clear_string_data();
  P.clear_int64_data();
  P.clear_double_data();
  P.clear_uint64_data();
}

// Packs the typed elements of \p P into bytes. Exact is cleared where an entry does not fit the type.
static std::vector<char> packTypedData(const TensorProto &P, ElementType Type, bool &Exact) {
  std::vector<char> Packed;
  visitTypedField(Type, P, [&]<typename T>(const auto &Field) {
    Packed.resize(Field.size() * sizeof(T));
    for (int I = 0; I < Field.size(); ++I) {
      auto Element = static_cast<T>(Field[I]);
      // Bits, not values, are what must survive (NaN); a float field holds what the IR holds.
      if constexpr (!std::is_floating_point_v<T>)
        Exact &= static_cast<std::decay_t<decltype(Field[I])>>(Element) == Field[I];
      std::memcpy(Packed.data() + I * sizeof(Element), &Element, sizeof(Element));
    }
    return true;
  });
  return Packed;
}

static void unpackTypedData(const Tensor &T, TensorProto &P) {
  llvm::ArrayRef<char> Bytes = T.bytes();
  visitTypedField(T.elementType(), P, [&]<typename Element>(const auto &Field) {
    auto &Mutable = const_cast<std::decay_t<decltype(Field)> &>(Field);
    Mutable.Reserve(Bytes.size() / sizeof(Element));
    for (size_t At = 0; At + sizeof(Element) <= Bytes.size(); At += sizeof(Element)) {
      Element Next;
      std::memcpy(&Next, Bytes.data() + At, sizeof(Next));
      Mutable.Add(Next);
    }
    return true;
  });
}

static llvm::Error fail(llvm::StringRef Name, const std::string &Reason) {
  return llvm::createStringError(fmt::format("tensor '{}': {}", Name.str(), Reason));
}

// The bytes that a tensor of this type and these dimensions has; nothing for types that the IR does not know.
static llvm::Expected<std::optional<uint64_t>> expectedSize(ElementType Type, llvm::ArrayRef<int64_t> Dims,
                                                            llvm::StringRef Name) {
  std::optional<int64_t> Count = numElements(Dims);
  int64_t Size = elementSize(Type);
  int64_t Total = 0;
  if (!Count || llvm::MulOverflow(*Count, std::max<int64_t>(Size, 1), Total))
    return fail(Name, fmt::format("impossible dimensions [{}]", fmt::join(Dims, ",")));
  return Size ? std::optional<uint64_t>(Total) : std::nullopt;
}

static llvm::Error checkSize(uint64_t Got, std::optional<uint64_t> Expected, ElementType Type,
                             llvm::ArrayRef<int64_t> Dims, llvm::StringRef Name) {
  if (!Expected || Got == *Expected)
    return llvm::Error::success();
  return fail(Name, fmt::format("expected {} bytes for {}[{}], got {}", *Expected, elementTypeName(Type),
                                fmt::join(Dims, ","), Got));
}

static llvm::Expected<Tensor> readStrings(TensorProto &P, llvm::ArrayRef<int64_t> Dims, llvm::StringRef Name) {
  std::optional<int64_t> Count = numElements(Dims);
  if (!Count || *Count != P.string_data_size())
    return fail(Name, fmt::format("expected string[{}], got {} strings", fmt::join(Dims, ","), P.string_data_size()));
  std::vector<std::string> Strings(P.string_data().begin(), P.string_data().end());
  P.clear_string_data();
  return Tensor::strings(Dims, std::move(Strings));
}

llvm::Error deepshare::onnx::checkElementType(int32_t Type, llvm::StringRef Name) {
  if (TensorProto::DataType_IsValid(Type))
    return llvm::Error::success();
  return fail(Name, fmt::format("expected an element type of ONNX, got number {}", Type));
}

llvm::Expected<Tensor> deepshare::onnx::readTensor(TensorProto &P, llvm::StringRef Name, const TensorSource &Source) {
  llvm::SmallVector<int64_t, 4> Dims(P.dims().begin(), P.dims().end());
  P.clear_dims();
  auto Type = static_cast<ElementType>(P.data_type());
  if (Type == ElementType::Undefined)
    return fail(Name, "it has no element type");
  if (llvm::Error E = checkElementType(P.data_type(), Name))
    return E;
  P.clear_data_type();
  bool External = P.data_location() == TensorProto::EXTERNAL;
  if (P.has_raw_data() + numTypedFields(P) + External > 1)
    return fail(Name, "its elements are given twice");
  if (Type == ElementType::String && !External && !P.has_raw_data()) {
    llvm::Expected<Tensor> T = readStrings(P, Dims, Name);
    if (!T)
      return T;
    return T->withUnmodelled(remainder(P));
  }
  if (Type == ElementType::String)
    return fail(Name, "strings must be in string_data");
  auto Expected = expectedSize(Type, Dims, Name);
  if (!Expected)
    return Expected.takeError();

  ExternalDataReader::Bytes Bytes{{}, Source.Owner};
  TensorStorage Storage = TensorStorage::Raw;
  if (External) {
    llvm::Expected<ExternalDataReader::Bytes> Found = Source.External.read(P, *Expected);
    if (!Found)
      return fail(Name, llvm::toString(Found.takeError()));
    Bytes = std::move(*Found);
    Storage = TensorStorage::External;
    P.clear_external_data();
    P.clear_data_location();
  } else if (P.has_raw_data()) {
    std::optional<llvm::ArrayRef<char>> View = Source.Stripped.rawDataAt(P.raw_data());
    assert(View && "raw_data was not stripped");
    Bytes.View = *View;
    P.clear_raw_data();
  } else {
    Storage = TensorStorage::Typed;
    bool Exact = true;
    auto Packed = std::make_shared<std::vector<char>>(packTypedData(P, Type, Exact));
    Bytes = {*Packed, Packed};
    if (Exact && elementSize(Type))
      clearTypedData(P);
  }
  if (llvm::Error E = checkSize(Bytes.View.size(), *Expected, Type, Dims, Name))
    return E;
  return Tensor::view(Type, Dims, Bytes.View, Bytes.Owner, Storage).withUnmodelled(remainder(P));
}

void deepshare::onnx::writeTensor(const Tensor &T, TensorProto &P, const TensorSink &Sink) {
  restore(P, T.unmodelled());
  P.mutable_dims()->Assign(T.dims().begin(), T.dims().end());
  P.set_data_type(static_cast<int32_t>(T.elementType()));
  if (Sink.LargestKept && T.bytes().size() > *Sink.LargestKept)
    return;
  if (numTypedFields(P) > 0)
    return;
  if (T.elementType() == ElementType::String) {
    for (const std::string &S : T.strings())
      P.add_string_data(S);
    return;
  }
  if (Sink.External && (T.storage() == TensorStorage::External || T.bytes().size() >= ExternalDataWriter::Threshold))
    Sink.External->write(T.bytes(), P);
  else if (T.storage() == TensorStorage::Typed)
    unpackTypedData(T, P);
  else
    P.set_raw_data(T.bytes().data(), T.bytes().size());
}
