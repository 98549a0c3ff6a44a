//===- RingExecutor.cpp - runs a model in a ring and in floats ------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Both runs follow one plan. The run in floats keeps what each node compares, in order; the run in the ring makes the
// same comparisons and takes the floats back one by one.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Exec/RingExecutor.h"

#include "ComparingKernels.h"
#include "Plan.h"
#include "RingKernels.h"

#include "deepshare/Exec/Guard.h"

#include "llvm/ADT/MapVector.h"

#include <deque>

using namespace deepshare;
using namespace deepshare::exec;

/// A node and what it runs for (Attributes::outermost); a graph input and null.
using Place = std::pair<const void *, const void *>;

static Place placeOf(const OpContext &C) { return {&C.attributes().node(), &C.attributes().outermost()}; }

static bool isFloating(const at::Tensor &T) { return T.defined() && at::isFloatingType(T.scalar_type()); }

struct RingExecutor::Impl {
  std::unique_ptr<Plan> Steps;
  Runner::ConstantMap Constants, KnownConstants;
  FloatNumbers Floats;
  RingNumbers Integers;
  llvm::MapVector<Place, SiteComparisons> Sites;
  llvm::MapVector<Place, NodeElements> Settled, InFloats;
  /// Of the run under way: what is compared in floats and not yet in the ring, and flips by image.
  llvm::DenseMap<Place, std::deque<at::Tensor>> Waiting;
  at::Tensor Flips;

  Impl(std::unique_ptr<Plan> Steps, const RingOptions &Options)
      : Steps(std::move(Steps)), Floats(RingNumbers(Options).limit()), Integers(Options) {}

  NodeElements &elementsOf(llvm::MapVector<Place, NodeElements> &Of, const OpContext &C) {
    NodeElements &N = Of[placeOf(C)];
    N.Name = C.attributes().outermost().displayName().str();
    N.Kind = C.attributes().node().opType().str();
    return N;
  }

  void noteFloats(const OpContext &C, const at::Tensor &Compared, bool Keep);
  void noteIntegers(const OpContext &C, const at::Tensor &Compared);
  Tensors interpretFloats(const Operator &Op, const OpContext &C, bool Keep);
  Tensors interpretIntegers(const Operator &Op, const OpContext &C);
  Tensors computeInFloats(const Operator &Op, const OpContext &C);
  at::Tensor encodeInput(const Value &Input, const at::Tensor &T);
  llvm::Expected<Tensors> runFloats(llvm::ArrayRef<at::Tensor> Inputs, bool Keep);
  llvm::Expected<Tensors> runIntegers(llvm::ArrayRef<at::Tensor> Inputs, const Tensors &Like);
};

//===----------------------------------------------------------------------===//
// Floats
//===----------------------------------------------------------------------===//

void RingExecutor::Impl::noteFloats(const OpContext &C, const at::Tensor &Compared, bool Keep) {
  SiteComparisons &Site = Sites[placeOf(C)];
  Site.Name = C.attributes().outermost().output()->name().str();
  Site.Kind = C.attributes().outermost().opType().str();
  Site.Count += Compared.numel();
  if (Compared.numel() > 0)
    Site.Largest = std::max(Site.Largest, at::abs(Compared).max().item<double>());
  if (Keep)
    Waiting[placeOf(C)].push_back(Compared);
}

Tensors RingExecutor::Impl::interpretFloats(const Operator &Op, const OpContext &C, bool Keep) {
  ComparingKernel Kernel = findComparingKernel(C.attributes().node());
  const at::Tensor *Number = llvm::find_if(C.inputs(), isFloating);
  if (!Kernel || Number == C.inputs().end())
    return runKernelOf(Op, C);
  Floats.Compared = [&](const at::Tensor &Compared) { noteFloats(C, Compared, Keep); };
  Tensors Outputs = Kernel(C, Floats);
  for (at::Tensor &T : Outputs)
    if (isFloating(T))
      T = T.to(Number->scalar_type());
  return Outputs;
}

llvm::Expected<Tensors> RingExecutor::Impl::runFloats(llvm::ArrayRef<at::Tensor> Inputs, bool Keep) {
  if (llvm::Error E = checkInputs(*Steps, Inputs))
    return E;
  Waiting.clear();
  auto Interpret = [&](const Operator &Op, const OpContext &C) { return interpretFloats(Op, C, Keep); };
  return Runner(Constants, at::kCPU, nullptr, Interpret).run(*Steps, Inputs);
}

