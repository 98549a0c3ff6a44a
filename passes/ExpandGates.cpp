//===- ExpandGates.cpp - one comparison a gate ----------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Sharing works on gates of one comparison with zero, y = x * (x > 0 ? a : b). This pass brings others into that form:
//
//   Clip(x, lo, hi)        =>  lo + Relu(x - lo) - Relu(x - hi)       ReLU6: Relu(x) - Relu(x - 6)
//   Max(x, c)              =>  c + Relu(x - c)                        c a constant of any shape
//   Min(x, c)              =>  x - Relu(x - c)                        c not 0
//   Max(a, b), Min(a, b)   =>  b + Relu(a - b), a - Relu(a - b)
//   HardSigmoid(x)         =>  Clip(alpha*x + beta, 0, 1)
//   HardSwish(x)           =>  x * HardSigmoid(x)
//
// Derivation: Relu(x - c) = max(x, c) - c = x - min(x, c), and for lo <= hi
// min(max(x, lo), hi) = max(x, lo) - max(x, hi) + hi, since max(max(x, lo), hi) = max(x, hi).
// Both comparisons of a Clip are with x itself, so that they run in the same round.
//
// Selections in other words become what they are, equal but for the sign of a zero:
//
//   Max(x, 0), Clip(x, 0), Where(x > 0, x, 0), x * Cast(x > 0)      =>  Relu(x)
//   Where(x > 0, x, a*x), x * Where(x > 0, 1, a)                    =>  LeakyRelu(x), or PRelu for a per channel
//   Where(x > 0, 0, x), x * Cast(x < 0), Clip(x, , 0)               =>  Min(x, 0)
//   Where(a > b, a, b), Where(a > b, b, a)                          =>  Max(a, b), Min(a, b), and on from there
//   Min(Max(x, lo), hi), Max(Min(x, hi), lo)                        =>  Clip(x, lo, hi), and on from there
//   ThresholdedRelu(x) with alpha 0                                 =>  Relu(x)
//
// Rounding: differences of x and a constant are rounded once each, their sum again. With e = 2^-24, Clip differs by at
// most e * (2|x| + 6 max(|lo|, |hi|)), Max and Min by at most e * (2|a| + 2|b|). ReLU6 is exact for x <= 12 (Sterbenz:
// x - 6 is exact from 3 to 12). Infinite inputs, of which frameworks of fixed point have none, become NaN.
//
// Legal if, all checked before anything changes:
//  1. the gate is one that findGateSites counts, in the main graph, on float32;
//  2. bounds are constants of at most 2^16 (a larger one would take x's digits in x - c), slopes finite ones, lo < hi;
//  3. a comparison that is replaced has no other user;
//  4. of more than two operands of a Max or Min, all have the result's shape, or one is a constant.
// So the number of comparisons and muxes stays; that of a Min(Max(x)) that becomes a Clip too.
//
// Not done: gates that jump (Sign, ThresholdedRelu with alpha > 0, Where of values that do not meet): no Relu is one.
// Subtractions of constants are written as additions, which every framework knows. contract-gates is the way back.
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/ExpandGates.h"

#include "Rewriting.h"

#include "deepshare/Analysis/GateForms.h"
#include "deepshare/Analysis/GateSite.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/Support/Debug.h"

#include <cmath>

#define DEBUG_TYPE "expand-gates"

using namespace deepshare;

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

static Value *reject(const Node &N, llvm::StringRef Reason) {
  LLVM_DEBUG(llvm::dbgs() << "keeps '" << N.displayName() << "': " << Reason << '\n');
  return nullptr;
}

/// True for what may be subtracted and added again: x - c keeps enough digits of x. False for NaN.
static bool isBound(float Number) { return std::abs(Number) <= 0x1p16F; }

/// The constant that \p V is, if all of its elements are bounds.
static std::optional<Tensor> boundConstant(const Value *V) {
  std::optional<Tensor> Found;
  if (const Tensor *T = floatConstant(V))
    Found = *T;
  else if (std::optional<float> Number = splat(V))
    Found = Tensor::scalar(*Number);
  if (!Found || Found->numElements() < 1 || !llvm::all_of(Found->toVector<float>(), isBound))
    return std::nullopt;
  return Found;
}

static bool isZero(const Tensor &T) {
  return llvm::all_of(T.toVector<float>(), [](float Number) { return Number == 0; });
}

static bool isSame(const Value *A, const Value *B) { return A == B || (splat(A) && splat(A) == splat(B)); }

