//===- Runner.cpp - runs plans --------------------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Plan.h"

#include <fmt/format.h>

using namespace deepshare;
using namespace deepshare::exec;

static bool isShortFloat(const at::Tensor &T) {
  return T.defined() && (T.scalar_type() == at::kHalf || T.scalar_type() == at::kBFloat16);
}

/// Runs a kernel in float32 for 16-bit inputs. Widening is exact, and one rounding at the end is no worse than the
/// kernel's own would be. Outputs get the type of the first floating input.
static Tensors runWidened(const Operator &Op, const OpContext &C) {
  at::ScalarType Type = at::kFloat;
  Tensors Wide(C.inputs().begin(), C.inputs().end());
  bool IsFirst = true;
  for (at::Tensor &T : Wide) {
    if (!T.defined() || !at::isFloatingType(T.scalar_type()))
      continue;
    if (IsFirst)
      Type = T.scalar_type();
    IsFirst = false;
    if (isShortFloat(T))
      T = T.to(at::kFloat);
  }
  Tensors Outputs = Op.Run(C.withInputs(Wide));
  for (at::Tensor &T : Outputs)
    if (T.defined() && T.scalar_type() == at::kFloat)
      T = T.to(Type);
  return Outputs;
}

Tensors exec::runKernelOf(const Operator &Op, const OpContext &C) {
  bool Widen = !Op.FixesTypes && C.device().is_cpu() && llvm::any_of(C.inputs(), isShortFloat);
  return Widen ? runWidened(Op, C) : Op.Run(C);
}

const NodeFunction *Runner::overrideOf(const Node &N) const {
  if (!Overrides)
    return nullptr;
  auto Found = Overrides->find(&N);
  return Found == Overrides->end() ? nullptr : &Found->second;
}

/// More than any network makes: a condition that never fails, or counts from a damaged file. Those of nested loops
/// multiply, so that a bound on each would bound nothing.
static constexpr uint64_t MostTrips = 20'000;

llvm::Expected<Tensors> Runner::runKernel(const Step &S, llvm::ArrayRef<at::Tensor> Inputs,
                                          llvm::ArrayRef<Tensors> Captures) {
  auto RunSubgraph = [&](llvm::StringRef Name, llvm::ArrayRef<at::Tensor> SubgraphInputs) {
    for (auto [B, Captured] : llvm::zip_equal(S.Bodies, Captures))
      if (B.Attribute == Name) {
        TORCH_CHECK(S.Attrs.node().is("If") || ++Trips <= MostTrips, "expected at most ", MostTrips,
                    " trips of all loops together, got more");
        llvm::Expected<Tensors> Outputs = run(*B.Steps, SubgraphInputs, Captured);
        TORCH_CHECK(Outputs, llvm::toString(Outputs.takeError()));
        return std::move(*Outputs);
      }
    TORCH_CHECK(false, "attribute '", Name.str(), "' is missing");
  };
  const Node &N = S.Attrs.node();
  try {
    OpContext C(S.Attrs, Inputs, Device, RunSubgraph);
    if (const NodeFunction *Override = overrideOf(N)) {
      std::vector<at::Tensor> Outputs = (*Override)(Inputs);
      TORCH_CHECK(Outputs.size() >= N.numOutputs(), "the override made too few outputs");
      return Tensors(Outputs.begin(), Outputs.end());
    }
    Tensors Outputs = Interpret ? Interpret(*S.Op, C) : runKernelOf(*S.Op, C);
    if (Outputs.size() < N.numOutputs())
      return nodeError(N, fmt::format("expected at most {} outputs, got {}", Outputs.size(), N.numOutputs()));
    return Outputs;
  } catch (const c10::Error &E) {
    return nodeError(N, llvm::StringRef(E.what_without_backtrace()).rtrim());
  } catch (const std::exception &E) {
    return nodeError(N, llvm::StringRef(E.what()).rtrim());
  }
}

llvm::Expected<Tensors> Runner::runStep(const Step &S, llvm::ArrayRef<at::Tensor> Inputs,
                                        llvm::ArrayRef<Tensors> Captures) {
  if (S.Op || overrideOf(S.Attrs.node()))
    return runKernel(S, Inputs, Captures);
  const Plan &P = *S.Bodies.front().Steps;
  Tensors Padded(Inputs.begin(), Inputs.end());
  Padded.resize(P.Inputs.size());
  llvm::Expected<Tensors> Outputs = run(P, Padded);
  if (!Outputs)
    return nodeError(S.Attrs.node(), llvm::toString(Outputs.takeError()));
  return Outputs;
}

llvm::Expected<Tensors> Runner::run(const Plan &P, llvm::ArrayRef<at::Tensor> Inputs,
                                    llvm::ArrayRef<at::Tensor> Captures) {
  if (Inputs.size() != P.Inputs.size())
    return llvm::createStringError(fmt::format("expected {} inputs, got {}", P.Inputs.size(), Inputs.size()));
  std::vector<at::Tensor> Slots(P.NumSlots);
  for (const Value *Init : P.Constants)
    Slots[P.Slots.lookup(Init)] = Constants.lookup(Init);
  for (auto [Captured, T] : llvm::zip_equal(P.Captures, Captures))
    Slots[P.Slots.lookup(Captured)] = T;
  for (auto [Input, T] : llvm::zip_equal(P.Inputs, Inputs)) {
    at::Tensor &Slot = Slots[P.Slots.lookup(Input)];
    Slot = T;
    if (Observe)
      Observe(*Input, Slot);
  }

  auto Read = [&](unsigned Slot) { return Slots[Slot]; };
  for (const Step &S : P.Steps) {
    Tensors StepInputs;
    for (std::optional<unsigned> Slot : S.Inputs)
      StepInputs.push_back(Slot ? Read(*Slot) : at::Tensor());
    llvm::SmallVector<Tensors, 1> BodyCaptures;
    for (const Body &B : S.Bodies)
      BodyCaptures.push_back(llvm::to_vector<1>(llvm::map_range(B.Captures, Read)));
    llvm::Expected<Tensors> Outputs = runStep(S, StepInputs, BodyCaptures);
    if (!Outputs)
      return Outputs.takeError();
    for (unsigned I = 0; I < S.Outputs.size(); ++I) {
      if (!S.Outputs[I])
        continue;
      at::Tensor &Slot = Slots[*S.Outputs[I]];
      Slot = std::move((*Outputs)[I]);
      if (Observe)
        Observe(*S.Attrs.node().output(I), Slot);
    }
    for (unsigned Slot : S.Dying)
      Slots[Slot].reset();
  }

  Tensors Results;
  for (const Value *Output : P.Outputs)
    Results.push_back(Slots[P.Slots.lookup(Output)]);
  return Results;
}
