//===- ShapeArithmetic.cpp - what is known of shapes as data --------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "ShapeArithmetic.h"

#include "ConstantNode.h"

#include "llvm/Support/MathExtras.h"

using namespace deepshare;

/// Shapes are short; longer integer tensors (index tables) are no shape arithmetic.
static constexpr int64_t MaxElements = 64;

//===----------------------------------------------------------------------===//
// Elements and operands
//===----------------------------------------------------------------------===//

ShapeElement ShapeElement::number(int64_t N) {
  ShapeElement E;
  E.Number = N;
  return E;
}

ShapeElement ShapeElement::dimension(const Value *Of, unsigned Axis) {
  ShapeElement E;
  E.Of = Of;
  E.Axis = Axis;
  return E;
}

static const Dim *dimensionOf(const Value &V, unsigned Axis) {
  if (!V.type() || !V.type()->Dims || Axis >= V.type()->Dims->size())
    return nullptr;
  return &(*V.type()->Dims)[Axis];
}

bool ShapeElement::isDimensionOf(const Value &V, unsigned InAxis) const {
  const Dim *Theirs = dimensionOf(V, InAxis);
  if (isNumber())
    return Theirs && Theirs->isFixed() && Theirs->size() == number();
  if (!Of)
    return false;
  if (Of == &V && Axis == InAxis)
    return true;
  const Dim *Ours = dimensionOf(*Of, Axis);
  return Ours && Theirs && Ours->isSymbolic() && *Ours == *Theirs;
}

std::optional<Tensor> ShapeTensor::constant() const {
  std::vector<int64_t> Numbers;
  for (const ShapeElement &E : Elements) {
    if (!E.isNumber())
      return std::nullopt;
    Numbers.push_back(E.number());
  }
  llvm::SmallVector<int64_t, 1> Dims;
  if (!IsScalar)
    Dims.push_back(Numbers.size());
  if (Type == ElementType::Int64)
    return Tensor::of<int64_t>(Dims, llvm::ArrayRef<int64_t>(Numbers));
  std::vector<int32_t> Narrow(Numbers.begin(), Numbers.end());
  return Tensor::of<int32_t>(Dims, llvm::ArrayRef<int32_t>(Narrow));
}

std::optional<int64_t> deepshare::fixedDimension(const Value &V, int64_t Axis) {
  if (!V.type() || !V.type()->Dims)
    return std::nullopt;
  int64_t Rank = V.type()->Dims->size();
  if (Axis < -Rank || Axis >= Rank)
    return std::nullopt;
  const Dim &D = (*V.type()->Dims)[Axis < 0 ? Axis + Rank : Axis];
  return D.isFixed() ? std::optional(D.size()) : std::nullopt;
}

std::optional<std::vector<int64_t>> deepshare::constantIntegers(const Value *V) {
  const Tensor *T = constantTensor(V);
  if (T && T->elementType() == ElementType::Int64)
    return T->toVector<int64_t>();
  if (T && T->elementType() == ElementType::Int32) {
    std::vector<int32_t> Narrow = T->toVector<int32_t>();
    return std::vector<int64_t>(Narrow.begin(), Narrow.end());
  }
  return std::nullopt;
}

std::optional<int64_t> deepshare::constantPlace(const Value *V, int64_t Size, int64_t Last) {
  std::optional<std::vector<int64_t>> Given = constantIntegers(V);
  if (!Given || Given->size() != 1)
    return std::nullopt;
  int64_t Place = Given->front() + (Given->front() < 0 ? Size : 0);
  return Place >= 0 && Place <= Last ? std::optional<int64_t>(Place) : std::nullopt;
}

std::optional<int64_t> deepshare::byteSize(const std::optional<TensorType> &Type) {
  if (!Type || !Type->isStatic() || elementSize(Type->Element) == 0)
    return std::nullopt;
  llvm::SmallVector<int64_t, 4> Dims;
  for (const Dim &D : *Type->Dims)
    Dims.push_back(D.size());
  Dims.push_back(elementSize(Type->Element));
  return numElements(Dims);
}

std::optional<std::vector<int64_t>> deepshare::integersOperand(const Node &N, unsigned Index, llvm::StringRef Name) {
  if (const auto *Attribute = N.attributeAs<std::vector<int64_t>>(Name))
    return *Attribute;
  return constantIntegers(N.input(Index));
}

//===----------------------------------------------------------------------===//
// Operators
//===----------------------------------------------------------------------===//

