//===- EliminateIdentity.cpp - removes nodes that change nothing ----------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
//   y = Identity(x)        users of y use x instead
//
// and the same for every node that provably hands its first input on: see the list of rules below, each under its
// equation. "Provably" means from constants and inferred shapes; where a dimension is unknown, the node stays.
//
// The output of a graph must be the output of a node of this graph. So a node that hands on a graph input, a constant,
// or another output of the same graph to a graph output stays, and only the other users of its output are rewritten.
//
// Scope: main graph, subgraphs, functions.
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/EliminateIdentity.h"

#include "ShapeArithmetic.h"

#include <limits>

using namespace deepshare;

//===----------------------------------------------------------------------===//
// What the rules ask
//===----------------------------------------------------------------------===//

static bool allAre(const std::optional<std::vector<int64_t>> &Numbers, int64_t Expected) {
  return Numbers && llvm::all_of(*Numbers, [=](int64_t N) { return N == Expected; });
}

static bool isOnly(const Node &N, unsigned Output) {
  for (unsigned I = 0; I < N.numOutputs(); ++I)
    if (I != Output && !N.output(I)->isDead())
      return false;
  return true;
}

/// True if the shapes of \p A and \p B are known to agree. With \p SameCount, which says that both have as many
/// elements, one dimension may be unknown: it follows from the others, unless one of them may be 0.
static bool sameShape(const Value &A, const Value &B, bool SameCount = false) {
  if (!A.type() || !B.type() || !A.type()->Dims || !B.type()->Dims || A.type()->Dims->size() != B.type()->Dims->size())
    return false;
  unsigned Unknown = 0;
  bool AllPositive = true;
  for (auto [DimA, DimB] : llvm::zip(*A.type()->Dims, *B.type()->Dims)) {
    if (DimA.isFixed() && DimB.isFixed()) {
      if (DimA.size() != DimB.size())
        return false;
      AllPositive &= DimA.size() > 0;
    } else if (DimA.isSymbolic() && DimA == DimB) {
      AllPositive = false;
    } else {
      ++Unknown;
    }
  }
  return Unknown == 0 || (SameCount && Unknown == 1 && AllPositive);
}

/// True if every element of the constant \p V equals \p Number and broadcasting V does not enlarge \p X.
static bool isNeutral(const Value *V, const Value &X, float Number) {
  const Tensor *T = V ? V->constant() : nullptr;
  if (!T || !X.type() || X.type()->Element != T->elementType() || !X.type()->rank() ||
      T->dims().size() > *X.type()->rank() || T->numElements() != 1)
    return false;
  if (T->elementType() == ElementType::Float32)
    return T->get<float>(0) == Number;
  if (T->elementType() == ElementType::Int64)
    return T->get<int64_t>(0) == static_cast<int64_t>(Number);
  return false;
}

//===----------------------------------------------------------------------===//
// Rules
//===----------------------------------------------------------------------===//

// Dropout(x) = x outside training
static bool isDropoutInInference(const Node &N) {
  const Value *Training = N.input(2);
  const Tensor *T = Training ? Training->constant() : nullptr;
  return isOnly(N, 0) && (!Training || (T && T->elementType() == ElementType::Bool && !T->get<bool>(0)));
}

// Cast<T>(x) = x if x has elements of type T
static bool isCastToSameType(const Node &N) {
  const auto &From = N.input(0)->type();
  if (!From)
    return false;
  if (N.is("Cast"))
    return N.intAttribute("to", 0) == static_cast<int64_t>(From->Element);
  return N.input(1) && N.input(1)->type() && N.input(1)->type()->Element == From->Element;
}

// Reshape(x) = x if all dimensions but one are known to stay: then the last one does, since the elements are as many
static bool keepsShape(const Node &N) { return sameShape(*N.input(0), *N.output(), /*SameCount=*/true); }

// Expand(x) = x if no dimension grows
static bool expandsNothing(const Node &N) { return sameShape(*N.input(0), *N.output()); }

// Transpose<0, 1, ..., n>(x) = x
static bool isIdentityPermutation(const Node &N) {
  std::vector<int64_t> Permutation = N.intsAttribute("perm");
  for (size_t I = 0; I < Permutation.size(); ++I)
    if (Permutation[I] != static_cast<int64_t>(I))
      return false;
  return !Permutation.empty();
}

// Pad<0, ..., 0>(x) = x
static bool padsNothing(const Node &N) { return allAre(integersOperand(N, 1, "pads"), 0); }

// Tile<1, ..., 1>(x) = x
static bool repeatsOnce(const Node &N) { return allAre(constantIntegers(N.input(1)), 1); }

