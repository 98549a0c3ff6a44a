//===- DecomposeOperators.cpp - what a target lacks, by its definition ----===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
//   y = Celu <alpha = 2> (x)      =>      y = Max(0, x) + Min(0, 2 * (Exp(x / 2) - 1))      if the target has those
//
// ONNX defines many of its operators as functions of others, some of them anew for each type of their inputs. Where a
// target's table lacks an operator, that definition takes its place and is canonicalised.
//
// Legal if
// 1. the types of the node's inputs are known, and it has no subgraphs;
// 2. a model of the definition alone goes through all of the target's passes and its check: a definition that needs
//    what the target lacks as well helps no one, and check-target should name the operator that the user wrote.
// The definition computes what the operator does, in another order: results differ by rounding.
//
// Not done: operators that a runtime takes, since its own kernel is faster; a target without a table takes all.
//
// Scope: main graph.
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/DecomposeOperators.h"

#include "ConstantNode.h"
#include "Inlining.h"

#include "deepshare/IR/Cloner.h"
#include "deepshare/ONNX/ONNX.h"
#include "deepshare/Support/Error.h"
#include "deepshare/passes/Target.h"

#include <fmt/format.h>

using namespace deepshare;

static constexpr llvm::StringLiteral Cleaning = "canonicalize,infer-shapes";

namespace {
class DecomposeOperators : public Pass {
public:
  explicit DecomposeOperators(const Target &T) : T(T) {}

  llvm::Expected<bool> run(Model &M, PassContext &Context) override {
    uint64_t Before = Decomposed;
    for (auto It = M.graph().begin(); It != M.graph().end();) {
      Node &N = *It++;
      if (isTaken(N) || !N.subgraphs().empty() || !hasKnownInputs(N))
        continue;
      llvm::Expected<std::unique_ptr<Model>> Definition = defineOperator(N);
      if (!Definition)
        return Definition.takeError();
      if (!*Definition || !isWorth(N, (*Definition)->functions().front()))
        continue;
      It = inlineCall(N, (*Definition)->functions().front());
      ++Decomposed;
    }
    if (Decomposed == Before)
      return false;
    llvm::Expected<Pipeline> Clean = Pipeline::parse(Cleaning);
    if (!Clean)
      return Clean.takeError();
    if (llvm::Expected<bool> Cleaned = Clean->run(M, Context); !Cleaned)
      return Cleaned.takeError();
    return true;
  }

  PassStatistics statistics() const override { return {{"operators decomposed", Decomposed}}; }

private:
  bool isTaken(const Node &N) const {
    return T.Operators.empty() || !N.domain().empty() || N.is("Constant") ||
           llvm::any_of(T.Operators, [&](const AcceptedOperator &Op) { return Op.Type == N.opType(); });
  }

  static bool hasKnownInputs(const Node &N) {
    return llvm::all_of(N.inputs(), [](const Value *Input) { return !Input || Input->type(); });
  }

  /// True if a model of \p F alone, in the place of \p N, is one for the target.
  bool isWorth(const Node &N, const Function &F) const {
    std::unique_ptr<Model> Alone = isolate(N);
    Node &Copy = *Alone->graph().begin();
    if (!refuseInlining(Copy, F).empty())
      return false;
    inlineCall(Copy, F);
    llvm::Expected<Pipeline> Passes = Pipeline::parse(
        fmt::format("{},{},infer-shapes,check-target{{target={}}}", Cleaning.str(), T.Pipeline.str(), T.Name.str()));
    if (!Passes) {
      llvm::consumeError(Passes.takeError());
      return false;
    }
    PassContext Context;
    llvm::Expected<bool> Ran = Passes->run(*Alone, Context);
    if (!Ran)
      llvm::consumeError(Ran.takeError());
    return static_cast<bool>(Ran);
  }

  /// A model of a copy of \p N alone.
  static std::unique_ptr<Model> isolate(const Node &N) {
    const Model &From = N.parent()->model();
    auto To = std::make_unique<Model>();
    To->setIRVersion(From.irVersion());
    To->opsets() = {From.opsets().begin(), From.opsets().end()};
    Graph &G = To->graph();
    G.setName("alone");
    Cloner Copies(*To);
    for (const Value *Input : N.inputs())
      if (Input && !Copies.lookup(Input)) {
        const Tensor *Constant = constantTensor(Input);
        Copies.map(Input,
                   Constant ? G.addInitializer(Input->name(), *Constant) : G.addInput(Input->name(), Input->type()));
      }
    for (Value *Output : Copies.cloneNode(N, G, G.end())->outputs())
      if (!Output->name().empty())
        G.addOutput(Output);
    return To;
  }

  const Target &T;
  uint64_t Decomposed = 0;
};
} // namespace

PassInfo deepshare::decomposeOperatorsPass() {
  return {.Name = "decompose-operators",
          .Contract = "Replaces operators that a target lacks by ONNX's own definition of them.",
          .Options = {{"target", "onnx", "crypten, onnx or spu"}},
          .Create = [](const PassOptions &Options) -> llvm::Expected<std::unique_ptr<Pass>> {
            const Target *T = findTarget(Options.get("target"));
            if (!T)
              return makeError(fmt::format("decompose-operators: unknown target '{}' (there are {})",
                                           Options.get("target").str(), targetNames()));
            return std::make_unique<DecomposeOperators>(*T);
          },
          .Alias = {},
          .Effect = PassEffect::Reassociates};
}
