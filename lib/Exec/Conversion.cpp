//===- Conversion.cpp - constants to ATen and back ------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "OpContext.h"

#include "deepshare/Exec/Exec.h"

#include <fmt/format.h>

using namespace deepshare;
using namespace deepshare::exec;

namespace {
struct TypePair {
  ElementType Onnx;
  at::ScalarType ATen;
};
} // namespace

static constexpr TypePair Types[] = {
    {ElementType::Float32, at::kFloat},
    {ElementType::Float64, at::kDouble},
    {ElementType::Float16, at::kHalf},
    {ElementType::BFloat16, at::kBFloat16},
    {ElementType::Int8, at::kChar},
    {ElementType::UInt8, at::kByte},
    {ElementType::Int16, at::kShort},
    {ElementType::Int32, at::kInt},
    {ElementType::Int64, at::kLong},
    {ElementType::Bool, at::kBool},
    {ElementType::Complex64, at::kComplexFloat},
    {ElementType::Complex128, at::kComplexDouble},
};

std::optional<at::ScalarType> exec::scalarTypeIfAny(ElementType Type) {
  for (const TypePair &Pair : Types)
    if (Pair.Onnx == Type)
      return Pair.ATen;
  return std::nullopt;
}

at::ScalarType exec::scalarType(int64_t ElementTypeNumber) {
  auto Type = static_cast<ElementType>(ElementTypeNumber);
  std::optional<at::ScalarType> Found = scalarTypeIfAny(Type);
  TORCH_CHECK(Found, "element type ", elementTypeName(Type), " is not supported");
  return *Found;
}

at::Tensor exec::constantTensor(const Tensor &T, at::Device Device) {
  at::TensorOptions Options = at::dtype(scalarType(static_cast<int64_t>(T.elementType())));
  at::IntArrayRef Dims(T.dims().data(), T.dims().size());
  size_t Size = elementSize(T.elementType());
  TORCH_CHECK(T.bytes().size() == T.numElements() * Size, "tensor of ", T.bytes().size(), " bytes, expected ",
              T.numElements() * Size);
  const char *Data = T.bytes().data();
  if (T.bytes().empty())
    return at::empty(Dims, Options.device(Device));
  // ATen has no constant tensors. Kernels never write to their inputs, and callers are told not to.
  if (reinterpret_cast<uintptr_t>(Data) % Size == 0)
    return at::from_blob(const_cast<char *>(Data), Dims, [Owner = T.owner()](void *) {}, Options).to(Device);
  at::Tensor Copy = at::empty(Dims, Options);
  std::memcpy(Copy.data_ptr(), Data, T.bytes().size());
  return Copy.to(Device);
}

llvm::Expected<at::Tensor> deepshare::toATen(const Tensor &T) {
  try {
    return constantTensor(T, at::kCPU);
  } catch (const c10::Error &E) {
    return llvm::createStringError(E.what_without_backtrace());
  } catch (const std::exception &E) {
    return llvm::createStringError(E.what());
  }
}

llvm::Expected<Tensor> deepshare::fromATen(const at::Tensor &T) {
  for (const TypePair &Pair : Types) {
    if (Pair.ATen != T.scalar_type())
      continue;
    auto Host = std::make_shared<at::Tensor>(T.detach().to(at::kCPU).contiguous());
    // A view would follow later writes to T: constants never change.
    if (Host->is_alias_of(T))
      *Host = Host->clone();
    llvm::ArrayRef<char> Bytes(static_cast<const char *>(Host->data_ptr()), Host->nbytes());
    return Tensor::view(Pair.Onnx, {T.sizes().data(), T.sizes().size()}, Bytes, Host);
  }
  return llvm::createStringError(fmt::format("element type {} has no ONNX counterpart", at::toString(T.scalar_type())));
}
