//===- InferShapes.cpp - infers the types of all values -------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
//   [N,3,32,32] x -> y = Conv(x, w)         y of unknown shape
//   [N,3,32,32] x -> [N,16,32,32] y = Conv(x, w)
//
// The work is the ONNX library's (lib/ONNX, inferShapes); this pass makes it a step of a pipeline and reports whether
// a type changed. Scope: the main graph, its subgraphs, and functions as far as the library looks into them.
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/InferShapes.h"

#include "deepshare/ONNX/ONNX.h"

using namespace deepshare;

namespace {
using Types = std::vector<std::optional<TensorType>>;

void collectTypes(Graph &G, Types &Into) {
  for (const Value *Input : G.inputs())
    Into.push_back(Input->type());
  for (Node &N : G) {
    for (const Value *Output : N.outputs())
      Into.push_back(Output->type());
    for (Graph *Subgraph : N.subgraphs())
      collectTypes(*Subgraph, Into);
  }
}

Types typesOf(Model &M) {
  Types All;
  collectTypes(M.graph(), All);
  for (Function &F : M.functions())
    collectTypes(*F.Body, All);
  return All;
}

class InferShapes : public Pass {
public:
  llvm::Expected<bool> run(Model &M, PassContext &) override {
    Types Before = typesOf(M);
    if (llvm::Error E = inferShapes(M))
      return E;
    Types After = typesOf(M);
    uint64_t Changed = 0;
    for (size_t I = 0; I < Before.size(); ++I)
      Changed += Before[I] != After[I];
    Refined += Changed;
    return Changed != 0;
  }

  PassStatistics statistics() const override { return {{"types refined", Refined}}; }

private:
  uint64_t Refined = 0;
};
} // namespace

PassInfo deepshare::inferShapesPass() {
  return {.Name = "infer-shapes",
          .Contract = "Infers the element types and shapes of all values with the ONNX library.",
          .Options = {},
          .Create = createPass<InferShapes>,
          .Alias = {},
          .Effect = PassEffect::Exact};
}
