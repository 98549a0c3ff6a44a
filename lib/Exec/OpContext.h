//===- OpContext.h - what a kernel sees of its node -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Inside lib/Exec, kernels report errors as ATen does, by TORCH_CHECK. Plan.cpp catches what kernels and ATen throw and
// makes it an llvm::Error that names the node; no exception leaves the library.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_EXEC_OPCONTEXT_H
#define DEEPSHARE_LIB_EXEC_OPCONTEXT_H

#include "deepshare/IR/Model.h"

#include "llvm/ADT/STLFunctionalExtras.h"

#include <ATen/ATen.h>

namespace deepshare::exec {

using Ints = std::vector<int64_t>;
using Tensors = llvm::SmallVector<at::Tensor, 1>;

/// The call that a function's body runs for.
struct CallFrame {
  const Node &Caller;
  const Function &Callee;
  const CallFrame *Outer;
};

/// A node's attributes, references to those of the calling node resolved.
class Attributes {
public:
  Attributes(const Node &N, int64_t Opset, const CallFrame *Frame) : N(N), Opset(Opset), Frame(Frame) {}

  const Node &node() const { return N; }
  /// The node that this one runs for: the outermost call of a function, or the node itself outside of functions.
  const Node &outermost() const;
  /// Version of the node's domain that its model, or its function, imports.
  int64_t opset() const { return Opset; }

  /// The value of \p Name; null if it is absent.
  const AttributeValue *find(llvm::StringRef Name) const { return find(N, Name, Frame); }
  bool has(llvm::StringRef Name) const { return find(Name) != nullptr; }

  /// The value of \p Name if it is there, else null; raises if it has another type than T.
  template <typename T> const T *get(llvm::StringRef Name) const {
    const AttributeValue *Value = find(Name);
    if (!Value)
      return nullptr;
    const T *Typed = std::get_if<T>(Value);
    TORCH_CHECK(Typed, "attribute '", Name.str(), "' has a wrong type");
    return Typed;
  }
  int64_t getInt(llvm::StringRef Name, int64_t Default) const { return valueOr(Name, Default); }
  double getFloat(llvm::StringRef Name, float Default) const { return valueOr(Name, Default); }
  std::string getString(llvm::StringRef Name, std::string Default) const { return valueOr(Name, std::move(Default)); }
  Ints getInts(llvm::StringRef Name, Ints Default = {}) const { return valueOr(Name, std::move(Default)); }

private:
  template <typename T> T valueOr(llvm::StringRef Name, T Default) const {
    const T *Value = get<T>(Name);
    return Value ? *Value : Default;
  }
  static const AttributeValue *find(const Node &N, llvm::StringRef Name, const CallFrame *Frame);

  const Node &N;
  int64_t Opset;
  const CallFrame *Frame;
};

/// One run of one node.
class OpContext {
public:
  using SubgraphRunner = llvm::function_ref<Tensors(llvm::StringRef Attribute, llvm::ArrayRef<at::Tensor> Inputs)>;

  OpContext(const Attributes &A, llvm::ArrayRef<at::Tensor> Inputs, at::Device Device, SubgraphRunner RunSubgraph)
      : A(A), Inputs(Inputs), Device(Device), RunSubgraph(RunSubgraph) {}

  /// The same run on other inputs.
  OpContext withInputs(llvm::ArrayRef<at::Tensor> Others) const { return {A, Others, Device, RunSubgraph}; }

  const Attributes &attributes() const { return A; }
  int64_t opset() const { return A.opset(); }
  /// Where constants are made.
  at::Device device() const { return Device; }

  unsigned numInputs() const { return Inputs.size(); }
  bool hasInput(unsigned Index) const { return Index < Inputs.size() && Inputs[Index].defined(); }
  /// Input \p Index; raises if it is left out.
  const at::Tensor &input(unsigned Index) const {
    TORCH_CHECK(hasInput(Index), "input ", Index, " is missing");
    return Inputs[Index];
  }
  /// Input \p Index; undefined if it is left out.
  at::Tensor optionalInput(unsigned Index) const { return hasInput(Index) ? Inputs[Index] : at::Tensor(); }
  llvm::ArrayRef<at::Tensor> inputs() const { return Inputs; }
  /// The elements of an integer input.
  Ints ints(unsigned Index) const;
  /// The only element of an integer input.
  int64_t integer(unsigned Index) const;
  /// Integers that older opsets give as attribute \p Name and newer ones as input \p Index; nothing if in neither.
  std::optional<Ints> intsArgument(llvm::StringRef Name, unsigned Index) const;

  unsigned numOutputs() const { return A.node().numOutputs(); }
  /// True unless output \p Index is left out.
  bool wantsOutput(unsigned Index) const { return Index < numOutputs() && !A.node().output(Index)->name().empty(); }

  /// Runs the graph that is the attribute \p Name.
  Tensors runSubgraph(llvm::StringRef Name, llvm::ArrayRef<at::Tensor> SubgraphInputs) const {
    return RunSubgraph(Name, SubgraphInputs);
  }

private:
  const Attributes &A;
  llvm::ArrayRef<at::Tensor> Inputs;
  at::Device Device;
  SubgraphRunner RunSubgraph;
};

/// \p Axis counted from 0, for a tensor of \p Rank dimensions; raises if it is out of range.
int64_t normalizeAxis(int64_t Axis, int64_t Rank);
/// Every element of \p Axes normalised.
Ints normalizeAxes(Ints Axes, int64_t Rank);

/// ATen's type for an ONNX element type (attribute values carry it as an integer); raises if there is none.
at::ScalarType scalarType(int64_t ElementTypeNumber);
/// As above; nothing if there is none.
std::optional<at::ScalarType> scalarTypeIfAny(ElementType Type);
/// A constant as an ATen tensor on \p Device; raises for types that ATen does not have.
at::Tensor constantTensor(const Tensor &T, at::Device Device);

} // namespace deepshare::exec

#endif // DEEPSHARE_LIB_EXEC_OPCONTEXT_H
