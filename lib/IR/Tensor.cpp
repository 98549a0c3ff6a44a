//===- Tensor.cpp - constant tensors --------------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/IR/Tensor.h"

#include "llvm/Support/MathExtras.h"

using namespace deepshare;

std::optional<int64_t> deepshare::numElements(llvm::ArrayRef<int64_t> Dims) {
  int64_t Count = 1;
  for (int64_t Size : Dims)
    if (Size < 0 || llvm::MulOverflow(Count, Size, Count))
      return std::nullopt;
  return Count;
}

Tensor Tensor::view(ElementType Type, llvm::ArrayRef<int64_t> Dims, llvm::ArrayRef<char> Bytes,
                    std::shared_ptr<const void> Owner, TensorStorage Storage) {
  auto Payload = std::make_shared<Data>();
  Payload->Type = Type;
  Payload->Dims.assign(Dims.begin(), Dims.end());
  Payload->Bytes = Bytes;
  Payload->Owner = std::move(Owner);
  Payload->Storage = Storage;
  return Tensor(std::move(Payload));
}

Tensor Tensor::copy(ElementType Type, llvm::ArrayRef<int64_t> Dims, llvm::ArrayRef<char> Bytes) {
  auto Buffer = std::make_shared<std::vector<char>>(Bytes.begin(), Bytes.end());
  return view(Type, Dims, *Buffer, Buffer);
}

Tensor Tensor::strings(llvm::ArrayRef<int64_t> Dims, std::vector<std::string> Values) {
  auto Payload = std::make_shared<Data>();
  Payload->Type = ElementType::String;
  Payload->Dims.assign(Dims.begin(), Dims.end());
  Payload->Strings = std::move(Values);
  Payload->Storage = TensorStorage::Typed;
  return Tensor(std::move(Payload));
}

int64_t Tensor::numElements() const {
  std::optional<int64_t> Count = deepshare::numElements(dims());
  assert(Count && "a tensor's size is checked where it is made");
  return *Count;
}

Tensor Tensor::withUnmodelled(std::string Bytes) const {
  auto Copy = std::make_shared<Data>(*Payload);
  Copy->Unmodelled = std::move(Bytes);
  return Tensor(std::move(Copy));
}

Tensor Tensor::reshaped(llvm::ArrayRef<int64_t> Dims) const {
  assert(deepshare::numElements(Dims) == numElements() && "a reshape keeps the number of elements");
  auto Copy = std::make_shared<Data>(*Payload);
  Copy->Dims.assign(Dims.begin(), Dims.end());
  return Tensor(std::move(Copy));
}

bool deepshare::operator==(const Tensor &A, const Tensor &B) {
  return A.elementType() == B.elementType() && A.dims() == B.dims() && A.bytes() == B.bytes() &&
         A.strings() == B.strings();
}
