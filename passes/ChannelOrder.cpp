//===- ChannelOrder.cpp - gates on tensors whose axes are in another order -===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "ChannelOrder.h"

#include "deepshare/Analysis/GateForms.h"

#include "llvm/ADT/STLExtras.h"

using namespace deepshare;
using llvm::ArrayRef;

/// The axes along which the constant \p T has more than one number.
static unsigned longAxes(const Tensor &T) {
  return llvm::count_if(T.dims(), [](int64_t Size) { return Size != 1; });
}

bool deepshare::isMovableGate(const Node &N) {
  if (N.numOutputs() != 1 || !N.output()->type() || N.output()->type()->Element != ElementType::Float32 ||
      !N.input(0) || isConstant(N.input(0)) || N.input(0)->type() != N.output()->type())
    return false;
  if (N.is("Relu") || N.is("LeakyRelu") || N.is("Abs"))
    return true;
  if (!N.is("PRelu") && !(N.is("Min") && N.numInputs() == 2))
    return false;
  const Tensor *Constant = floatConstant(N.input(1));
  return Constant && Constant->numElements() > 0 && longAxes(*Constant) <= 1 &&
         (N.is("PRelu") || splat(N.input(1)) == 0.0f);
}

std::vector<int64_t> deepshare::inverseOrder(ArrayRef<int64_t> Order) {
  std::vector<int64_t> Inverse(Order.size());
  for (auto [To, From] : llvm::enumerate(Order))
    Inverse[From] = To;
  return Inverse;
}

std::vector<int64_t> deepshare::axisOrder(const Node &N) {
  std::vector<int64_t> Order = N.intsAttribute("perm");
  const std::optional<TensorType> &Type = N.output()->type();
  if (!Order.empty() || !Type || !Type->rank())
    return Order;
  for (int64_t Axis = *Type->rank(); Axis > 0; --Axis)
    Order.push_back(Axis - 1);
  return Order;
}

TensorType deepshare::movedType(const TensorType &Type, ArrayRef<int64_t> Order) {
  TensorType Moved = Type;
  for (auto [To, From] : llvm::enumerate(Order))
    (*Moved.Dims)[To] = (*Type.Dims)[From];
  return Moved;
}

/// \p T, which broadcasts to a tensor with as many axes as \p Order has, so that it broadcasts to the moved one.
static Tensor movedConstant(const Tensor &T, ArrayRef<int64_t> Order) {
  llvm::SmallVector<int64_t, 4> Dims(Order.size() - T.dims().size(), 1), Moved;
  llvm::append_range(Dims, T.dims());
  for (int64_t From : Order)
    Moved.push_back(Dims[From]);
  // One axis alone has several numbers, whose order stays.
  return Tensor::of<float>(Moved, llvm::ArrayRef<float>(T.toVector<float>()));
}

Value *deepshare::movedGate(Node &Gate, Value *X, ArrayRef<int64_t> Order, llvm::StringRef Name) {
  Graph &G = *Gate.parent();
  llvm::SmallVector<Value *> Operands(Gate.inputs());
  Operands.front() = X;
  for (Value *&Constant : llvm::drop_begin(Operands))
    if (const Tensor *T = floatConstant(Constant); T->numElements() > 1)
      Constant = G.addInitializer(Constant->name(), movedConstant(*T, Order));
  Value *Moved = G.insert(Graph::iteratorTo(&Gate), Gate.opType(), Operands, Name);
  if (Gate.is("LeakyRelu"))
    Moved->producer()->setAttribute("alpha", Gate.floatAttribute("alpha", 0.01f));
  Moved->setType(movedType(*Gate.output()->type(), Order));
  return Moved;
}
