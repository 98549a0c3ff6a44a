//===- ControlFlow.cpp - branches and loops ------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"

using namespace deepshare;
using namespace deepshare::exec;

static Tensors branch(const OpContext &C) {
  bool Condition = C.input(0).item<bool>();
  return C.runSubgraph(Condition ? "then_branch" : "else_branch", {});
}

/// Runs the body on iteration number, condition and carried values; it gives the condition, the carried values and one
/// slice of each scanned output.
static Tensors loop(const OpContext &C) {
  int64_t Trips = C.hasInput(0) ? C.integer(0) : std::numeric_limits<int64_t>::max();
  at::Tensor Condition = C.hasInput(1) ? C.input(1) : at::scalar_tensor(1, at::dtype(at::kBool)).to(C.device());
  Tensors Carried(C.inputs().begin() + std::min<size_t>(2, C.numInputs()), C.inputs().end());
  TORCH_CHECK(C.numOutputs() >= Carried.size(), "expected at least ", Carried.size(), " outputs, got ", C.numOutputs());
  std::vector<std::vector<at::Tensor>> Scanned(C.numOutputs() - Carried.size());
  for (int64_t Trip = 0; Trip < Trips && Condition.item<bool>(); ++Trip) {
    Tensors Inputs = {at::scalar_tensor(Trip, at::dtype(at::kLong)).to(C.device()), Condition};
    llvm::append_range(Inputs, Carried);
    Tensors Outputs = C.runSubgraph("body", Inputs);
    TORCH_CHECK(Outputs.size() == 1 + Carried.size() + Scanned.size(), "expected ", 1 + Carried.size() + Scanned.size(),
                " outputs of the body, got ", Outputs.size());
    Condition = Outputs.front();
    llvm::copy(llvm::ArrayRef(Outputs).slice(1, Carried.size()), Carried.begin());
    for (size_t I = 0; I < Scanned.size(); ++I)
      Scanned[I].push_back(Outputs[1 + Carried.size() + I]);
  }
  Tensors Results = Carried;
  for (const std::vector<at::Tensor> &Slices : Scanned) {
    // Without a trip nothing tells the shape of a slice.
    TORCH_CHECK(!Slices.empty(), "a scanned output of a loop without trips is not supported");
    Results.push_back(at::stack(Slices));
  }
  return Results;
}

llvm::ArrayRef<Operator> exec::controlFlowOperators() {
  static const Operator Table[] = {
      {"If", branch, nullptr, true},
      {"Loop", loop, nullptr, true},
  };
  return Table;
}
