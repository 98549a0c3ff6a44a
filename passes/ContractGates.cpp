//===- ContractGates.cpp - gates of several comparisons whole again -------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// The way back from expand-gates, for gates that no plan touched:
//
//   lo + (Relu(x + -lo) - Relu(x + -hi))   =>   Clip(x, lo, hi)      Relu(x) - Relu(x + -hi) => Clip(x, 0, hi)
//   Relu(x + -c) + c                       =>   Max(x, c)            x - Relu(x + -c)        => Min(x, c)
//   b + Relu(a - b)                        =>   Max(a, b)            a - Relu(a - b)         => Min(a, b)
//
//   Transpose<P^-1>(Gate(Transpose<P>(x)))         =>   Gate(x)   where channels-first moved the axes of a gate
//
// expand-gates and channels-first derive these. So a model whose plan keeps every gate computes what it did, bit for
// bit, and a gate that was left alone looks like what it was; HardSigmoid and HardSwish come back as their definition
// with a Clip.
//
// Legal if
//  1. the model's opset is 11 or later, where Clip's bounds are operands;
//  2. what is replaced is float32 and has no other users; constants are float32, equal where they must be, lo < hi;
//  3. x has the result's shape where there are constants.
// Transpositions: any opset, gates as channels-first moves them, which nothing else uses.
// The number of comparisons stays.
//
// Scope: main graph. Gates that the user wrote in the form on the left are brought together as well.
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/ContractGates.h"

#include "ChannelOrder.h"
#include "Rewriting.h"
#include "deepshare/Analysis/GateForms.h"

using namespace deepshare;

namespace {

/// Relu(X + Addend), Relu(X - Subtrahend), or, with neither, Relu(X).
struct ShiftedRelu {
  Value *X;
  const Tensor *Addend = nullptr;
  Value *Subtrahend = nullptr;
};

} // namespace

static std::optional<ShiftedRelu> matchRelu(const Value *V) {
  if (!V->producer() || !V->producer()->is("Relu") || !hasOneUse(V))
    return std::nullopt;
  Value *Compared = V->producer()->input(0);
  const Node *Shift = hasOneUse(Compared) ? Compared->producer() : nullptr;
  if (Shift && Shift->is("Sub") && !isConstant(Shift->input(0)) && !isConstant(Shift->input(1)))
    return ShiftedRelu{.X = Shift->input(0), .Subtrahend = Shift->input(1)};
  if (Shift && Shift->is("Add"))
    for (unsigned I : {0, 1})
      if (const Tensor *Addend = floatConstant(Shift->input(1 - I)); Addend && !isConstant(Shift->input(I)))
        return ShiftedRelu{.X = Shift->input(I), .Addend = Addend};
  return ShiftedRelu{.X = Compared};
}

/// c, where a Relu compares x with the one number c.
static std::optional<float> threshold(const ShiftedRelu &Gate) {
  if (Gate.Subtrahend)
    return std::nullopt;
  if (!Gate.Addend)
    return 0.0f;
  if (Gate.Addend->numElements() != 1)
    return std::nullopt;
  return -Gate.Addend->get<float>(0);
}

static std::vector<float> negated(const Tensor &T) {
  std::vector<float> Numbers = T.toVector<float>();
  for (float &Number : Numbers)
    Number = -Number;
  return Numbers;
}

// Transpose<P^-1>(Gate(Transpose<P>(x))) => Gate(x)
static Value *contractTransposes(Node &Last) {
  Node *Gate = Last.input(0)->producer();
  if (!Gate || !isMovableGate(*Gate) || !hasOneUse(Gate->output()))
    return nullptr;
  const Node *First = Gate->input(0)->producer();
  if (!First || !First->is("Transpose") || !First->input(0)->type())
    return nullptr;
  std::vector<int64_t> Order = axisOrder(Last);
  if (Order.empty() || axisOrder(*First) != inverseOrder(Order))
    return nullptr;
  return movedGate(*Gate, First->input(0), Order, Last.output()->name());
}

namespace {

/// Puts together what ends in one Add or Sub. Each rule returns the value in its place, or null.
class GateContractor {
public:
  explicit GateContractor(Node &Last) : Last(Last) {}

