//===- CostSteps.cpp - what of a graph costs communication ----------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Analysis/CostSteps.h"

#include "BatchAxis.h"

#include "deepshare/Analysis/GateForms.h"

#include "llvm/ADT/DenseMap.h"

using namespace deepshare;
using llvm::ArrayRef;

/// Sizes of \p V's axes for one image: the first one of a tensor that is no constant is the batch, or more. Nothing if
/// one is not known.
static std::optional<llvm::SmallVector<int64_t, 4>> sizesOf(const Value *V, const BatchAxis &Batch) {
  if (!V || !V->type() || !V->type()->Dims)
    return std::nullopt;
  llvm::SmallVector<int64_t, 4> Sizes;
  for (auto [Axis, Size] : llvm::enumerate(*V->type()->Dims)) {
    bool IsBatch = Axis == 0 && !V->isInitializer();
    if (!Size.isFixed() && !IsBatch)
      return std::nullopt;
    Sizes.push_back(IsBatch ? Batch.rowsOfImage(Size) : Size.size());
  }
  return Sizes;
}

static uint64_t product(ArrayRef<int64_t> Sizes) {
  uint64_t Product = 1;
  for (int64_t Size : Sizes)
    Product *= Size;
  return Product;
}

/// The sizes of a linear layer; nothing if \p N is none, or its shapes are not known.
static std::optional<LinearSizes> linearSizes(const Node &N, const BatchAxis &Batch) {
  if (N.is("AveragePool") || N.is("GlobalAveragePool")) {
    LinearSizes Sizes;
    if (auto Output = sizesOf(N.output(), Batch))
      Sizes.Averages = product(*Output);
    return Sizes.Averages ? std::optional(Sizes) : std::nullopt;
  }
  bool IsConv = N.is("Conv"), IsTransposed = N.is("ConvTranspose");
  if (!IsConv && !IsTransposed && !N.is("Gemm") && !N.is("MatMul"))
    return std::nullopt;
  auto Input = sizesOf(N.input(0), Batch), Weight = sizesOf(N.input(1), Batch), Output = sizesOf(N.output(), Batch);
  if (N.is("Gemm") && Weight && Weight->size() == 2) { // its weights say all, whatever is known of the rest
    bool Transposed = N.intAttribute("transB", 0) != 0;
    int64_t Rows = Output && !Output->empty() ? Output->front() : 1;
    Input = {Rows, (*Weight)[Transposed]};
    Output = {Rows, (*Weight)[!Transposed]};
  }
  if (!Input || !Weight || !Output || (N.input(0)->constant() && N.input(1)->constant()))
    return std::nullopt;
  if (Input->empty() || Weight->empty()) // no layer: nobody has checked the ranks
    return std::nullopt;
  if (N.input(0)->constant())
    std::swap(Input, Weight); // a constant matrix on the left
  LinearSizes Sizes;
  Sizes.Inputs = Sizes.Unrolled = product(*Input);
  Sizes.Weights = product(*Weight);
  Sizes.Outputs = product(*Output);
  if (IsConv && Output->size() > 2 && Weight->size() > 2 && Input->size() > 1)
    Sizes.Unrolled = Output->front() * product(ArrayRef(*Output).drop_front(2)) *
                     product(ArrayRef(*Weight).drop_front(2)) * (*Input)[1];
  if (IsConv || IsTransposed)
    Sizes.Products = (IsConv ? Sizes.Outputs : Sizes.Inputs) * product(ArrayRef(*Weight).drop_front());
  else
    Sizes.Products = Sizes.Outputs * Input->back();
  return Sizes;
}

