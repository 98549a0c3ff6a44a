//===- Executor.cpp - runs an IR graph on ATen ----------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Plan.h"

#include "deepshare/Exec/Exec.h"

#include "llvm/ADT/DenseSet.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <cstdlib>
#include <dlfcn.h>
#include <thread>

using namespace deepshare;
using namespace deepshare::exec;

void deepshare::useAllProcessors() {
  unsigned Processors = std::thread::hardware_concurrency();
  if (!std::getenv("OMP_NUM_THREADS") && Processors)
    at::set_num_threads(Processors);
}

void deepshare::useOneBlasThread() {
  // libtorch may have been built on another BLAS: then there is no such function.
  if (void *Found = dlsym(RTLD_DEFAULT, "openblas_set_num_threads"))
    reinterpret_cast<void (*)(int)>(Found)(1);
}

/// The call frame of a node in a function's body cannot be known from the node: it stands for any call.
static bool isInFunction(const Node &N) {
  const Graph *G = N.parent();
  while (G->parentNode())
    G = G->parentNode()->parent();
  return G != &G->model().graph();
}

bool deepshare::canExecute(const Node &N) {
  if (isInFunction(N))
    return false;
  llvm::Expected<Step> S = planStep(N, nullptr);
  if (S)
    return true;
  llvm::consumeError(S.takeError());
  return false;
}

llvm::Expected<std::vector<at::Tensor>> deepshare::executeNode(const Node &N, llvm::ArrayRef<at::Tensor> Inputs,
                                                               CaptureReader Captured) {
  if (isInFunction(N))
    return nodeError(N, "a node of a function cannot be run without the call");
  if (Inputs.size() != N.numInputs())
    return nodeError(N, fmt::format("expected {} inputs, got {}", N.numInputs(), Inputs.size()));
  llvm::Expected<Step> S = planStep(N, nullptr);
  if (!S)
    return S.takeError();
  Runner::ConstantMap Constants;
  std::vector<Tensors> Captures;
  for (const Body &B : S->Bodies) {
    if (!Captured && !B.Steps->Captures.empty())
      return nodeError(N, fmt::format("attribute '{}' uses value '{}' of the graph around the node", B.Attribute,
                                      B.Steps->Captures.front()->name().str()));
    if (llvm::Error E = convertConstants(*B.Steps, at::kCPU, Constants))
      return E;
    Tensors &OfBody = Captures.emplace_back();
    for (const Value *V : B.Steps->Captures) {
      llvm::Expected<at::Tensor> T = Captured(*V);
      if (!T)
        return T.takeError();
      OfBody.push_back(std::move(*T));
    }
  }
  llvm::Expected<Tensors> Outputs = Runner(Constants, at::kCPU).runStep(*S, Inputs, Captures);
  if (!Outputs)
    return Outputs.takeError();
  std::vector<at::Tensor> Results(Outputs->begin(), Outputs->begin() + N.numOutputs());
  for (unsigned I = 0; I < N.numOutputs(); ++I)
    if (N.output(I)->name().empty())
      Results[I].reset();
  return Results;
}

//===----------------------------------------------------------------------===//
// Executor
//===----------------------------------------------------------------------===//

struct Executor::Impl {
  std::unique_ptr<Plan> Steps;
  Runner::ConstantMap Constants;
  llvm::DenseSet<const Value *> Observed;
  Runner::OverrideMap Overrides;
  at::Device Device;

  Impl(std::unique_ptr<Plan> Steps, at::Device Device) : Steps(std::move(Steps)), Device(Device) {}
};

Executor::Executor(std::unique_ptr<Impl> I) : I(std::move(I)) {}
Executor::~Executor() = default;

llvm::Expected<std::unique_ptr<Executor>> Executor::create(const Model &M, at::Device Device) {
  llvm::Expected<std::unique_ptr<Plan>> Steps = planGraph(M.graph(), nullptr);
  if (!Steps)
    return Steps.takeError();
  auto I = std::make_unique<Impl>(std::move(*Steps), Device);
  if (llvm::Error E = convertConstants(*I->Steps, Device, I->Constants))
    return E;
  return std::unique_ptr<Executor>(new Executor(std::move(I)));
}

void Executor::setConstant(const Value *Initializer, at::Tensor T) {
  assert(I->Constants.contains(Initializer) && "not an initialiser of the model");
  I->Constants[Initializer] = std::move(T);
}

at::Tensor Executor::constant(const Value *Initializer) const {
  assert(I->Constants.contains(Initializer) && "not an initialiser of the model");
  return I->Constants.lookup(Initializer);
}

void Executor::overrideNode(const Node *N, NodeFunction F) { I->Overrides[N] = std::move(F); }

void Executor::observe(const Value *V) { I->Observed.insert(V); }

/// Checks \p T against the type that the graph gives for \p Input. Symbols stand for any size.
static llvm::Error checkInput(const Value &Input, const at::Tensor &T) {
  const std::optional<TensorType> &Type = Input.type();
  if (!T.defined())
    return llvm::createStringError(fmt::format("input '{}' has no tensor", Input.name().str()));
  if (!Type)
    return llvm::Error::success();
  bool Fits = Type->Element == ElementType::Undefined || scalarTypeIfAny(Type->Element) == T.scalar_type();
  if (Type->Dims) {
    Fits &= T.dim() == static_cast<int64_t>(Type->Dims->size());
    for (unsigned I = 0; Fits && I < Type->Dims->size(); ++I)
      Fits = !(*Type->Dims)[I].isFixed() || (*Type->Dims)[I].size() == T.size(I);
  }
  if (Fits)
    return llvm::Error::success();
  std::string Got = at::toString(T.scalar_type());
  for (ElementType Element :
       {ElementType::Float32, ElementType::Float64, ElementType::Float16, ElementType::BFloat16, ElementType::Int8,
        ElementType::UInt8, ElementType::Int16, ElementType::Int32, ElementType::Int64, ElementType::Bool})
    if (scalarTypeIfAny(Element) == T.scalar_type())
      Got = makeTensorType(Element, {T.sizes().data(), T.sizes().size()}).str();
  return llvm::createStringError(fmt::format("input '{}': expected {}, got {}", Input.name().str(), Type->str(), Got));
}

llvm::Error exec::checkInputs(const Plan &P, llvm::ArrayRef<at::Tensor> Inputs) {
  if (Inputs.size() != P.Inputs.size())
    return llvm::createStringError(fmt::format("expected {} inputs, got {}", P.Inputs.size(), Inputs.size()));
  for (auto [Input, T] : llvm::zip_equal(P.Inputs, Inputs))
    if (llvm::Error E = checkInput(*Input, T))
      return E;
  return llvm::Error::success();
}

llvm::Expected<std::vector<at::Tensor>> Executor::run(llvm::ArrayRef<at::Tensor> Inputs, ValueHook Hook) {
  const Plan &P = *I->Steps;
  if (llvm::Error E = checkInputs(P, Inputs))
    return E;
  auto Observe = [&](const Value &V, at::Tensor &T) {
    if (Hook && I->Observed.contains(&V))
      Hook(V, T);
  };
  Runner Run(I->Constants, I->Device, &I->Overrides, nullptr, Observe);
  llvm::Expected<Tensors> Outputs = Run.run(P, Inputs);
  if (!Outputs)
    return Outputs.takeError();
  return std::vector<at::Tensor>(Outputs->begin(), Outputs->end());
}