//===----------------------------------------------------------------------===//
// The ring
//===----------------------------------------------------------------------===//

void RingExecutor::Impl::noteIntegers(const OpContext &C, const at::Tensor &Compared) {
  std::deque<at::Tensor> &Queue = Waiting[placeOf(C)];
  TORCH_CHECK(!Queue.empty() && Queue.front().sizes() == Compared.sizes(),
              "the run in the ring took another way than the run in floats");
  at::Tensor Expected = std::move(Queue.front());
  Queue.pop_front();
  if (Compared.numel() == 0)
    return;
  SiteComparisons &Site = Sites[placeOf(C)];
  at::Tensor Error = at::abs(Integers.ring().decode(Compared).sub_(Expected));
  Site.MaxError = std::max(Site.MaxError, Error.max().item<double>());
  Site.SumError += Error.sum().item<double>();
  at::Tensor IsFlipped = at::ne(at::gt(Compared, 0), at::gt(Expected, 0));
  Site.Flips += IsFlipped.sum().item<int64_t>();
  if (Compared.dim() > 0 && Compared.size(0) == Flips.size(0))
    Flips.add_(IsFlipped.reshape({Compared.size(0), -1}).sum(1));
}

/// Decodes, computes in float64 and encodes.
Tensors RingExecutor::Impl::computeInFloats(const Operator &Op, const OpContext &C) {
  ++elementsOf(InFloats, C).Count;
  Tensors Inputs(C.inputs().begin(), C.inputs().end());
  for (at::Tensor &T : Inputs)
    if (RingNumbers::isCarrier(T))
      T = Integers.ring().decode(RingNumbers::integers(T));
    else if (isFloating(T))
      T = T.to(at::kDouble);
  Tensors Outputs = Op.Run(C.withInputs(Inputs));
  double Unit = std::ldexp(1.0, static_cast<int>(Integers.ring().options().Frac));
  for (at::Tensor &T : Outputs)
    if (isFloating(T))
      T = RingNumbers::carrier(Integers.settle(Integers.encode(T), T.to(at::kDouble) * Unit));
  return Outputs;
}

Tensors RingExecutor::Impl::interpretIntegers(const Operator &Op, const OpContext &C) {
  const Node &N = C.attributes().node();
  bool HasSecret = llvm::any_of(C.inputs(), RingNumbers::isCarrier), HasBody = !N.subgraphs().empty();
  Integers.Settled = [&](uint64_t Outside, uint64_t Elements) {
    NodeElements &E = elementsOf(Settled, C);
    E.Outside += Outside;
    E.Count += Elements;
  };
  if (!HasSecret) {
    Tensors Outputs = runKernelOf(Op, C);
    for (at::Tensor &T : Outputs)
      if (RingNumbers::isCarrier(T) && !HasBody)
        T = T.to(at::kFloat);
    return Outputs;
  }
  if (HasBody || movesElements(C)) {
    Tensors Inputs(C.inputs().begin(), C.inputs().end());
    for (at::Tensor &T : Inputs)
      if (isFloating(T))
        T = RingNumbers::carrier(Integers.numbers(T));
    return Op.Run(C.withInputs(Inputs));
  }
  auto Carried = [](Tensors Outputs) {
    for (at::Tensor &T : Outputs)
      if (T.scalar_type() == at::kLong)
        T = RingNumbers::carrier(T);
    return Outputs;
  };
  Integers.Compared = [&](const at::Tensor &Compared) { noteIntegers(C, Compared); };
  if (ComparingKernel Kernel = findComparingKernel(N))
    return Carried(Kernel(C, Integers));
  if (RingKernel Kernel = findRingKernel(N))
    if (std::optional<Tensors> Outputs = Kernel(Op, C, Integers))
      return Carried(std::move(*Outputs));
  return computeInFloats(Op, C);
}

at::Tensor RingExecutor::Impl::encodeInput(const Value &Input, const at::Tensor &T) {
  if (!isFloating(T))
    return T;
  NodeElements &E = Settled[{&Input, nullptr}];
  E.Name = Input.name().str();
  E.Kind = "input";
  E.Count += T.numel();
  E.Outside += Integers.ring().countOutside(T.to(at::kDouble) *
                                            std::ldexp(1.0, static_cast<int>(Integers.ring().options().Frac)));
  return RingNumbers::carrier(Integers.encode(T));
}

