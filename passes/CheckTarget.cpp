//===- CheckTarget.cpp - what a target does not take ----------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Holds every node of the main graph and its subgraphs against a target's table (deepshare/passes/Target.h) and fails
// at the first that it does not take. Changes nothing. Bodies of functions are looked at only where a call is not
// itself taken, since a target that knows the operator never enters its function. Of ONNX itself a call is taken if its
// function's operators are what they are in the model's opset.
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/CheckTarget.h"

#include "Inlining.h"

#include "deepshare/IR/ShareOps.h"
#include "deepshare/Support/Error.h"
#include "deepshare/passes/Target.h"

#include "llvm/ADT/STLExtras.h"

#include <fmt/format.h>

using namespace deepshare;

namespace {
class CheckTarget : public Pass {
public:
  explicit CheckTarget(const Target &T) : T(T) {}

  llvm::Expected<bool> run(Model &M, PassContext &) override {
    if (T.RefuseModel)
      if (std::string Reason = T.RefuseModel(M); !Reason.empty())
        return makeError(fmt::format("target {}: {}", T.Name.str(), Reason));
    if (T.NewestOpset && M.opsetVersion() > T.NewestOpset)
      return makeError(fmt::format("target {}: opset {} is newer than {}, the last that its importer knows",
                                   T.Name.str(), M.opsetVersion(), T.NewestOpset));
    llvm::Error First = llvm::Error::success();
    M.graph().walk([&](Node &N) {
      if (First)
        return;
      if (std::string Reason = refuse(M, N); !Reason.empty())
        First = nodeError(N, fmt::format("target {} does not take it: {}", T.Name.str(), Reason));
    });
    if (First)
      return First;
    return false;
  }

private:
  std::string refuse(Model &M, const Node &N) const {
    if (T.Operators.empty()) {
      if (N.domain() == ShareDomain)
        return "it is an operator of ai.deepshare";
      // ONNX's checker refuses such a file; ONNX Runtime computes what the operators are in the model's opset.
      if (const Function *F = M.function(N))
        return refuseOpsets(M, *F);
      if (N.domain().empty() || N.domain() == "ai.onnx.ml")
        return {};
      return fmt::format("domain '{}' is none of ONNX's, and the model has no such function", N.domain().str());
    }
    const auto *Found = llvm::find_if(
        T.Operators, [&](const AcceptedOperator &Op) { return Op.Type == N.opType() && Op.Domain == N.domain(); });
    if (Found == T.Operators.end()) {
      const Function *F = M.function(N);
      if (!F)
        return "no such operator there";
      std::string Reason = refuseInlining(N, *F);
      return "it calls a function of the model" + (Reason.empty() ? ", which inline-functions inlines" : ": " + Reason);
    }
    for (const auto &[Index, Input] : llvm::enumerate(N.inputs())) {
      if (!Input && Found->Refuse == nullptr)
        return fmt::format("input {} is left out", Index);
      // Weights of such a type would not be taken for any, and become public.
      if (ElementType Type = Input && Input->type() ? Input->type()->Element : ElementType::Undefined;
          Type == ElementType::Float16 || Type == ElementType::BFloat16)
        return fmt::format("its input '{}' is of {}, expected float", Input->name().str(), elementTypeName(Type));
    }
    return Found->Refuse ? Found->Refuse(N) : std::string();
  }

  const Target &T;
};
} // namespace

PassInfo deepshare::checkTargetPass() {
  return {.Name = "check-target",
          .Contract = "Fails at the first node that a target's importer does not take, and says why.",
          .Options = {{"target", "onnx", "crypten, onnx or spu"}},
          .Create = [](const PassOptions &Options) -> llvm::Expected<std::unique_ptr<Pass>> {
            const Target *T = findTarget(Options.get("target"));
            if (!T)
              return makeError(fmt::format("check-target: unknown target '{}' (there are {})",
                                           Options.get("target").str(), targetNames()));
            return std::make_unique<CheckTarget>(*T);
          },
          .Alias = {},
          .Effect = PassEffect::Exact};
}
