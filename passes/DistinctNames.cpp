//===- DistinctNames.cpp - no value hides one of a graph around it --------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
//   g (x) => (y) <float a = {2}>                       g (x) => (y) <float a = {2}>
//     y = If (c) <then_branch = then () => (u)     =>    y = If (c) <then_branch = then () => (u)
//                 <float a = {5}> {                                  <float a_1 = {5}> {
//       u = Mul (x, a)                                     u = Mul (x, a_1)
//
// ONNX asks for distinct names, but its checker and ONNX Runtime take files in which an input or initialiser of a
// subgraph has the name of a value around it: the subgraph's own value is meant there. (Outputs of nodes with such
// names they refuse.) A pass that hands users in the subgraph over to the hidden value would then make a graph that
// cannot be written.
//
// Values of graphs that do not see each other, such as the branches of an If or two functions, may share names.
//
// What a graph's serialised form says beside our IR (docs, entries of values that say something else there) names
// values by their old names, so that a graph with renamed values loses it, and so do the graphs in it.
//
// Scope: main graph, subgraphs, functions. Bit-exact; the names of the model's inputs and outputs stay.
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/DistinctNames.h"

#include "llvm/ADT/StringSet.h"

using namespace deepshare;

/// Calls \p Visit for the values that \p G itself defines and that have a name. An input with a default comes once.
static void forEachValue(Graph &G, llvm::function_ref<void(Value &)> Visit) {
  for (Value *Input : G.inputs())
    Visit(*Input);
  for (Value *Init : G.initializers())
    if (!Init->isGraphInput())
      Visit(*Init);
  for (Node &N : G)
    for (Value *Output : N.outputs())
      if (!Output->name().empty())
        Visit(*Output);
}

namespace {
class DistinctNames : public Pass {
public:
  llvm::Expected<bool> run(Model &M, PassContext &) override {
    uint64_t Before = Renamed;
    runOnGraph(M.graph());
    for (Function &F : M.functions())
      runOnGraph(*F.Body);
    return Renamed != Before;
  }

  PassStatistics statistics() const override { return {{"values renamed", Renamed}}; }

private:
  void runOnGraph(Graph &G, bool OuterChanged = false) {
    uint64_t Before = Renamed;
    forEachValue(G, [&](Value &V) {
      if (Visible.insert(V.name()).second)
        return;
      V.setName(G.model().uniqueName(V.name()));
      Visible.insert(V.name());
      ++Renamed;
    });
    bool Changed = OuterChanged || Renamed != Before;
    if (Changed)
      G.setUnmodelled("");
    for (Node &N : G)
      for (Graph *Subgraph : N.subgraphs())
        runOnGraph(*Subgraph, Changed);
    forEachValue(G, [&](Value &V) { Visible.erase(V.name()); });
  }

  /// The names of the values of the graph at hand and of those around it.
  llvm::StringSet<> Visible;
  uint64_t Renamed = 0;
};
} // namespace

PassInfo deepshare::distinctNamesPass() {
  return {.Name = "distinct-names",
          .Contract = "Renames values of subgraphs that hide a value of the same name in a graph around them.",
          .Options = {},
          .Create = createPass<DistinctNames>,
          .Alias = {},
          .Effect = PassEffect::Exact};
}
