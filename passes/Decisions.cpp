//===- Decisions.cpp - comparisons of a run and how close they were -------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Decisions.h"

#include "PlanReference.h"

#include "deepshare/Analysis/GateForms.h"
#include "deepshare/IR/ShareOps.h"
#include "deepshare/passes/Validation.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

using namespace deepshare;

double deepshare::magnitude(const at::Tensor &T) {
  at::Tensor Finite = at::nan_to_num(T.to(at::kDouble).abs(), 0, 0, 0);
  return Finite.numel() ? Finite.max().item<double>() : 0;
}

double deepshare::roundingOf(at::ScalarType Type) {
  return reassociationBound(Type == at::kHalf ? 11 : Type == at::kBFloat16 ? 8 : 24);
}

static bool isDecision(const Node &N) { return isComparison(N) || isDReLU(N) || N.is("Sign"); }

/// The name of \p V after those of the nodes in whose bodies it is, and which of a node's bodies.
static std::string pathOf(const Value &V) {
  std::string Path = V.name().str();
  for (Graph *G = V.parent(); G->parentNode(); G = G->parentNode()->parent()) {
    Node &Around = *G->parentNode();
    auto Bodies = Around.subgraphs();
    // Names may hold any character but this one.
    Path =
        fmt::format("{}{}{}{}{}", Around.displayName().str(), '\0', llvm::find(Bodies, G) - Bodies.begin(), '\0', Path);
  }
  return Path;
}

void Decisions::observe(Executor &Exec, Model &M) {
  M.graph().walk([&](const Node &N) {
    if (!isDecision(N))
      return;
    Exec.observe(N.output());
    for (const Value *Operand : N.inputs())
      if (!Operand->isInitializer())
        Exec.observe(Operand);
  });
}

void Decisions::takeDown(const Executor &Exec, const Value &V, const at::Tensor &T) {
  Operands[&V] = T;
  if (!V.producer() || !isDecision(*V.producer()))
    return;
  at::Tensor IsClose = findClose(Exec, *V.producer());
  if (IsClose.defined() && IsClose.sizes() == T.sizes())
    ByPath[pathOf(V)].push_back({T, IsClose});
}

/// Where the sides of \p N are within rounding of each other; undefined for integers, which are not rounded.
at::Tensor Decisions::findClose(const Executor &Exec, const Node &N) const {
  auto Side = [&](const Value *V) { return V->isInitializer() ? Exec.constant(V) : Operands.lookup(V); };
  at::Tensor A = Side(N.input(0));
  if (!A.is_floating_point())
    return {};
  double Rounding = roundingOf(A.scalar_type());
  A = A.to(at::kDouble);
  double Magnitude = magnitude(A);
  if (N.numInputs() > 1) {
    at::Tensor B = Side(N.input(1)).to(at::kDouble);
    Magnitude = std::max(Magnitude, magnitude(B));
    A = A - B;
  }
  if (std::vector<int64_t> Block = N.intsAttribute("block"); !Block.empty())
    A = tileMeans(A, Block.front());
  return A.abs() <= Rounding * Magnitude;
}

/// What was taken down next of \p V, which is then used up.
std::optional<Decisions::Decision> Decisions::next(const Value &V) {
  auto Found = ByPath.find(pathOf(V));
  if (Found == ByPath.end() || Found->second.empty())
    return std::nullopt;
  Decision Earlier = std::move(Found->second.front());
  Found->second.pop_front();
  return Earlier;
}

void Decisions::impose(const Value &V, at::Tensor &T) {
  std::optional<Decision> Earlier = next(V);
  if (Earlier && Earlier->Result.scalar_type() == T.scalar_type() && Earlier->Result.sizes() == T.sizes())
    T = at::where(Earlier->IsClose, Earlier->Result, T);
}

bool Decisions::repeat(const Value &V, at::Tensor &T) {
  std::optional<Decision> Earlier = next(V);
  if (Earlier)
    T = Earlier->Result;
  return Earlier.has_value();
}

void Decisions::decideTiles(const Value &V, at::Tensor &T) const {
  if (!V.producer() || !isDReLU(*V.producer()))
    return;
  std::vector<int64_t> Block = V.producer()->intsAttribute("block");
  auto Found = ByPath.find(pathOf(V));
  if (Block.empty() || Found == ByPath.end())
    return;
  T = at::where(Found->second.back().IsClose, tileMeans(Operands.lookup(V.producer()->input(0)), Block.front()) > 0, T);
}