static CostStep gateStep(const GateSite &Site) {
  CostStep Step;
  Step.Name = Site.Name;
  Step.Kind = gateKindName(Site.Kind).str();
  Step.Shape.push_back(Site.Channels);
  llvm::append_range(Step.Shape, Site.Spatial);
  Step.DReLUs = Site.DReLUs;
  Step.Muxes = Site.Muxes;
  Step.Depth = Site.Depth;
  Step.FoldsScale = Site.FoldsScale;
  auto CountTruncated = [&](ArrayRef<float> On, ArrayRef<float> Off) {
    for (auto [A, B] : llvm::zip(On, Off))
      Step.Truncations += needsTruncation({std::nullopt, A, B}) ? Site.positions() : 0;
  };
  CountTruncated(Site.SlopeOn, Site.SlopeOff);
  if (Site.Kind == GateKind::DReLUShare)
    if (const auto *On = Site.Gate->attributeAs<std::vector<float>>("on"))
      if (const auto *Off = Site.Gate->attributeAs<std::vector<float>>("off"))
        CountTruncated(*On, *Off);
  return Step;
}

/// The truncations of a product by constants, as share-gates puts it in the place of a gate; nothing if \p N is none or
/// costs none. A product with a number that was a bit is none either.
static std::optional<CostStep> productStep(const Node &N, const BatchAxis &Batch) {
  if (!N.is("Mul") || isConstant(N.input(0)) == isConstant(N.input(1)))
    return std::nullopt;
  unsigned Factor = isConstant(N.input(0)) ? 0 : 1;
  const Tensor *Factors = floatConstant(N.input(Factor));
  const Node *Other = N.input(1 - Factor)->producer();
  auto Sizes = sizesOf(N.output(), Batch);
  if (!Factors || !Sizes || Sizes->empty() || Factors->numElements() < 1 || (Other && Other->is("Cast")))
    return std::nullopt;
  CostStep Step;
  for (float Value : Factors->toVector<float>())
    Step.Truncations += needsTruncation(Value);
  Step.Truncations = Step.Truncations * product(*Sizes) / Factors->numElements();
  if (Step.Truncations == 0)
    return std::nullopt;
  Step.Name = N.output()->name().str();
  Step.Kind = N.opType().str();
  Step.Shape.assign(Sizes->begin() + 1, Sizes->end());
  return Step;
}

std::vector<CostStep> deepshare::costSteps(Model &M, ArrayRef<GateSite> Sites) {
  BatchAxis Batch(M);
  std::vector<CostStep> Steps;
  llvm::DenseMap<const Node *, llvm::SmallVector<const GateSite *, 1>> SitesOf;
  for (const GateSite &Site : Sites) {
    if (Site.Gate->parent() == &M.graph())
      SitesOf[Site.Gate].push_back(&Site);
    else
      Steps.push_back(gateStep(Site));
  }
  // The last steps that a value depends on, in order.
  llvm::DenseMap<const Value *, llvm::SmallVector<unsigned, 2>> Last;
  for (const Node &N : M.graph()) {
    llvm::SmallVector<unsigned, 2> Waits;
    for (const Value *Input : N.inputs())
      if (auto Found = Last.find(Input); Found != Last.end())
        llvm::append_range(Waits, Found->second);
    llvm::sort(Waits);
    Waits.erase(std::unique(Waits.begin(), Waits.end()), Waits.end());
    auto AddStep = [&](CostStep Step) {
      Step.After = Waits;
      Waits = {unsigned(Steps.size())};
      Steps.push_back(std::move(Step));
    };
    if (auto Found = SitesOf.find(&N); Found != SitesOf.end())
      for (const GateSite *Site : Found->second)
        AddStep(gateStep(*Site));
    if (std::optional<LinearSizes> Sizes = linearSizes(N, Batch)) {
      CostStep Step;
      Step.Name = N.output()->name().str();
      Step.Kind = N.opType().str();
      Step.IsLinear = true;
      Step.Linear = *Sizes;
      AddStep(std::move(Step));
    }
    if (std::optional<CostStep> Product = productStep(N, Batch))
      AddStep(std::move(*Product));
    if (!Waits.empty())
      for (const Value *Output : N.outputs())
        Last[Output] = Waits;
  }
  return Steps;
}
