//===- SequencesAsTensors.cpp - sequences whose elements are known --------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
//   s = SequenceInsert (SequenceConstruct (a, b), c)
//   x = ConcatFromSequence <axis> (s)                        =>      x = Concat <axis> (a, b, c)
//   y = ConcatFromSequence <axis, new_axis = 1> (s)          =>      y = Concat <axis> (Unsqueeze (a, [axis]), ...)
//   z = SequenceAt (s, 1)                                    =>      z = b
//
// torch's dynamo exporter writes stack() so. Sequences are nothing that a layer works on, and no framework for private
// inference has them.
//
// Legal if
// 1. the sequence is built by SequenceEmpty, SequenceConstruct and SequenceInsert alone, the places of the latter are
//    constant, or left out;
// 2. what is read from it is there: one element or more for ConcatFromSequence, a constant index for SequenceAt;
// 3. with a new axis: the opset is 13 or later, where Unsqueeze takes axes as an operand.
//
// What builds the sequence stays for eliminate-dead-code.
//
// Not done: SequenceErase, SequenceLength. Parts of SplitToSequence are taken by sequences-as-split.
//
// Scope: main graph and subgraphs. Bit-exact.
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/SequencesAsTensors.h"

#include "Rewriting.h"
#include "ShapeArithmetic.h"

using namespace deepshare;

using Elements = llvm::SmallVector<Value *>;

/// What the sequence \p V holds; nothing if that is not known.
static std::optional<Elements> elementsOf(const Value *V) {
  llvm::SmallVector<const Node *> Inserts;
  const Node *N = V ? V->producer() : nullptr;
  for (; N && N->is("SequenceInsert"); N = N->input(0)->producer())
    Inserts.push_back(N);
  if (!N || !(N->is("SequenceEmpty") || N->is("SequenceConstruct")))
    return std::nullopt;
  Elements Found(N->inputs());
  for (const Node *Insert : llvm::reverse(Inserts)) {
    int64_t Size = Found.size();
    std::optional<int64_t> Place = Insert->input(2) ? constantPlace(Insert->input(2), Size, Size) : Size;
    if (!Place)
      return std::nullopt;
    Found.insert(Found.begin() + *Place, Insert->input(1));
  }
  if (llvm::is_contained(Found, nullptr))
    return std::nullopt;
  return Found;
}

namespace {
class SequencesAsTensors : public Pass {
public:
  llvm::Expected<bool> run(Model &M, PassContext &) override {
    llvm::SmallVector<Node *> Readers;
    M.graph().walk([&](Node &N) {
      if (N.is("ConcatFromSequence") || N.is("SequenceAt"))
        Readers.push_back(&N);
    });
    uint64_t Before = Reads;
    for (Node *N : Readers)
      if (std::optional<Elements> Found = elementsOf(N->input(0)))
        Reads += N->is("SequenceAt") ? takeOne(*N, *Found) : takeAll(*N, *Found);
    return Reads != Before;
  }

  PassStatistics statistics() const override { return {{"reads of sequences made reads of tensors", Reads}}; }

private:
  static bool takeOne(Node &At, llvm::ArrayRef<Value *> Of) {
    int64_t Size = Of.size();
    std::optional<int64_t> Place = constantPlace(At.input(1), Size, Size - 1);
    if (!Place)
      return false;
    Graph &G = *At.parent();
    takePlace(At, G.insert(Graph::iteratorTo(&At), "Identity", {Of[*Place]}, At.output()->name()));
    return true;
  }

  static bool takeAll(Node &Concat, Elements Of) {
    constexpr int64_t AxesAreAnOperand = 13;
    Graph &G = *Concat.parent();
    bool IsStack = Concat.intAttribute("new_axis", 0) != 0;
    if (Of.empty() || !Concat.attributeAs<int64_t>("axis") || (IsStack && G.model().opsetVersion() < AxesAreAnOperand))
      return false;
    int64_t Axis = Concat.intAttribute("axis", 0);
    Graph::iterator Place = Graph::iteratorTo(&Concat);
    if (IsStack) {
      Value *Axes = G.addInitializer((Concat.output()->name() + "_axes").str(), Tensor::of<int64_t>({1}, {Axis}));
      for (Value *&Element : Of)
        Element = G.insert(Place, "Unsqueeze", {Element, Axes}, Concat.output()->name() + "_element");
    }
    Value *New = G.insert(Place, "Concat", Of, Concat.output()->name());
    New->producer()->setName(Concat.name());
    New->producer()->setAttribute("axis", Axis);
    takePlace(Concat, New);
    return true;
  }

  uint64_t Reads = 0;
};
} // namespace

PassInfo deepshare::sequencesAsTensorsPass() {
  return {.Name = "sequences-as-tensors",
          .Contract = "Reads from sequences whose elements are known read from the elements.",
          .Options = {},
          .Create = createPass<SequencesAsTensors>,
          .Alias = {},
          .Effect = PassEffect::Exact};
}
