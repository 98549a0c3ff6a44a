//===- SinkGates.cpp - gates behind the MaxPools that follow them ---------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
//   MaxPool(Relu(x))      =>      Relu(MaxPool(x))
//
// and the same for GlobalMaxPool, and for LeakyRelu with a slope of at least 0, Clip, HardSigmoid with alpha of at
// least 0 and ThresholdedRelu with alpha of at least 0 in the place of Relu. All of them are monotone: f(a) <= f(b) for
// a <= b, so that max f = f max. Each output is the f of one of the inputs, before and after: equal bit for bit. A 2 x
// 2 pool leaves a quarter of the gate's comparisons and muxes.
//
// Legal if
//  1. nothing but the pool uses the gate's output;
//  2. the pool's Indices are not used (among elements that the gate makes equal, another may come first);
//  3. the pool's output is known to have fewer elements than its input.
//
// Scope: main graph and subgraphs.
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/SinkGates.h"

#include "Rewriting.h"

#include "llvm/Support/Debug.h"

#define DEBUG_TYPE "sink-gates"

using namespace deepshare;

static bool reject(const Node &N, llvm::StringRef Reason) {
  LLVM_DEBUG(llvm::dbgs() << "keeps '" << N.displayName() << "': " << Reason << '\n');
  return false;
}

static bool isMonotone(const Node &N) {
  if (N.is("LeakyRelu"))
    return N.floatAttribute("alpha", 0.01f) >= 0;
  if (N.is("HardSigmoid"))
    return N.floatAttribute("alpha", 0.2f) >= 0;
  if (N.is("ThresholdedRelu"))
    return N.floatAttribute("alpha", 1.0f) >= 0;
  return N.is("Relu") || N.is("Clip");
}

// MaxPool(f(x)) => f(MaxPool(x))
static bool sink(Node &Pool) {
  Node *Gate = Pool.input(0)->producer();
  if (!Gate || !isMonotone(*Gate))
    return reject(Pool, "no monotone gate stands before it");
  if (!hasOneUse(Gate->output()))
    return reject(Pool, "the gate before it has other users");
  if (Pool.numOutputs() > 1 && !Pool.output(1)->isDead())
    return reject(Pool, "its Indices are used");
  std::optional<int64_t> Before = elementsOfImage(*Pool.input(0)), After = elementsOfImage(*Pool.output());
  if (!Before || !After || *After >= *Before)
    return reject(Pool, "its output is not known to have fewer elements");

  Graph &G = *Pool.parent();
  Value *Maxima = Pool.output(), *Gated = Gate->output();
  Pool.setInput(0, Gate->input(0));
  G.moveBefore(Gate, std::next(Graph::iteratorTo(&Pool)));
  Gated->setType(Maxima->type());
  Maxima->replaceAllUsesWith(Gated); // and the name, if it is an output of the graph
  Gate->setInput(0, Maxima);
  return true;
}

namespace {
class SinkGates : public Pass {
public:
  llvm::Expected<bool> run(Model &M, PassContext &) override {
    uint64_t Before = Sunk;
    M.graph().walk([&](Node &N) {
      if (N.is("MaxPool") || N.is("GlobalMaxPool"))
        Sunk += sink(N);
    });
    return Sunk != Before;
  }

  PassStatistics statistics() const override { return {{"gates moved", Sunk}}; }

private:
  uint64_t Sunk = 0;
};
} // namespace

PassInfo deepshare::sinkGatesPass() {
  return {.Name = "sink-gates",
          .Contract = "Moves a monotone gate behind the MaxPool that alone uses it, where fewer elements are compared.",
          .Options = {},
          .Create = createPass<SinkGates>,
          .Alias = {},
          .Effect = PassEffect::Exact};
}
