//===- InlineFunctions.cpp - functions in place of their calls ------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
//   y = pkg.f <alpha = 0.5> (x)                  =>      y_s = Constant <value_float = 0.5> ()
//   f <alpha> (a) => (b) {                               y = Mul(x, y_s)
//     s = Constant <value_float = @alpha> ()
//     b = Mul(a, s)
//   }
//
// and the calls within the body likewise (import refuses functions that call themselves). An operand that the call
// leaves out is left out in the copy. An attribute that it leaves out is the function's default, or absent. Copies are
// named after the call. Exact.
//
// Legal if
// 1. the function is none of ai.deepshare: the share operators' bodies are for runtimes that do not know them, and the
//    compiler works on the operators;
// 2. every operator of the body, and of its subgraphs, means the same in the opset that the function imports and in
//    the one that the model imports;
// 3. the call has no more inputs and outputs than the function, and the function does not hand on an input that the
//    call leaves out.
// Other calls stay, and check-target says why if a target does not take them.
//
// Opset imports of domains that nothing uses any more go; so do the functions, by eliminate-dead-code.
//
// Scope: main graph and its subgraphs. Bodies of functions are left alone, which nothing needs that inlines them.
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/InlineFunctions.h"

#include "Inlining.h"

#include "deepshare/IR/ShareOps.h"

#include "llvm/ADT/StringSet.h"

using namespace deepshare;

namespace {
class InlineFunctions : public Pass {
public:
  llvm::Expected<bool> run(Model &M, PassContext &) override {
    uint64_t Before = Inlined;
    runOnGraph(M.graph());
    if (Inlined != Before)
      dropImports(M);
    return Inlined != Before;
  }

  PassStatistics statistics() const override { return {{"calls inlined", Inlined}}; }

private:
  void runOnGraph(Graph &G) {
    for (auto It = G.begin(); It != G.end();) {
      const Function *F = It->domain() == ShareDomain ? nullptr : G.model().function(*It);
      if (F && refuseInlining(*It, *F).empty()) {
        // Goes on with the copy, which may hold calls.
        It = inlineCall(*It, *F);
        ++Inlined;
        continue;
      }
      for (Graph *Subgraph : It->subgraphs())
        runOnGraph(*Subgraph);
      ++It;
    }
  }

  /// A domain counts as used by a function that no one calls any more, but not by its name.
  static void dropImports(Model &M) {
    llvm::StringSet<> Used;
    auto Collect = [&](Node &N) { Used.insert(N.domain()); };
    M.graph().walk(Collect);
    llvm::erase_if(M.opsets(), [&](const OpsetImport &Import) {
      bool IsOfFunctions = llvm::any_of(M.functions(), [&](const Function &F) { return F.Domain == Import.Domain; });
      return IsOfFunctions && !Used.contains(Import.Domain);
    });
  }

  uint64_t Inlined = 0;
};
} // namespace

PassInfo deepshare::inlineFunctionsPass() {
  return {.Name = "inline-functions",
          .Contract = "Replaces calls of functions of the model by the functions' bodies.",
          .Options = {},
          .Create = createPass<InlineFunctions>,
          .Alias = {},
          .Effect = PassEffect::Exact};
}
