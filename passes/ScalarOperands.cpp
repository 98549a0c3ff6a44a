//===- ScalarOperands.cpp - scalars where ONNX asks for them --------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
//   [1] limit      r = Range (start, limit, step)        =>      scalar = Squeeze (limit)
//                                                                r = Range (start, scalar, step)
//
// torch's dynamo exporter hands Range tensors of one element in bodies of Loop, where no shapes are known. Runtimes
// take them, but only as long as shape inference does not see them.
//
// Legal if the operand is known to have rank 1, and not to have more or less than one element, which Range would
// refuse.
//
// Scope: main graph and subgraphs. Bit-exact.
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/ScalarOperands.h"

using namespace deepshare;

namespace {
class ScalarOperands : public Pass {
public:
  llvm::Expected<bool> run(Model &M, PassContext &) override {
    llvm::SmallVector<Node *> Ranges;
    M.graph().walk([&](Node &N) {
      if (N.is("Range"))
        Ranges.push_back(&N);
    });
    uint64_t Before = Operands;
    for (Node *N : Ranges)
      for (unsigned I = 0; I < N->numInputs(); ++I)
        if (N->input(I) && isVectorOfOne(*N->input(I)))
          makeScalar(*N, I);
    return Operands != Before;
  }

  PassStatistics statistics() const override { return {{"operands made scalars", Operands}}; }

private:
  static bool isVectorOfOne(const Value &V) {
    if (!V.type() || V.type()->rank() != 1u)
      return false;
    const Dim &Size = V.type()->Dims->front();
    return !Size.isFixed() || Size.size() == 1;
  }

  void makeScalar(Node &N, unsigned Index) {
    Graph &G = *N.parent();
    Value *Operand = N.input(Index);
    Value *New = G.insert(Graph::iteratorTo(&N), "Squeeze", {Operand}, Operand->name() + "_as_scalar");
    New->setType(makeTensorType(Operand->type()->Element, {}));
    N.setInput(Index, New);
    ++Operands;
  }

  uint64_t Operands = 0;
};
} // namespace

PassInfo deepshare::scalarOperandsPass() {
  return {.Name = "scalar-operands",
          .Contract = "Makes operands of Range with one element the scalars that ONNX asks for.",
          .Options = {},
          .Create = createPass<ScalarOperands>,
          .Alias = {},
          .Effect = PassEffect::Exact};
}