// Slice<from 0 to the end in steps of 1>(x) = x
static bool slicesAll(const Node &N) {
  std::optional<std::vector<int64_t>> Ends = integersOperand(N, 2, "ends");
  std::optional<std::vector<int64_t>> Axes = integersOperand(N, 3, "axes");
  if (!allAre(integersOperand(N, 1, "starts"), 0) || !Ends || (N.input(3) && !Axes) ||
      (N.input(4) && !allAre(constantIntegers(N.input(4)), 1)) || (Axes && Axes->size() != Ends->size()))
    return false;
  for (size_t I = 0; I < Ends->size(); ++I) {
    std::optional<int64_t> Size = fixedDimension(*N.input(0), Axes ? (*Axes)[I] : int64_t(I));
    if ((*Ends)[I] != std::numeric_limits<int64_t>::max() && !(Size && (*Ends)[I] >= *Size))
      return false;
  }
  return true;
}

// MaxPool<1x1>(x) = AveragePool<1x1>(x) = x
static bool poolsSingleElements(const Node &N) {
  auto All = [&](llvm::StringRef Name, int64_t Expected) {
    return !N.attribute(Name) || allAre(N.intsAttribute(Name), Expected);
  };
  return isOnly(N, 0) && N.attribute("kernel_shape") && All("kernel_shape", 1) && All("strides", 1) && All("pads", 0);
}

// x * 1 = x, x / 1 = x, x - 0 = x. (x + 0 turns -0 into 0.)
static bool hasNeutralOperand(const Node &N) { return isNeutral(N.input(1), *N.input(0), N.is("Sub") ? 0.0f : 1.0f); }

namespace {
/// An operator and the condition under which its first output is its first input.
struct Rule {
  llvm::StringLiteral Operator;
  bool (*Holds)(const Node &);
};
} // namespace

static constexpr Rule Rules[] = {
    {"Identity", [](const Node &) { return true; }},
    {"Dropout", isDropoutInInference},
    {"Cast", isCastToSameType},
    {"CastLike", isCastToSameType},
    {"Reshape", keepsShape},
    {"Flatten", keepsShape},
    {"Squeeze", keepsShape},
    {"Expand", expandsNothing},
    {"Transpose", isIdentityPermutation},
    {"Pad", padsNothing},
    {"Tile", repeatsOnce},
    {"Slice", slicesAll},
    {"Concat", [](const Node &N) { return N.numInputs() == 1; }},
    {"Sum", [](const Node &N) { return N.numInputs() == 1; }},
    {"Max", [](const Node &N) { return N.numInputs() == 1; }},
    {"Min", [](const Node &N) { return N.numInputs() == 1; }},
    {"Mean", [](const Node &N) { return N.numInputs() == 1; }},
    {"MaxPool", poolsSingleElements},
    {"AveragePool", poolsSingleElements},
    {"Mul", hasNeutralOperand},
    {"Div", hasNeutralOperand},
    {"Sub", hasNeutralOperand},
};

/// True if an attribute's value is known only where the function is called.
static bool hasReference(const Node &N) {
  return llvm::any_of(N.attributes(),
                      [](const Attribute &A) { return std::holds_alternative<AttributeReference>(A.Value); });
}

static bool isIdentity(const Node &N) {
  return N.domain().empty() && N.input(0) && N.numOutputs() != 0 && !hasReference(N) &&
         llvm::any_of(Rules, [&](const Rule &R) { return N.opType() == R.Operator && R.Holds(N); });
}

namespace {
class EliminateIdentity : public Pass {
public:
  llvm::Expected<bool> run(Model &M, PassContext &) override {
    uint64_t Before = Removed + Bypassed;
    runOnGraph(M.graph());
    for (Function &F : M.functions())
      runOnGraph(*F.Body);
    return Removed + Bypassed != Before;
  }

  PassStatistics statistics() const override { return {{"nodes removed", Removed}, {"nodes bypassed", Bypassed}}; }

private:
  void runOnGraph(Graph &G) {
    for (auto It = G.begin(); It != G.end();) {
      Node &N = *It++;
      for (Graph *Subgraph : N.subgraphs())
        runOnGraph(*Subgraph);
      if (isIdentity(N))
        bypass(N);
    }
  }

  void bypass(Node &N) {
    Value *X = N.input(0);
    Value *Y = N.output();
    bool CanTakeOver = X->producer() && X->parent() == Y->parent() && !X->isGraphOutput();
    if (!Y->isGraphOutput() || CanTakeOver) {
      Y->replaceAllUsesWith(X);
      N.parent()->erase(&N);
      ++Removed;
    } else if (Y->hasUses()) {
      Y->replaceUsesIf(X, [](const Use &) { return true; });
      ++Bypassed;
    }
  }

  uint64_t Removed = 0;
  uint64_t Bypassed = 0;
};
} // namespace

PassInfo deepshare::eliminateIdentityPass() {
  return {.Name = "eliminate-identity",
          .Contract = "Removes nodes that provably hand their input on: Identity, Dropout in inference, and casts, "
                      "reshapes, pads, slices and the like that change nothing.",
          .Options = {},
          .Create = createPass<EliminateIdentity>,
          .Alias = {},
          .Effect = PassEffect::Exact};
}