/// \p Start, \p End as Shape's and Slice's forward steps mean them: negative ones count from \p Size, all clamped.
static int64_t clampIndex(int64_t Index, int64_t Size) {
  return std::clamp<int64_t>(Index < 0 ? Index + Size : Index, 0, Size);
}

static std::optional<ShapeTensor> evaluateShape(const Node &N) {
  const Value *Of = N.input(0);
  if (!Of || !Of->type() || !Of->type()->Dims || Of->type()->Dims->size() > MaxElements)
    return std::nullopt;
  const Shape &Dims = *Of->type()->Dims;
  int64_t Rank = Dims.size();
  ShapeTensor Result;
  for (int64_t I = clampIndex(N.intAttribute("start", 0), Rank), E = clampIndex(N.intAttribute("end", Rank), Rank);
       I < E; ++I)
    Result.Elements.push_back(Dims[I].isFixed() ? ShapeElement::number(Dims[I].size())
                                                : ShapeElement::dimension(Of, I));
  return Result;
}

static std::optional<ShapeTensor> evaluateGather(const Node &N, ShapeTensor Data) {
  std::optional<std::vector<int64_t>> Indices = constantIntegers(N.input(1));
  if (Data.IsScalar || !Indices || constantTensor(N.input(1))->dims().size() > 1)
    return std::nullopt;
  ShapeTensor Result{Data.Type, constantTensor(N.input(1))->dims().empty(), {}};
  int64_t Size = Data.Elements.size();
  for (int64_t Index : *Indices) {
    if (Index < -Size || Index >= Size)
      return std::nullopt;
    Result.Elements.push_back(Data.Elements[Index < 0 ? Index + Size : Index]);
  }
  return Result;
}

static std::optional<ShapeTensor> evaluateSlice(const Node &N, ShapeTensor Data) {
  std::optional<std::vector<int64_t>> Starts = integersOperand(N, 1, "starts");
  std::optional<std::vector<int64_t>> Ends = integersOperand(N, 2, "ends");
  if (Data.IsScalar || !Starts || !Ends || Starts->size() != 1 || Ends->size() != 1)
    return std::nullopt;
  // A tensor of rank 1 has one axis; whether the axes say so or are left out is the same.
  int64_t Step = 1;
  if (N.input(4)) {
    std::optional<std::vector<int64_t>> Steps = constantIntegers(N.input(4));
    if (!Steps || Steps->size() != 1 || Steps->front() < 1)
      return std::nullopt;
    Step = Steps->front();
  }
  int64_t Size = Data.Elements.size();
  ShapeTensor Result{Data.Type, false, {}};
  int64_t End = clampIndex(Ends->front(), Size);
  for (int64_t I = clampIndex(Starts->front(), Size); I < End; I += std::min(Step, Size))
    Result.Elements.push_back(Data.Elements[I]);
  return Result;
}

/// \p A op \p B for numbers; neutral elements keep the other side.
static ShapeElement combine(llvm::StringRef Op, const ShapeElement &A, const ShapeElement &B) {
  auto Is = [](const ShapeElement &E, int64_t N) { return E.isNumber() && E.number() == N; };
  int64_t Result;
  if (Op == "Add") {
    if (Is(A, 0))
      return B;
    if (Is(B, 0))
      return A;
    if (A.isNumber() && B.isNumber() && !llvm::AddOverflow(A.number(), B.number(), Result))
      return ShapeElement::number(Result);
  } else if (Op == "Sub") {
    if (Is(B, 0))
      return A;
    if (A.isNumber() && B.isNumber() && !llvm::SubOverflow(A.number(), B.number(), Result))
      return ShapeElement::number(Result);
  } else if (Op == "Mul") {
    if (Is(A, 1))
      return B;
    if (Is(B, 1))
      return A;
    if (A.isNumber() && B.isNumber() && !llvm::MulOverflow(A.number(), B.number(), Result))
      return ShapeElement::number(Result);
  } else if (Op == "Div") {
    if (Is(B, 1))
      return A;
    // Runtimes differ in how they round negative quotients.
    if (A.isNumber() && B.isNumber() && A.number() >= 0 && B.number() > 0)
      return ShapeElement::number(A.number() / B.number());
  }
  return {};
}

