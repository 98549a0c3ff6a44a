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

#include "deepshare/Support/Error.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

#include <fmt/format.h>

using namespace deepshare;
using namespace deepshare::onnx;

namespace {
/// One value that a Loop carries: before it, into the body, out of the body, after it.
struct Carried {
  Value *Initial, *Enters, *Leaves, *Result;
};
} // namespace

static bool isLoop(const Node &N) { return N.is("Loop") && N.subgraphs().size() == 1; }

static bool hasShape(const Value *V) { return V->type() && V->type()->Dims; }

/// What is carried, has a shape before the Loop, and is not known to have it further on. \p Refuted: what enters bodies
/// and does not keep its shape.
static void collectCarried(Graph &G, const llvm::DenseSet<const Value *> &Refuted,
                           llvm::SmallVectorImpl<Carried> &Into) {
  G.walk([&](Node &N) {
    if (!isLoop(N))
      return;
    Graph &Body = *N.subgraphs().front();
    for (unsigned I = 2; I < N.numInputs() && I < Body.inputs().size() && I - 1 < Body.outputs().size(); ++I) {
      Carried C{N.input(I), Body.inputs()[I], Body.outputs()[I - 1],
                N.numOutputs() > I - 2 ? N.output(I - 2) : nullptr};
      bool IsOpen = C.Result && (!hasShape(C.Enters) || !hasShape(C.Result));
      if (IsOpen && C.Initial && hasShape(C.Initial) && C.Leaves->parent() == &Body && !Refuted.contains(C.Enters))
        Into.push_back(C);
    }
  });
}

/// True if each size of \p V is known, be it by a name, and that of \p Other.
static bool isSameShape(const Value *V, const Value *Other) {
  return hasShape(Other) && *V->type()->Dims == *Other->type()->Dims &&
         llvm::all_of(*V->type()->Dims, [](const Dim &Size) { return Size.isFixed() || Size.isSymbolic(); });
}

static std::string textOf(const Value *V) {
  std::vector<std::string> Sizes;
  for (const Dim &Size : *V->type()->Dims)
    Sizes.push_back(Size.str());
  return "[" + llvm::join(Sizes, ",") + "]";
}

/// False if the ranks or two fixed sizes differ.
static bool canAgree(const Value *A, const Value *B) {
  if (!A || !B || !hasShape(A) || !hasShape(B))
    return true;
  return A->type()->Dims->size() == B->type()->Dims->size() &&
         llvm::all_of(llvm::zip_equal(*A->type()->Dims, *B->type()->Dims), [](auto Sizes) {
           auto &[SizeA, SizeB] = Sizes;
           return !SizeA.isFixed() || !SizeB.isFixed() || SizeA.size() == SizeB.size();
         });
}

/// ONNX's own inference leaves alone what a Loop carries, and so does not see what contradicts itself there.
static llvm::Error checkLoop(const Node &N) {
  const Graph &Body = *N.subgraphs().front();
  auto Fail = [&](const Value *Given, const Value *Declared) {
    return makeError(fmt::format(
        "cannot infer shapes: node '{}' (Loop): the carried value '{}' has shape {}, and '{}' {}",
        N.displayName().str(), Given->name().str(), textOf(Given), Declared->name().str(), textOf(Declared)));
  };
  for (unsigned I = 2; I < N.numInputs() && I < Body.inputs().size() && I - 1 < Body.outputs().size(); ++I) {
    const Value *Initial = N.input(I), *Enters = Body.inputs()[I], *Leaves = Body.outputs()[I - 1];
    if (!canAgree(Initial, Enters))
      return Fail(Initial, Enters);
    // Without a trip the result is what came.
    if (N.numOutputs() > I - 2 && !canAgree(Leaves, N.output(I - 2)) && !canAgree(Initial, N.output(I - 2)))
      return Fail(Leaves, N.output(I - 2));
  }
  return llvm::Error::success();
}

llvm::Error deepshare::onnx::inferLoopShapes(Model &M, llvm::function_ref<llvm::Error()> Infer) {
  // Each round settles all Loops that it can, or refutes something. A Loop behind another one, or inside of it, comes
  // after it; deeper chains than this are left as ONNX leaves them.
  constexpr unsigned MostRounds = 16;
  llvm::DenseSet<const Value *> Refuted;
  for (unsigned Round = 0; Round < MostRounds; ++Round) {
    llvm::SmallVector<Carried> Supposed;
    collectCarried(M.graph(), Refuted, Supposed);
    if (Supposed.empty())
      break;
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
      if (!hasShape(C.Result))
        C.Result->setType(C.Initial->type());
    }
    // A contradiction is one of what was supposed, without which there was none; it does not say of which.
    llvm::Error Contradiction = Infer();
    bool IsContradicted = bool(Contradiction);
    llvm::consumeError(std::move(Contradiction));
    size_t Known = Refuted.size();
    for (const Carried &C : Supposed)
      if (IsContradicted || !isSameShape(C.Initial, C.Leaves) || !isSameShape(C.Initial, C.Enters))
        Refuted.insert(C.Enters);
    if (Refuted.size() == Known)
      continue;
    for (auto &[V, Type] : Before)
      V->setType(std::move(Type));
  }
  llvm::Error Failed = llvm::Error::success();
  M.graph().walk([&](Node &N) {
    if (!Failed && isLoop(N))
      Failed = checkLoop(N);
  });
  return Failed;
}
