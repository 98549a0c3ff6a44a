//===- ControlFlow.cpp - branches and loops ------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"

#include <limits>

using namespace deepshare;
using namespace deepshare::exec;

static Tensors branch(const OpContext &C) {
  bool Condition = C.input(0).item<bool>();
  return C.runSubgraph(Condition ? "then_branch" : "else_branch", {});
}

/// Which of a node's outputs are lists of the trips' values, after those that are carried from trip to trip.
static size_t numScanned(const OpContext &C, size_t Carried) {
  return C.numOutputs() > Carried ? C.numOutputs() - Carried : 0;
}

/// Runs the body on iteration number, condition and carried values; it gives the condition, the carried values and one
/// slice of each scanned output.
static Tensors loop(const OpContext &C) {
  int64_t Trips = C.hasInput(0) ? C.integer(0) : std::numeric_limits<int64_t>::max();
  at::Tensor Condition = C.hasInput(1) ? C.input(1) : at::scalar_tensor(1, at::dtype(at::kBool)).to(C.device());
  Tensors Carried(C.inputs().begin() + std::min<size_t>(2, C.numInputs()), C.inputs().end());
  std::vector<std::vector<at::Tensor>> Scanned(numScanned(C, Carried.size()));
  for (int64_t Trip = 0; Trip < Trips && Condition.item<bool>(); ++Trip) {
    Tensors Inputs = {at::scalar_tensor(Trip, at::dtype(at::kLong)).to(C.device()), Condition};
    llvm::append_range(Inputs, Carried);
    Tensors Outputs = C.runSubgraph("body", Inputs);
    TORCH_CHECK(Outputs.size() >= 1 + Carried.size() + Scanned.size(), "expected ", 1 + Carried.size() + Scanned.size(),
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

/// Opset 8 had a batch axis and sequence lengths.
static bool isScan9(const Attributes &A) { return A.opset() >= 9; }

/// Runs the body on the carried values and the next slice of each scanned input; it gives the carried values and one
/// slice of each scanned output. A direction of 1 runs from the end.
static Tensors scan(const OpContext &C) {
  const Attributes &A = C.attributes();
  int64_t NumSliced = A.getInt("num_scan_inputs", 0);
  TORCH_CHECK(NumSliced > 0 && NumSliced <= C.numInputs(), "cannot scan ", NumSliced, " of ", C.numInputs(), " inputs");
  Tensors Carried(C.inputs().begin(), C.inputs().end() - NumSliced);
  llvm::ArrayRef<at::Tensor> Sliced = C.inputs().take_back(NumSliced);
  std::vector<std::vector<at::Tensor>> Scanned(numScanned(C, Carried.size()));
  auto PerTensor = [&](llvm::StringRef Name, size_t Count) {
    Ints Values = A.getInts(Name, Ints(Count, 0));
    TORCH_CHECK(Values.size() >= Count, "attribute '", Name.str(), "': expected ", Count, " values, got ",
                Values.size());
    return Values;
  };
  Ints InputAxes = PerTensor("scan_input_axes", Sliced.size()),
       FromEnd = PerTensor("scan_input_directions", Sliced.size());
  Ints OutputAxes = PerTensor("scan_output_axes", Scanned.size()),
       ToFront = PerTensor("scan_output_directions", Scanned.size());
  int64_t Trips = Sliced.front().size(InputAxes.front());
  for (int64_t Trip = 0; Trip < Trips; ++Trip) {
    Tensors Inputs = Carried;
    for (size_t I = 0; I < Sliced.size(); ++I)
      Inputs.push_back(Sliced[I].select(InputAxes[I], FromEnd[I] ? Trips - 1 - Trip : Trip));
    Tensors Outputs = C.runSubgraph("body", Inputs);
    TORCH_CHECK(Outputs.size() >= Carried.size() + Scanned.size(), "expected ", Carried.size() + Scanned.size(),
                " outputs of the body, got ", Outputs.size());
    llvm::copy(llvm::ArrayRef(Outputs).take_front(Carried.size()), Carried.begin());
    for (size_t I = 0; I < Scanned.size(); ++I)
      Scanned[I].insert(ToFront[I] ? Scanned[I].begin() : Scanned[I].end(), Outputs[Carried.size() + I]);
  }
  Tensors Results = Carried;
  for (size_t I = 0; I < Scanned.size(); ++I) {
    TORCH_CHECK(!Scanned[I].empty(), "a scanned output of a scan without slices is not supported");
    Results.push_back(at::stack(Scanned[I], OutputAxes[I]));
  }
  return Results;
}

llvm::ArrayRef<Operator> exec::controlFlowOperators() {
  static const Operator Table[] = {
      {"If", branch, nullptr, true},
      {"Loop", loop, nullptr, true},
      {"Scan", scan, isScan9, true},
  };
  return Table;
}