static std::optional<ShapeTensor> evaluateBinary(const Node &N, const ShapeTensor &A, const ShapeTensor &B) {
  size_t Size = std::max(A.Elements.size(), B.Elements.size());
  auto Broadcasts = [&](const ShapeTensor &T) { return T.Elements.size() == Size || T.Elements.size() == 1; };
  if (A.Type != B.Type || !Broadcasts(A) || !Broadcasts(B))
    return std::nullopt;
  ShapeTensor Result{A.Type, A.IsScalar && B.IsScalar, {}};
  for (size_t I = 0; I < Size; ++I) {
    ShapeElement E =
        combine(N.opType(), A.Elements[A.Elements.size() == 1 ? 0 : I], B.Elements[B.Elements.size() == 1 ? 0 : I]);
    // Arithmetic on int32 wraps where that on int64 does not.
    Result.Elements.push_back(
        A.Type == ElementType::Int32 && E.isNumber() && !llvm::isInt<32>(E.number()) ? ShapeElement() : E);
  }
  return Result;
}

static std::optional<ShapeTensor> evaluateCast(const Node &N, ShapeTensor Data) {
  auto To = static_cast<ElementType>(N.intAttribute("to", 0));
  if (To != ElementType::Int64 && To != ElementType::Int32)
    return std::nullopt;
  // TensorFlow's exporters count in int32. No tensor has a dimension that does not fit.
  for (ShapeElement &E : Data.Elements)
    if (To == ElementType::Int32 && E.isNumber() && !llvm::isInt<32>(E.number()))
      E = {};
  Data.Type = To;
  return Data;
}

/// Between rank 0 and rank 1, element by element the same.
static std::optional<ShapeTensor> evaluateRankChange(const Node &N, ShapeTensor Data) {
  if (N.is("Unsqueeze")) {
    std::optional<std::vector<int64_t>> Axes = integersOperand(N, 1, "axes");
    if (!Data.IsScalar || !Axes || Axes->size() != 1)
      return std::nullopt;
    Data.IsScalar = false;
    return Data;
  }
  if (N.is("Squeeze")) {
    if (Data.IsScalar || Data.Elements.size() != 1)
      return std::nullopt;
    Data.IsScalar = true;
    return Data;
  }
  std::optional<std::vector<int64_t>> Target = constantIntegers(N.input(1));
  if (!Target || Target->size() > 1)
    return std::nullopt;
  Data.IsScalar = Target->empty();
  return Data;
}

std::optional<ShapeTensor> ShapeArithmetic::evaluate(const Node &N) const {
  if (!N.domain().empty())
    return std::nullopt;
  if (N.is("Shape"))
    return evaluateShape(N);
  if (N.is("Concat")) {
    ShapeTensor Result;
    for (unsigned I = 0; I < N.numInputs(); ++I) {
      std::optional<ShapeTensor> Part = lookUp(N.input(I));
      if (!Part || Part->IsScalar || Result.Elements.size() + Part->Elements.size() > MaxElements)
        return std::nullopt;
      Result.Type = Part->Type;
      Result.Elements.append(Part->Elements);
    }
    return Result;
  }
  std::optional<ShapeTensor> First = lookUp(N.input(0));
  if (!First)
    return std::nullopt;
  if (N.is("Identity"))
    return First;
  if (N.is("Gather"))
    return evaluateGather(N, std::move(*First));
  if (N.is("Slice"))
    return evaluateSlice(N, std::move(*First));
  if (N.is("Cast"))
    return evaluateCast(N, std::move(*First));
  if (N.is("Unsqueeze") || N.is("Squeeze") || N.is("Reshape"))
    return evaluateRankChange(N, std::move(*First));
  if (N.is("Add") || N.is("Sub") || N.is("Mul") || N.is("Div")) {
    std::optional<ShapeTensor> Second = lookUp(N.input(1));
    return Second ? evaluateBinary(N, *First, *Second) : std::nullopt;
  }
  return std::nullopt;
}

void ShapeArithmetic::visit(const Node &N) {
  if (N.numOutputs() == 0)
    return;
  if (std::optional<ShapeTensor> Result = evaluate(N))
    Known[N.output()] = std::move(*Result);
}

std::optional<ShapeTensor> ShapeArithmetic::lookUp(const Value *V) const {
  if (!V)
    return std::nullopt;
  if (auto It = Known.find(V); It != Known.end())
    return It->second;
  const Tensor *T = V->constant();
  if (!T || T->dims().size() > 1 || T->numElements() > MaxElements)
    return std::nullopt;
  std::optional<std::vector<int64_t>> Numbers = constantIntegers(V);
  if (!Numbers)
    return std::nullopt;
  ShapeTensor Result{T->elementType(), T->dims().empty(), {}};
  for (int64_t N : *Numbers)
    Result.Elements.push_back(ShapeElement::number(N));
  return Result;
}
