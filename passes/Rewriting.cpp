//===- Rewriting.cpp - what passes that rewrite gates share ---------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Rewriting.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SetVector.h"

using namespace deepshare;

bool deepshare::hasOneUse(const Value *V) {
  return V->uses().size() == 1 && !V->isGraphOutput() && V->uses().front().User->parent() == V->parent();
}

std::optional<int64_t> deepshare::elementsOfImage(const Value &V) {
  const std::optional<TensorType> &Type = V.type();
  if (!Type || !Type->Dims || Type->Dims->empty() || !Type->isStatic(/*FreeLeading=*/1))
    return std::nullopt;
  llvm::SmallVector<int64_t, 4> Sizes;
  for (const Dim &Size : llvm::drop_begin(*Type->Dims))
    Sizes.push_back(Size.size());
  std::optional<int64_t> Count = numElements(Sizes);
  return Count && *Count <= int64_t(1) << 40 ? Count : std::nullopt;
}

/// Erases \p Dead and then what only it used. A node that waits here is looked at again whenever a user of it goes.
static void eraseWithDeadOperands(Node &Dead, llvm::function_ref<void(const Node &)> OnErase) {
  Graph *G = Dead.parent();
  llvm::SmallSetVector<Node *, 8> Waiting;
  Waiting.insert(&Dead);
  while (!Waiting.empty()) {
    Node *N = Waiting.pop_back_val();
    if (!llvm::all_of(N->outputs(), [](const Value *V) { return V->isDead(); }))
      continue;
    llvm::SmallSetVector<Value *, 4> Operands(N->inputs().begin(), N->inputs().end());
    if (OnErase)
      OnErase(*N);
    G->erase(N);
    for (Value *V : Operands) {
      if (!V || V->parent() != G)
        continue;
      if (V->producer())
        Waiting.insert(V->producer());
      else if (V->isDead() && V->isInitializer() && !V->isGraphInput())
        G->eraseInitializer(V);
    }
  }
}

void deepshare::takePlace(Node &Old, Value *New) {
  std::string Name = Old.output()->name().str();
  New->setType(Old.output()->type());
  Old.output()->replaceAllUsesWith(New);
  Old.parent()->erase(&Old);
  New->setName(Name);
}

void deepshare::replaceNode(Node &Old, Value *New, llvm::function_ref<void(const Node &)> OnErase) {
  std::string Name = Old.output()->name().str();
  Old.output()->replaceAllUsesWith(New);
  eraseWithDeadOperands(Old, OnErase);
  New->setName(Name);
}

void deepshare::replaceConstant(Node &N, unsigned Index, Tensor New) {
  Value *Old = N.input(Index);
  if (Old->initializer() && Old->uses().size() == 1 && !Old->isGraphOutput())
    Old->setInitializer(std::move(New));
  else
    N.setInput(Index, N.parent()->addInitializer(Old->name(), std::move(New)));
}