  Value *contract() {
    if (Last.is("Sub")) {
      Value *Clip = contractRange(Last, 0);
      return Clip ? Clip : contractMin();
    }
    for (unsigned I : {0, 1})
      if (Value *Gate = contractSum(Last.input(I), Last.input(1 - I)))
        return Gate;
    return nullptr;
  }

private:
  Value *insert(llvm::StringRef OpType, llvm::ArrayRef<Value *> Inputs) {
    Value *Made = Last.parent()->insert(Graph::iteratorTo(&Last), OpType, Inputs, Last.output()->name());
    Made->setType(Last.output()->type());
    return Made;
  }
  Value *constant(Tensor T, llvm::StringRef Suffix) {
    return Last.parent()->addInitializer((Last.output()->name() + Suffix).str(), std::move(T));
  }
  bool hasShapeOf(const Value *X) const { return X->type() == Last.output()->type(); }

  // Relu(x + -lo) - Relu(x + -hi) + lo => Clip(x, lo, hi)
  Value *contractRange(const Node &Range, float Low) {
    std::optional<ShiftedRelu> AboveLow = matchRelu(Range.input(0)), AboveHigh = matchRelu(Range.input(1));
    if (!AboveLow || !AboveHigh || AboveLow->X != AboveHigh->X || !hasShapeOf(AboveLow->X))
      return nullptr;
    std::optional<float> High = threshold(*AboveHigh);
    if (threshold(*AboveLow) != Low || !High || !(Low < *High))
      return nullptr;
    return insert("Clip",
                  {AboveLow->X, constant(Tensor::scalar(Low), "_min"), constant(Tensor::scalar(*High), "_max")});
  }

  // x - Relu(x + -c) => Min(x, c);   a - Relu(a - b) => Min(a, b)
  Value *contractMin() {
    std::optional<ShiftedRelu> Above = matchRelu(Last.input(1));
    if (!Above || Above->X != Last.input(0))
      return nullptr;
    if (Above->Subtrahend)
      return insert("Min", {Above->X, Above->Subtrahend});
    if (!Above->Addend || !hasShapeOf(Above->X))
      return nullptr;
    std::vector<float> Bound = negated(*Above->Addend);
    return insert(
        "Min", {Above->X, constant(Tensor::of<float>(Above->Addend->dims(), llvm::ArrayRef<float>(Bound)), "_bound")});
  }

  // Relu(x + -c) + c => Max(x, c);   Relu(a - b) + b => Max(a, b);   a range + lo => Clip(x, lo, hi)
  Value *contractSum(Value *Gate, Value *Added) {
    const Tensor *Constant = floatConstant(Added);
    if (const Node *Range = Gate->producer(); Range && Range->is("Sub") && hasOneUse(Gate))
      return Constant && Constant->numElements() == 1 ? contractRange(*Range, Constant->get<float>(0)) : nullptr;
    std::optional<ShiftedRelu> Above = matchRelu(Gate);
    if (!Above)
      return nullptr;
    if (Above->Subtrahend)
      return Above->Subtrahend == Added ? insert("Max", {Above->X, Added}) : nullptr;
    if (!Above->Addend || !Constant || !hasShapeOf(Above->X) || Above->Addend->dims() != Constant->dims() ||
        negated(*Above->Addend) != Constant->toVector<float>())
      return nullptr;
    return insert("Max", {Above->X, Added});
  }

  Node &Last;
};

class ContractGates : public Pass {
public:
  llvm::Expected<bool> run(Model &M, PassContext &) override {
    uint64_t Before = Contracted;
    // Before the gates, which the transpositions stand between.
    rewriteAll(M.graph(), [](const Node &N) { return N.is("Transpose"); }, contractTransposes);
    if (M.opsetVersion() >= 11)
      rewriteAll(
          M.graph(), [](const Node &N) { return N.is("Add") || N.is("Sub"); },
          [](Node &Last) { return GateContractor(Last).contract(); });
    return Contracted != Before;
  }

  PassStatistics statistics() const override { return {{"gates put together", Contracted}}; }

private:
  void rewriteAll(Graph &G, llvm::function_ref<bool(const Node &)> IsLast,
                  llvm::function_ref<Value *(Node &)> Contract) {
    for (auto It = G.begin(); It != G.end();) {
      Node &N = *It++;
      if (!IsLast(N) || !N.output()->type() || N.output()->type()->Element != ElementType::Float32)
        continue;
      if (Value *Gate = Contract(N)) {
        replaceNode(N, Gate);
        ++Contracted;
      }
    }
  }

  uint64_t Contracted = 0;
};

} // namespace

PassInfo deepshare::contractGatesPass() {
  return {.Name = "contract-gates",
          .Contract = "Puts gates that expand-gates took apart together again where no comparison of theirs is shared.",
          .Options = {},
          .Create = createPass<ContractGates>,
          .Alias = {},
          .Effect = PassEffect::Reassociates};
}
