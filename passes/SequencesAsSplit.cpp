//===- SequencesAsSplit.cpp - parts of a tensor without a sequence --------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
//   s = SplitToSequence <axis> (x, sizes)
//   a = SequenceAt (s, 0)                     =>      a, b = Split <axis> (x, sizes)
//   b = SequenceAt (s, 1)
//
// torch's dynamo exporter writes chunk() and split() so. Sequences are nothing that a layer works on, and no framework
// for private inference has them.
//
// Legal if
// 1. `sizes` is constant: one number, the size of every part (the last one may be smaller), or the size of each;
// 2. the size of the axis is fixed, and the sizes add up to it;
// 3. nothing but SequenceAt of the same graph uses the sequence, with constant indices that it has;
// 4. the opset is 13 or later, where Split takes sizes as an operand.
//
// Not done: SplitToSequence without sizes, which makes parts of one.
//
// Scope: main graph and subgraphs. Bit-exact.
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/SequencesAsSplit.h"

#include "Rewriting.h"
#include "ShapeArithmetic.h"

#include "llvm/ADT/SmallVectorExtras.h"

using namespace deepshare;

namespace {
class SequencesAsSplit : public Pass {
public:
  llvm::Expected<bool> run(Model &M, PassContext &) override {
    constexpr int64_t SizesAreAnOperand = 13;
    if (M.opsetVersion() < SizesAreAnOperand)
      return false;
    llvm::SmallVector<Node *> Splits;
    M.graph().walk([&](Node &N) {
      if (N.is("SplitToSequence"))
        Splits.push_back(&N);
    });
    uint64_t Before = Turned;
    for (Node *N : Splits) {
      std::vector<int64_t> Sizes = sizesOf(*N);
      if (Sizes.empty() || !areParts(*N->output(), Sizes.size()))
        continue;
      turn(*N, Sizes);
      ++Turned;
    }
    return Turned != Before;
  }

  PassStatistics statistics() const override { return {{"sequences made Split", Turned}}; }

private:
  /// The size of each part; none if that is not known, or wrong.
  static std::vector<int64_t> sizesOf(const Node &N) {
    constexpr int64_t MostParts = 1 << 16;
    std::optional<std::vector<int64_t>> Given = N.numInputs() > 1 ? constantIntegers(N.input(1)) : std::nullopt;
    std::optional<int64_t> Whole = fixedDimension(*N.input(0), N.intAttribute("axis", 0));
    if (!Given || Given->empty() || Given->size() > MostParts || !Whole ||
        llvm::any_of(*Given, [](int64_t Size) { return Size < 1; }))
      return {};
    std::vector<int64_t> Sizes = *Given;
    bool IsOneForAll = N.input(1)->type() && N.input(1)->type()->rank() == 0u;
    if (IsOneForAll) {
      int64_t Size = Sizes.front(), Parts = *Whole / Size + (*Whole % Size != 0);
      if (Parts < 1 || Parts > MostParts)
        return {};
      Sizes.assign(Parts, Size);
      Sizes.back() = *Whole - (Parts - 1) * Size;
    }
    int64_t Left = *Whole;
    for (int64_t Size : Sizes) {
      if (Size > Left)
        return {};
      Left -= Size;
    }
    return Left == 0 ? Sizes : std::vector<int64_t>();
  }

  /// The part that \p N, a SequenceAt of \p Parts, takes; nothing if that is not known.
  static std::optional<int64_t> partOf(const Node &N, int64_t Parts) {
    return constantPlace(N.input(1), Parts, Parts - 1);
  }

  static bool areParts(const Value &Sequence, size_t Parts) {
    return !Sequence.isGraphOutput() && llvm::all_of(Sequence.uses(), [&](const Use &U) {
      return U.User->is("SequenceAt") && U.Index == 0 && U.User->parent() == Sequence.parent() &&
             partOf(*U.User, Parts);
    });
  }

  static void turn(Node &N, llvm::ArrayRef<int64_t> Sizes) {
    Graph &G = *N.parent();
    Tensor Operand = Tensor::of<int64_t>({int64_t(Sizes.size())}, Sizes);
    Value *SizesValue = G.addInitializer((N.output()->name() + "_sizes").str(), std::move(Operand));
    Node *Split = G.insertNode(Graph::iteratorTo(&N), "Split", {N.input(0), SizesValue});
    Split->setName(N.name());
    Split->setAttribute("axis", N.intAttribute("axis", 0));
    for (size_t Part = 0; Part < Sizes.size(); ++Part)
      Split->addOutput(G.model().uniqueName(N.output()->name() + "_part"));
    std::vector<bool> IsTaken(Sizes.size());
    for (Node *At : llvm::map_to_vector(N.output()->uses(), [](const Use &U) { return U.User; })) {
      int64_t Part = *partOf(*At, Sizes.size());
      Value *New = Split->output(Part);
      // A part has one name; who takes it again gets a copy.
      if (IsTaken[Part])
        New = G.insert(Graph::iteratorTo(At), "Identity", {New}, At->output()->name() + "_copy");
      IsTaken[Part] = true;
      takePlace(*At, New);
    }
    G.erase(&N);
  }

  uint64_t Turned = 0;
};
} // namespace

PassInfo deepshare::sequencesAsSplitPass() {
  return {.Name = "sequences-as-split",
          .Contract = "Turns a SplitToSequence whose parts are taken by constant indices into a Split.",
          .Options = {},
          .Create = createPass<SequencesAsSplit>,
          .Alias = {},
          .Effect = PassEffect::Exact};
}