/// The slopes a, b of a product of \p X by a selection: Cast(x > 0), or Where(x > 0, a, b) of two constants.
static std::optional<Slopes> selectedSlopes(const Value *Factor, const Value *X) {
  const Node *Selection = Factor->producer();
  if (!Selection || !hasOneUse(Factor) || !(Selection->is("Cast") || Selection->is("Where")))
    return std::nullopt;
  const Node *Comparison = Selection->input(0)->producer();
  std::optional<ZeroComparison> Compared = Comparison ? comparisonWithZero(*Comparison) : std::nullopt;
  if (!Compared || Compared->X != X || !hasOneUse(Comparison->output()))
    return std::nullopt;
  std::optional<float> True = 1, False = 0;
  if (Selection->is("Where")) {
    True = splat(Selection->input(1));
    False = splat(Selection->input(2));
  }
  if (!True || !False)
    return std::nullopt;
  return Compared->Complement ? Slopes{*False, *True} : Slopes{*True, *False};
}

/// The constant s that \p V multiplies \p X by, if it broadcasts to \p X.
static Value *factorOf(const Value *V, const Value *X) {
  const Node *Product = V->producer();
  if (!Product || !Product->is("Mul") || !X->type() || !X->type()->Dims)
    return nullptr;
  for (unsigned I : {0, 1}) {
    Value *Factor = Product->input(I);
    const Tensor *Constant = floatConstant(Factor);
    if (Product->input(1 - I) != X || !Constant || Constant->dims().size() > X->type()->Dims->size())
      continue;
    size_t Missing = X->type()->Dims->size() - Constant->dims().size();
    bool Fits = true;
    for (auto [Axis, Size] : llvm::enumerate(Constant->dims())) {
      const Dim &Own = (*X->type()->Dims)[Missing + Axis];
      Fits &= Size == 1 || (Own.isFixed() && Own.size() == Size);
    }
    return Fits ? Factor : nullptr;
  }
  return nullptr;
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

namespace {

/// Rewrites one gate. Each rule checks first; it returns the value in the gate's place, or null if it does not apply.
class GateExpander {
public:
  explicit GateExpander(Node &Gate) : Gate(Gate) {}

  Value *expand() {
    if (Gate.is("Clip"))
      return expandClip();
    if (Gate.is("Max") || Gate.is("Min"))
      return expandExtremum();
    if (Gate.is("HardSigmoid"))
      return hardSigmoid(Gate.floatAttribute("alpha", 0.2f), Gate.floatAttribute("beta", 0.5f));
    if (Gate.is("HardSwish"))
      return insert("Mul", {Gate.input(0), hardSigmoid(1.0f / 6, 0.5f)}, "");
    if (Gate.is("Where"))
      return expandWhere();
    if (Gate.is("Mul"))
      return expandProduct();
    if (Gate.is("ThresholdedRelu"))
      return Gate.floatAttribute("alpha", 1) == 0 ? relu(Gate.input(0), "") : reject(Gate, "it jumps");
    return nullptr;
  }

private:
  /// True unless the gate's other operands, constants, make it larger than \p X.
  bool hasShapeOf(const Value *X) const { return X->type() == Gate.output()->type(); }

  Value *insert(llvm::StringRef OpType, llvm::ArrayRef<Value *> Inputs, llvm::StringRef Suffix) {
    Graph &G = *Gate.parent();
    Value *Made = G.insert(Graph::iteratorTo(&Gate), OpType, Inputs, Gate.output()->name() + Suffix);
    Made->setType(Gate.output()->type());
    return Made;
  }

  Value *constant(Tensor T, llvm::StringRef Suffix) {
    return Gate.parent()->addInitializer((Gate.output()->name() + Suffix).str(), std::move(T));
  }

  Value *relu(Value *X, llvm::StringRef Suffix) { return insert("Relu", {X}, Suffix); }

  /// x + c
  Value *plus(Value *X, const Tensor &C, llvm::StringRef Suffix) {
    return isZero(C) ? X : insert("Add", {X, constant(C, (Suffix + "_addend").str())}, Suffix);
  }

  /// Relu(x - c)
  Value *reluAbove(Value *X, const Tensor &C, llvm::StringRef Suffix) {
    std::vector<float> Negated = C.toVector<float>();
    for (float &Number : Negated)
      Number = -Number;
    Tensor Minus = Tensor::of<float>(C.dims(), llvm::ArrayRef<float>(Negated));
    return relu(plus(X, Minus, (Suffix + "_shifted").str()), Suffix);
  }

  // Clip(x, lo, hi) => lo + (Relu(x - lo) - Relu(x - hi))
  Value *clip(Value *X, float Low, float High) {
    Value *AboveLow = reluAbove(X, Tensor::scalar(Low), "_low");
    Value *AboveHigh = reluAbove(X, Tensor::scalar(High), "_high");
    return plus(insert("Sub", {AboveLow, AboveHigh}, "_range"), Tensor::scalar(Low), "_raised");
  }

  // Max(x, 0) => Relu(x);   Max(x, c) => c + Relu(x - c);   Min(x, c) => x - Relu(x - c)
  Value *extremum(bool IsMax, Value *X, const Tensor &C) {
    if (isZero(C))
      return IsMax ? relu(X, "") : insert("Min", {X, constant(C, "_zero")}, "");
    Value *Above = reluAbove(X, C, "_above");
    return IsMax ? plus(Above, C, "_raised") : insert("Sub", {X, Above}, "_lowered");
  }

  // Max(a, b) => b + Relu(a - b);   Min(a, b) => a - Relu(a - b)
  Value *extremum(bool IsMax, Value *A, Value *B) {
    if (isConstant(A))
      std::swap(A, B);
    if (std::optional<Tensor> C = boundConstant(B))
      return extremum(IsMax, A, *C);
    Value *Above = relu(insert("Sub", {A, B}, "_difference"), "_above");
    return IsMax ? insert("Add", {B, Above}, "_raised") : insert("Sub", {A, Above}, "_lowered");
  }

  // y = x * (x > 0 ? a : b) where it has a name
  Value *sloped(Value *X, Slopes S) {
    if (S.On == 1 && S.Off == 0)
      return relu(X, "");
    if (S.On == 0 && S.Off == 1)
      return insert("Min", {X, constant(Tensor::scalar(0.0f), "_zero")}, "");
    if (S.On != 1 || !std::isfinite(S.Off))
      return reject(Gate, "no operator has its slopes");
    Value *Leaky = insert("LeakyRelu", {X}, "");
    Leaky->producer()->setAttribute("alpha", S.Off);
    return Leaky;
  }

  // HardSigmoid(x) => Clip(alpha*x + beta, 0, 1)
  Value *hardSigmoid(float Alpha, float Beta) {
    Value *Scaled = insert("Mul", {Gate.input(0), constant(Tensor::scalar(Alpha), "_alpha")}, "_scaled");
    return clip(plus(Scaled, Tensor::scalar(Beta), "_moved"), 0, 1);
  }

  Value *expandClip() {
    Value *X = Gate.input(0);
    ClipBound Low = clipBound(Gate, 0), High = clipBound(Gate, 1);
    for (const ClipBound &Bound : {Low, High})
      if (Bound.Exists && !(Bound.Value && isBound(*Bound.Value)))
        return reject(Gate, "a bound is no constant of at most 65536");
    if (Low.Exists && High.Exists)
      return *Low.Value < *High.Value ? clip(X, *Low.Value, *High.Value) : reject(Gate, "its bounds leave no range");
    return extremum(Low.Exists, X, Tensor::scalar(Low.Exists ? *Low.Value : *High.Value));
  }

  // Min(Max(x, lo), hi) => Clip(x, lo, hi), and the other way about
  Value *expandNested() {
    for (unsigned I : {0, 1}) {
      std::optional<float> Outer = splat(Gate.input(1 - I));
      const Value *V = Gate.input(I);
      const Node *Inner = V->producer();
      if (!Outer || !Inner || !hasOneUse(V))
        continue;
      bool IsMax = Gate.is("Max");
      if (Inner->is("Relu") && !IsMax && *Outer > 0 && isBound(*Outer))
        return clip(Inner->input(0), 0, *Outer);
      if (!Inner->is(IsMax ? "Min" : "Max") || Inner->numInputs() != 2)
        continue;
      for (unsigned J : {0, 1}) {
        std::optional<float> Bound = splat(Inner->input(1 - J));
        if (!Bound || isConstant(Inner->input(J)) || !hasShapeOf(Inner->input(J)))
          continue;
        float Low = IsMax ? *Outer : *Bound, High = IsMax ? *Bound : *Outer;
        if (isBound(Low) && isBound(High) && Low < High)
          return clip(Inner->input(J), Low, High);
      }
    }
    return nullptr;
  }

  Value *expandExtremum() {
    bool IsMax = Gate.is("Max");
    for (const Value *V : Gate.inputs())
      if (!isConstant(V) && llvm::any_of(Gate.inputs(), isConstant) && !hasShapeOf(V))
        return reject(Gate, "its constant is larger than its operand");
    if (Gate.numInputs() == 2) {
      if (!IsMax && llvm::any_of(Gate.inputs(), [](const Value *V) { return splat(V) == 0.0f; }))
        return reject(Gate, "it has one comparison with zero already");
      if (Value *Nested = expandNested())
        return Nested;
    }
    llvm::SmallVector<Value *> Operands(Gate.inputs());
    // Constants last, where a pair has one at most.
    std::stable_partition(Operands.begin(), Operands.end(), [](const Value *V) { return !isConstant(V); });
    if (Operands.size() > 1 && isConstant(Operands[Operands.size() - 2]))
      return reject(Gate, "it has several constants");
    if (isConstant(Operands.back()) && !boundConstant(Operands.back()))
      return reject(Gate, "its constant is not one of float32 of at most 65536");
    for (const Value *V : Operands)
      if (Operands.size() > 2 && !isConstant(V) && V->type() != Gate.output()->type())
        return reject(Gate, "its operands have several shapes");
    // A tree, since comparisons one after the other wait for each other.
    while (Operands.size() > 1) {
      llvm::SmallVector<Value *> Next;
      for (size_t I = 0; I + 1 < Operands.size(); I += 2)
        Next.push_back(extremum(IsMax, Operands[I], Operands[I + 1]));
      if (Operands.size() % 2)
        Next.push_back(Operands.back());
      Operands = std::move(Next);
    }
    return Operands.front();
  }

  Value *expandWhere() {
    const Node &Comparison = *Gate.input(0)->producer();
    Value *True = Gate.input(1), *False = Gate.input(2);
    std::optional<ZeroComparison> Compared = comparisonWithZero(Comparison);
    if (Compared && hasShapeOf(Compared->X)) {
      Value *X = Comparison.input(Comparison.input(0) == Compared->X ? 0 : 1);
      if (std::optional<Slopes> Same = whereSlopes(Gate, Comparison))
        return sloped(X, *Same);
      if (Compared->Complement)
        std::swap(True, False);
      if (Value *Slope = True == X ? factorOf(False, X) : nullptr)
        return insert("PRelu", {X, Slope}, "");
      True = Gate.input(1), False = Gate.input(2);
    }
    if (Comparison.is("Equal"))
      return reject(Gate, "it compares for equality");
    // Where(a > b, a, b) => Max(a, b);   Where(a > b, b, a) => Min(a, b)
    Value *A = Comparison.input(0), *B = Comparison.input(1);
    bool IsInOrder = isSame(A, True) && isSame(B, False), IsSwapped = isSame(A, False) && isSame(B, True);
    if (!IsInOrder && !IsSwapped)
      return reject(Gate, "the values that it chooses from do not meet where it compares");
    if (isConstant(A) || isConstant(B))
      if (!boundConstant(isConstant(A) ? A : B) || !hasShapeOf(isConstant(A) ? B : A))
        return reject(Gate, "its constant is not one of float32 of at most 65536 of its operand's shape");
    bool IsGreater = Comparison.opType().starts_with("Greater");
    return extremum(IsGreater == IsInOrder, A, B);
  }

  Value *expandProduct() {
    for (unsigned I : {0, 1})
      if (hasShapeOf(Gate.input(I)))
        if (std::optional<Slopes> Selected = selectedSlopes(Gate.input(1 - I), Gate.input(I)))
          return sloped(Gate.input(I), *Selected);
    return nullptr;
  }

  Node &Gate;
};

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

class ExpandGates : public Pass {
public:
  llvm::Expected<bool> run(Model &M, PassContext &) override {
    llvm::Expected<std::vector<GateSite>> Sites = findGateSites(M);
    if (!Sites)
      return Sites.takeError();
    uint64_t Before = Expanded;
    // From the last to the first, so that an outer Min takes the Max inside along.
    llvm::DenseSet<const Node *> Erased;
    for (const GateSite &Site : llvm::reverse(*Sites))
      if (!Erased.contains(Site.Gate) && isCandidate(Site, M))
        expand(*Site.Gate, Erased);
    return Expanded != Before;
  }

  PassStatistics statistics() const override { return {{"gates rewritten", Expanded}}; }

private:
  static bool isCandidate(const GateSite &Site, const Model &M) {
    const Node &Gate = *Site.Gate;
    return Gate.parent() == &M.graph() && Site.Output == Gate.output() && Site.Kind != GateKind::Comparison &&
           Gate.output()->type() && Gate.output()->type()->Element == ElementType::Float32 && Site.Input->type() &&
           Site.Input->type()->Element == ElementType::Float32 &&
           // A Where on a mask that others use is a mux alone.
           (Site.Kind != GateKind::Mux || Gate.is("Mul"));
  }

  void expand(Node &Gate, llvm::DenseSet<const Node *> &Erased) {
    Value *New = GateExpander(Gate).expand();
    if (!New)
      return;
    replaceNode(Gate, New, [&](const Node &Dead) { Erased.insert(&Dead); });
    ++Expanded;
  }

  uint64_t Expanded = 0;
};

} // namespace

PassInfo deepshare::expandGatesPass() {
  return {.Name = "expand-gates",
          .Contract = "Rewrites gates of several comparisons, and gates in disguise, into Relu and its relatives, so "
                      "that every comparison takes part in sharing.",
          .Options = {},
          .Create = createPass<ExpandGates>,
          .Alias = {},
          .Effect = PassEffect::Reassociates};
}
