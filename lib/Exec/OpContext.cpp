//===- OpContext.cpp - what a kernel sees of its node ---------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "OpContext.h"

using namespace deepshare;
using namespace deepshare::exec;

const Node &Attributes::outermost() const {
  const Node *Outermost = &N;
  for (const CallFrame *Call = Frame; Call; Call = Call->Outer)
    Outermost = &Call->Caller;
  return *Outermost;
}

const AttributeValue *Attributes::find(const Node &N, llvm::StringRef Name, const CallFrame *Frame) {
  const Attribute *Found = N.attribute(Name);
  if (!Found)
    return nullptr;
  const auto *Reference = std::get_if<AttributeReference>(&Found->Value);
  if (!Reference)
    return &Found->Value;
  TORCH_CHECK(Frame, "attribute '", Name.str(), "' refers to attribute '", Reference->Name,
              "' of a call, and there is none");
  if (const AttributeValue *Given = find(Frame->Caller, Reference->Name, Frame->Outer))
    return Given;
  for (const Attribute &Default : Frame->Callee.AttributeDefaults)
    if (Default.Name == Reference->Name)
      return &Default.Value;
  return nullptr;
}

Ints OpContext::ints(unsigned Index) const {
  const at::Tensor &T = input(Index);
  TORCH_CHECK(at::isIntegralType(T.scalar_type(), /*includeBool=*/false), "input ", Index, ": expected integers, got ",
              T.scalar_type());
  at::Tensor Host = T.to(at::TensorOptions(at::kCPU).dtype(at::kLong)).contiguous();
  const int64_t *Data = Host.data_ptr<int64_t>();
  return Ints(Data, Data + Host.numel());
}

int64_t OpContext::integer(unsigned Index) const {
  Ints Values = ints(Index);
  TORCH_CHECK(Values.size() == 1, "input ", Index, ": expected one element, got ", Values.size());
  return Values.front();
}

std::optional<Ints> OpContext::intsArgument(llvm::StringRef Name, unsigned Index) const {
  if (hasInput(Index))
    return ints(Index);
  if (A.has(Name))
    return A.getInts(Name);
  return std::nullopt;
}

int64_t exec::normalizeAxis(int64_t Axis, int64_t Rank) {
  TORCH_CHECK(Axis >= -Rank && Axis < Rank, "axis ", Axis, " is out of range for a tensor of ", Rank, " dimensions");
  return Axis < 0 ? Axis + Rank : Axis;
}

Ints exec::normalizeAxes(Ints Axes, int64_t Rank) {
  for (int64_t &Axis : Axes)
    Axis = normalizeAxis(Axis, Rank);
  return Axes;
}
