//===- Plan.cpp - prepares the run of a graph -----------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Plan.h"

#include "llvm/ADT/SetVector.h"

#include <fmt/format.h>

using namespace deepshare;
using namespace deepshare::exec;

/// The oldest opset of ONNX's own domain whose semantics (numpy broadcasting) the kernels have.
static constexpr int64_t OldestOpset = 7;

int64_t exec::opsetOf(const Node &N, const CallFrame *Frame) {
  return opsetVersion(Frame ? Frame->Callee.Opsets : N.parent()->model().opsets(), N.domain());
}

/// Whether the native kernel, if there is one, can run the node.
static llvm::Expected<bool> hasKernel(const Operator *Op, const Attributes &Attrs) {
  if (!Op || !Op->Supports)
    return Op != nullptr;
  try {
    return Op->Supports(Attrs);
  } catch (const c10::Error &E) {
    return nodeError(Attrs.node(), E.what_without_backtrace());
  }
}

static bool isRunning(const Function &F, const CallFrame *Frame) {
  for (; Frame; Frame = Frame->Outer)
    if (&Frame->Callee == &F)
      return true;
  return false;
}

llvm::Expected<Step> exec::planStep(const Node &N, const CallFrame *Frame) {
  Step S(Attributes(N, opsetOf(N, Frame), Frame));
  if (N.domain().empty() && S.Attrs.opset() < OldestOpset)
    return nodeError(N, fmt::format("opset {} is not supported, the oldest is {}", S.Attrs.opset(), OldestOpset));

  const Operator *Op = findOperator(N.domain(), N.opType());
  llvm::Expected<bool> Native = hasKernel(Op, S.Attrs);
  if (!Native)
    return Native.takeError();
  if (*Native) {
    S.Op = Op;
    for (const Attribute &A : N.attributes())
      if (const auto *G = std::get_if<std::unique_ptr<Graph>>(&A.Value)) {
        llvm::Expected<std::unique_ptr<Plan>> P = planGraph(**G, Frame);
        if (!P)
          return nodeError(N, llvm::toString(P.takeError()));
        S.Bodies.push_back({A.Name, std::move(*P), {}});
      }
    return S;
  }

  const Function *F = N.parent()->model().function(N);
  if (!F) {
    std::string Name = N.domain().empty() ? N.opType().str() : (N.domain() + "." + N.opType()).str();
    return nodeError(N, Op ? fmt::format("operator {} is not supported with these attributes{}", Name,
                                         N.numOutputs() > 1 ? " and outputs" : "")
                           : fmt::format("operator {} (opset {}) is neither known nor a function of the model", Name,
                                         S.Attrs.opset()));
  }
  if (isRunning(*F, Frame))
    return nodeError(N, "the function calls itself");
  if (N.numInputs() > F->Body->inputs().size() || N.numOutputs() > F->Body->outputs().size())
    return nodeError(N,
                     fmt::format("the function has {} inputs and {} outputs, the call {} and {}",
                                 F->Body->inputs().size(), F->Body->outputs().size(), N.numInputs(), N.numOutputs()));
  S.Frame = std::make_unique<CallFrame>(CallFrame{N, *F, Frame});
  llvm::Expected<std::unique_ptr<Plan>> P = planGraph(*F->Body, S.Frame.get());
  if (!P)
    return nodeError(N, llvm::toString(P.takeError()));
  S.Bodies.push_back({"", std::move(*P), {}});
  return S;
}

namespace {
/// Numbers the values of a graph and finds where each is last read.
class GraphPlanner {
public:
  GraphPlanner(const Graph &G, const CallFrame *Frame) : G(G), Frame(Frame) {}

  llvm::Expected<std::unique_ptr<Plan>> run() {
    for (const Value *Input : G.inputs()) {
      define(Input);
      if (!Input->isInitializer())
        P->Inputs.push_back(Input);
    }
    for (const Value *Init : G.initializers()) {
      if (!Init->initializer())
        return llvm::createStringError(fmt::format("initialiser '{}' is not a dense tensor, which is all that can be "
                                                   "executed",
                                                   Init->name().str()));
      define(Init);
      P->Constants.push_back(Init);
    }
    for (const Node &N : G) {
      llvm::Expected<Step> S = planStep(N, Frame);
      if (!S)
        return S.takeError();
      connect(N, *S);
      P->Steps.push_back(std::move(*S));
    }
    for (const Value *Output : G.outputs()) {
      read(Output);
      P->Outputs.push_back(Output);
    }
    P->NumSlots = P->Slots.size();
    findLastReads();
    return std::move(P);
  }

private:
  unsigned define(const Value *V) { return P->Slots.try_emplace(V, P->Slots.size()).first->second; }

  /// The slot of a value that is read here; a value of a surrounding graph becomes a capture.
  unsigned read(const Value *V) {
    auto Known = P->Slots.find(V);
    if (Known != P->Slots.end())
      return Known->second;
    P->Captures.push_back(V);
    return define(V);
  }

  void connect(const Node &N, Step &S) {
    for (const Value *Input : N.inputs())
      S.Inputs.push_back(Input ? std::optional(read(Input)) : std::nullopt);
    for (Body &B : S.Bodies)
      for (const Value *Captured : B.Steps->Captures)
        B.Captures.push_back(read(Captured));
    for (const Value *Output : N.outputs())
      S.Outputs.push_back(Output->name().empty() ? std::nullopt : std::optional(define(Output)));
  }

  void findLastReads() {
    std::vector<bool> Alive(P->NumSlots);
    for (const Value *Output : P->Outputs)
      Alive[P->Slots.lookup(Output)] = true;
    auto Visit = [&](Step &S, unsigned Slot) {
      if (!Alive[Slot])
        S.Dying.push_back(Slot);
      Alive[Slot] = true;
    };
    for (Step &S : llvm::reverse(P->Steps)) {
      for (std::optional<unsigned> Slot : S.Outputs)
        if (Slot)
          Visit(S, *Slot);
      for (std::optional<unsigned> Slot : S.Inputs)
        if (Slot)
          Visit(S, *Slot);
      for (const Body &B : S.Bodies)
        for (unsigned Slot : B.Captures)
          Visit(S, Slot);
    }
  }

  const Graph &G;
  const CallFrame *Frame;
  std::unique_ptr<Plan> P = std::make_unique<Plan>();
};
} // namespace

llvm::Expected<std::unique_ptr<Plan>> exec::planGraph(const Graph &G, const CallFrame *Frame) {
  return GraphPlanner(G, Frame).run();
}

llvm::Error exec::convertConstants(const Plan &P, at::Device Device, Runner::ConstantMap &Into) {
  for (const Value *Init : P.Constants) {
    try {
      Into[Init] = constantTensor(*Init->initializer(), Device);
    } catch (const c10::Error &E) {
      return llvm::createStringError(
          fmt::format("initialiser '{}': {}", Init->name().str(), E.what_without_backtrace()));
    } catch (const std::exception &E) {
      return llvm::createStringError(fmt::format("initialiser '{}': {}", Init->name().str(), E.what()));
    }
  }
  for (const Step &S : P.Steps)
    for (const Body &B : S.Bodies)
      if (llvm::Error E = convertConstants(*B.Steps, Device, Into))
        return E;
  return llvm::Error::success();
}
