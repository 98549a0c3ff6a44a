//===- Plan.h - the prepared run of a graph -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// A plan lists a graph's nodes as steps that read and write numbered slots, each with its kernel and the slots that
// are free after it. Calls of functions and subgraphs hold plans of their own.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_EXEC_PLAN_H
#define DEEPSHARE_LIB_EXEC_PLAN_H

#include "Kernels.h"

#include "deepshare/Exec/Exec.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/Support/Error.h"

#include <memory>

namespace deepshare::exec {

struct Plan;

/// A body that a step runs: a function's, or a graph attribute.
struct Body {
  std::string Attribute;
  std::unique_ptr<Plan> Steps;
  /// Slots of the surrounding plan that hold Steps->Captures.
  llvm::SmallVector<unsigned, 4> Captures;
};

struct Step {
  explicit Step(const Attributes &Attrs) : Attrs(Attrs) {}

  Attributes Attrs;
  /// Null for a call of a function, whose body is the only one of Bodies.
  const Operator *Op = nullptr;
  std::unique_ptr<CallFrame> Frame;
  std::vector<Body> Bodies;
  /// Slots; nothing for what is left out.
  llvm::SmallVector<std::optional<unsigned>, 4> Inputs;
  llvm::SmallVector<std::optional<unsigned>, 1> Outputs;
  /// Slots that nothing reads after this step.
  llvm::SmallVector<unsigned, 4> Dying;
};

struct Plan {
  std::vector<Step> Steps;
  llvm::DenseMap<const Value *, unsigned> Slots;
  unsigned NumSlots = 0;
  /// The graph's inputs that have no constant.
  std::vector<const Value *> Inputs;
  /// The graph's initialisers.
  std::vector<const Value *> Constants;
  /// Values of surrounding graphs.
  std::vector<const Value *> Captures;
  /// The graph's outputs.
  std::vector<const Value *> Outputs;
};

/// Version of \p N's domain that its model or function imports.
int64_t opsetOf(const Node &N, const CallFrame *Frame);

/// Prepares one node; its slots are left to the caller.
llvm::Expected<Step> planStep(const Node &N, const CallFrame *Frame);
/// Prepares a graph.
llvm::Expected<std::unique_ptr<Plan>> planGraph(const Graph &G, const CallFrame *Frame);

/// Runs plans.
class Runner {
public:
  using ConstantMap = llvm::DenseMap<const Value *, at::Tensor>;
  using Observer = llvm::function_ref<void(const Value &, at::Tensor &)>;

  using OverrideMap = llvm::DenseMap<const Node *, NodeFunction>;
  /// Computes a node, also one of a function's body or a subgraph, in place of its operator's kernel.
  using Interpreter = llvm::function_ref<Tensors(const Operator &Op, const OpContext &C)>;

  /// \p Overrides, if any, has functions to call in place of nodes' kernels. \p Interpret, if any, computes all others.
  /// \p Observe, if any, sees each input and each node output as it is made, those of bodies too.
  Runner(const ConstantMap &Constants, at::Device Device, const OverrideMap *Overrides = nullptr,
         Interpreter Interpret = nullptr, Observer Observe = nullptr)
      : Constants(Constants), Device(Device), Overrides(Overrides), Interpret(Interpret), Observe(Observe) {}

  /// Runs \p P.
  llvm::Expected<Tensors> run(const Plan &P, llvm::ArrayRef<at::Tensor> Inputs,
                              llvm::ArrayRef<at::Tensor> Captures = {});
  /// Runs \p S on \p Inputs; \p Captures has a list for each of its bodies.
  llvm::Expected<Tensors> runStep(const Step &S, llvm::ArrayRef<at::Tensor> Inputs, llvm::ArrayRef<Tensors> Captures);

private:
  const NodeFunction *overrideOf(const Node &N) const;
  llvm::Expected<Tensors> runKernel(const Step &S, llvm::ArrayRef<at::Tensor> Inputs, llvm::ArrayRef<Tensors> Captures);

  const ConstantMap &Constants;
  at::Device Device;
  const OverrideMap *Overrides;
  Interpreter Interpret;
  Observer Observe;
  uint64_t Trips = 0; // of all loops
};

/// Runs a kernel as it is meant to be run: 16-bit floats are widened for it on a CPU.
Tensors runKernelOf(const Operator &Op, const OpContext &C);

/// Checks tensors against the types that the graph gives for the plan's inputs. Symbols stand for any size.
llvm::Error checkInputs(const Plan &P, llvm::ArrayRef<at::Tensor> Inputs);

/// Converts the initialisers of \p P and of the plans in it.
llvm::Error convertConstants(const Plan &P, at::Device Device, Runner::ConstantMap &Into);

} // namespace deepshare::exec

#endif // DEEPSHARE_LIB_EXEC_PLAN_H
