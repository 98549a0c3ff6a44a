//===- Parameters.cpp - which constants of a model are trained ------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Parameters.h"

#include "llvm/ADT/DenseSet.h"

#include <optional>

using namespace deepshare;
using namespace deepshare::tune;

/// The role of input \p Index of \p N.
static std::optional<Role> roleOf(const Node &N, unsigned Index) {
  if (!N.domain().empty())
    return std::nullopt;
  llvm::StringRef Type = N.opType();
  if (Type == "Conv" || Type == "ConvTranspose")
    return Index == 1 ? std::optional(Role::Weight) : Index == 2 ? std::optional(Role::Bias) : std::nullopt;
  if (Type == "Gemm")
    return Index < 2 ? Role::Weight : Role::Bias;
  if (Type == "MatMul")
    return Role::Weight;
  if (Type == "BatchNormalization") {
    static constexpr Role Roles[] = {Role::Scale, Role::Bias, Role::Mean, Role::Variance};
    return Index == 0 ? std::nullopt : std::optional(Roles[Index - 1]);
  }
  if (Type == "InstanceNormalization" || Type == "GroupNormalization" || Type == "LayerNormalization")
    return Index == 1 ? std::optional(Role::Scale) : Index == 2 ? std::optional(Role::Bias) : std::nullopt;
  if (Type == "PRelu")
    return Index == 1 ? std::optional(Role::Slope) : std::nullopt;
  if (Type == "Add") {
    // The bias that frameworks write after a MatMul; any other constant addend is data.
    const Value *Other = N.input(1 - Index);
    if (Other && Other->producer() && Other->producer()->is("MatMul"))
      return Role::Bias;
  }
  return std::nullopt;
}

std::vector<Parameter> tune::findParameters(Model &M, llvm::function_ref<bool(const Value &)> IsCandidate) {
  std::vector<Parameter> Result;
  llvm::DenseSet<const Value *> Seen;
  for (Node &N : M.graph())
    for (unsigned Index = 0; Index < N.numInputs(); ++Index) {
      Value *Input = N.input(Index);
      if (!Input || Input->producer() || !IsCandidate(*Input))
        continue;
      if (std::optional<Role> Kind = roleOf(N, Index); Kind && Seen.insert(Input).second)
        Result.push_back({Input, *Kind, &N});
    }
  return Result;
}
