//===- LoopShapes.cpp - shapes of what a Loop carries ---------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// By induction: suppose that a carried value comes into the body with the shape that it has before the Loop. If the
// body then hands on the same shape, it has that shape in every trip, and after the last one. What does not hold is
// taken back, and all else inferred without it.
//
//===----------------------------------------------------------------------===//

#include "LoopShapes.h"

#include "llvm/ADT/DenseMap.h"

using namespace deepshare;
using namespace deepshare::onnx;

namespace {
/// One value that a Loop carries: before it, into the body, out of the body, after it.
struct Carried {
  Value *Initial, *Enters, *Leaves, *Result;
};
} // namespace

static bool hasShape(const Value *V) { return V->type() && V->type()->Dims; }

static void collectCarried(Graph &G, llvm::SmallVectorImpl<Carried> &Into) {
  G.walk([&](Node &N) {
    if (!N.is("Loop") || N.subgraphs().size() != 1)
      return;
    Graph &Body = *N.subgraphs().front();
    for (unsigned I = 2; I < N.numInputs() && I < Body.inputs().size() && I - 1 < Body.outputs().size(); ++I) {
      Carried C{N.input(I), Body.inputs()[I], Body.outputs()[I - 1],
                N.numOutputs() > I - 2 ? N.output(I - 2) : nullptr};
      if (C.Initial && C.Result && hasShape(C.Initial) && !hasShape(C.Result) && C.Leaves->parent() == &Body)
        Into.push_back(C);
    }
  });
}

/// True if each size of \p V is known, be it by a name, and that of \p Other.
static bool isSameShape(const Value *V, const Value *Other) {
  return hasShape(Other) && *V->type()->Dims == *Other->type()->Dims &&
         llvm::all_of(*V->type()->Dims, [](const Dim &Size) { return Size.isFixed() || !Size.symbol().empty(); });
}

llvm::Error deepshare::onnx::inferLoopShapes(Model &M, llvm::function_ref<llvm::Error()> Infer) {
  llvm::SmallVector<Carried> Supposed;
  collectCarried(M.graph(), Supposed);
  while (!Supposed.empty()) {
    llvm::DenseMap<Value *, std::optional<TensorType>> Before;
    auto Remember = [&](Value *V) { Before.try_emplace(V, V->type()); };
    M.graph().walk([&](Node &N) {
      for (Graph *Inner : N.subgraphs())
        llvm::for_each(Inner->inputs(), Remember);
      llvm::for_each(N.outputs(), Remember);
    });
    for (const Carried &C : Supposed) {
      if (!hasShape(C.Enters))
        C.Enters->setType(C.Initial->type());
      C.Result->setType(C.Initial->type());
    }
    llvm::Error Failed = Infer();
    size_t Count = Supposed.size();
    llvm::erase_if(Supposed, [](const Carried &C) {
      return !isSameShape(C.Initial, C.Leaves) || !isSameShape(C.Initial, C.Enters);
    });
    if (!Failed && Supposed.size() == Count)
      return llvm::Error::success();
    // A contradiction is one of what was supposed: without it there was none.
    if (Failed) {
      llvm::consumeError(std::move(Failed));
      Supposed.clear();
    }
    for (auto &[V, Type] : Before)
      V->setType(std::move(Type));
  }
  return llvm::Error::success();
}
