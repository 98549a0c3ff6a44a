//===- Type.cpp - element types, dimensions and tensor types --------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/IR/Type.h"

#include <fmt/format.h>

using namespace deepshare;

namespace {
struct ElementInfo {
  ElementType Type;
  const char *Name;
  unsigned Size;
};
} // namespace

static constexpr ElementInfo Elements[] = {
    {ElementType::Undefined, "undefined", 0}, {ElementType::Float32, "float", 4},
    {ElementType::UInt8, "uint8", 1},         {ElementType::Int8, "int8", 1},
    {ElementType::UInt16, "uint16", 2},       {ElementType::Int16, "int16", 2},
    {ElementType::Int32, "int32", 4},         {ElementType::Int64, "int64", 8},
    {ElementType::String, "string", 0},       {ElementType::Bool, "bool", 1},
    {ElementType::Float16, "float16", 2},     {ElementType::Float64, "double", 8},
    {ElementType::UInt32, "uint32", 4},       {ElementType::UInt64, "uint64", 8},
    {ElementType::Complex64, "complex64", 8}, {ElementType::Complex128, "complex128", 16},
    {ElementType::BFloat16, "bfloat16", 2},
};

static const ElementInfo *lookUp(ElementType Type) {
  for (const ElementInfo &Info : Elements)
    if (Info.Type == Type)
      return &Info;
  return nullptr;
}

std::string deepshare::elementTypeName(ElementType Type) {
  if (const ElementInfo *Info = lookUp(Type))
    return Info->Name;
  return fmt::format("type<{}>", static_cast<int32_t>(Type));
}

unsigned deepshare::elementSize(ElementType Type) {
  const ElementInfo *Info = lookUp(Type);
  return Info ? Info->Size : 0;
}

bool deepshare::isFloatingPoint(ElementType Type) {
  return Type == ElementType::Float32 || Type == ElementType::Float64 || Type == ElementType::Float16 ||
         Type == ElementType::BFloat16;
}

Dim Dim::fixed(int64_t Size) {
  Dim D;
  D.Size = Size;
  return D;
}

Dim Dim::symbolic(llvm::StringRef Symbol) {
  Dim D;
  D.Symbol = Symbol.str();
  return D;
}

Dim Dim::multiple(int64_t Factor, llvm::StringRef Symbol) {
  return symbolic(Factor == 1 ? Symbol.str() : fmt::format("{}*{}", Factor, Symbol.str()));
}

std::optional<std::pair<int64_t, llvm::StringRef>> Dim::multipleOf(const llvm::StringSet<> &Names) const {
  if (Names.contains(Symbol))
    return std::pair(int64_t(1), llvm::StringRef(Symbol));
  auto [Times, Name] = llvm::StringRef(Symbol).split('*');
  int64_t Factor;
  if (!Names.contains(Name) || Times.getAsInteger(10, Factor) || Factor < 1)
    return std::nullopt;
  return std::pair(Factor, Name);
}

std::string Dim::str() const {
  if (isFixed())
    return fmt::format("{}", *Size);
  return isSymbolic() ? Symbol : "?";
}

std::optional<unsigned> TensorType::rank() const {
  if (!Dims)
    return std::nullopt;
  return Dims->size();
}

bool TensorType::isStatic(unsigned FreeLeading) const {
  if (!Dims)
    return false;
  for (unsigned I = FreeLeading; I < Dims->size(); ++I)
    if (!(*Dims)[I].isFixed())
      return false;
  return true;
}

std::string TensorType::str() const {
  std::string Text = elementTypeName(Element);
  if (!Dims)
    return Text;
  Text += '[';
  for (unsigned I = 0; I < Dims->size(); ++I) {
    if (I)
      Text += ',';
    Text += (*Dims)[I].str();
  }
  return Text + ']';
}

TensorType deepshare::makeTensorType(ElementType Element, llvm::ArrayRef<int64_t> Dims) {
  Shape S;
  for (int64_t Size : Dims)
    S.push_back(Dim::fixed(Size));
  return {Element, std::move(S)};
}