/// \p Like are the outputs in floats.
llvm::Expected<Tensors> RingExecutor::Impl::runIntegers(llvm::ArrayRef<at::Tensor> Inputs, const Tensors &Like) {
  Tensors Encoded;
  for (auto [Input, T] : llvm::zip_equal(Steps->Inputs, Inputs))
    Encoded.push_back(encodeInput(*Input, T));
  Flips = at::zeros({!Inputs.empty() && Inputs.front().dim() > 0 ? Inputs.front().size(0) : 0}, at::kLong);
  auto Interpret = [&](const Operator &Op, const OpContext &C) { return interpretIntegers(Op, C); };
  llvm::Expected<Tensors> Outputs = Runner(KnownConstants, at::kCPU, nullptr, Interpret).run(*Steps, Encoded);
  if (!Outputs)
    return Outputs;
  for (auto [T, Float] : llvm::zip_equal(*Outputs, Like)) {
    if (RingNumbers::isCarrier(T))
      T = Integers.ring().decode(RingNumbers::integers(T));
    T = T.to(Float.scalar_type());
  }
  return Outputs;
}

//===----------------------------------------------------------------------===//
// RingExecutor
//===----------------------------------------------------------------------===//

RingExecutor::RingExecutor(std::unique_ptr<Impl> I) : I(std::move(I)) {}
RingExecutor::~RingExecutor() = default;

llvm::Expected<std::unique_ptr<RingExecutor>> RingExecutor::create(const Model &M, const RingOptions &Options) {
  if (llvm::Error E = checkRing(Options))
    return E;
  llvm::Expected<std::unique_ptr<Plan>> Steps = planGraph(M.graph(), nullptr);
  if (!Steps)
    return Steps.takeError();
  auto I = std::make_unique<Impl>(std::move(*Steps), Options);
  if (llvm::Error E = convertConstants(*I->Steps, at::kCPU, I->Constants))
    return E;
  // Float64 stands for ring elements.
  for (auto &[Init, T] : I->Constants)
    I->KnownConstants[Init] = RingNumbers::isCarrier(T) ? T.to(at::kFloat) : T;
  return std::unique_ptr<RingExecutor>(new RingExecutor(std::move(I)));
}

llvm::Expected<std::vector<at::Tensor>> RingExecutor::runFloats(llvm::ArrayRef<at::Tensor> Inputs) {
  llvm::Expected<Tensors> Outputs = I->runFloats(Inputs, /*Keep=*/false);
  if (!Outputs)
    return Outputs.takeError();
  return std::vector<at::Tensor>(Outputs->begin(), Outputs->end());
}

llvm::Expected<RingOutputs> RingExecutor::run(llvm::ArrayRef<at::Tensor> Inputs) {
  return guarded("cannot run in the ring", [&]() -> llvm::Expected<RingOutputs> {
    llvm::Expected<Tensors> Floats = I->runFloats(Inputs, /*Keep=*/true);
    if (!Floats)
      return Floats.takeError();
    llvm::Expected<Tensors> Ring = I->runIntegers(Inputs, *Floats);
    if (!Ring)
      return Ring.takeError();
    const int64_t *Flips = I->Flips.data_ptr<int64_t>();
    return RingOutputs{{Ring->begin(), Ring->end()},
                       {Floats->begin(), Floats->end()},
                       std::vector<uint64_t>(Flips, Flips + I->Flips.numel())};
  });
}

std::vector<SiteComparisons> RingExecutor::comparisons() const {
  std::vector<SiteComparisons> Result;
  for (const auto &[At, Site] : I->Sites)
    Result.push_back(Site);
  return Result;
}

static std::vector<NodeElements> listed(const llvm::MapVector<Place, NodeElements> &Of,
                                        llvm::function_ref<bool(const NodeElements &)> Counts) {
  std::vector<NodeElements> Result;
  for (const auto &[At, N] : Of)
    if (Counts(N))
      Result.push_back(N);
  return Result;
}

std::vector<NodeElements> RingExecutor::overflows() const {
  return listed(I->Settled, [](const NodeElements &N) { return N.Outside > 0; });
}

std::vector<NodeElements> RingExecutor::inFloats() const {
  return listed(I->InFloats, [](const NodeElements &) { return true; });
}

unsigned deepshare::bitsToCompare(double Largest, unsigned Frac, unsigned Margin) {
  double Bits = std::ceil(std::log2(std::ldexp(Largest, static_cast<int>(Frac))));
  return 1 + static_cast<unsigned>(std::max(Bits, 0.0)) + Margin;
}
