//===- ConstantsSecond.cpp - constants as second operands -----------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
//   Add(c, x)  =>  Add(x, c)         Mul(c, x)  =>  Mul(x, c)        c a constant
//   Sub(c, x)  =>  Add(Neg(x), c)    Neg(x)     =>  Mul(x, -1)
//   Add(x, x)  =>  Mul(x, 2)         Mul(x, x)  =>  Pow(x, 2)
//
// CrypTen's importer calls the method of the first operand, which a public tensor lacks for encrypted ones; it has no
// Neg; and it cannot give one value to a node twice. Bit-exact but for Pow.
//
// Scope: main graph. Floating-point values only.
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/ConstantsSecond.h"

#include "ConstantNode.h"
#include "Rewriting.h"

using namespace deepshare;

namespace {
class ConstantsSecond : public Pass {
public:
  llvm::Expected<bool> run(Model &M, PassContext &) override {
    uint64_t Before = Changed;
    llvm::SmallVector<Node *> Nodes;
    for (Node &N : M.graph())
      if (isFloat(N))
        Nodes.push_back(&N);
    for (Node *N : Nodes)
      rewrite(*N);
    return Changed != Before;
  }

  PassStatistics statistics() const override { return {{"nodes changed", Changed}}; }

private:
  static bool isFloat(const Node &N) {
    bool IsBinary = N.is("Add") || N.is("Mul") || N.is("Sub");
    return (IsBinary || N.is("Neg")) && N.numOutputs() == 1 && N.output()->type() &&
           N.output()->type()->Element == ElementType::Float32;
  }

  static Value *times(Node &N, Value *X, float Factor) {
    Value *C =
        insertConstant(*N.parent(), Graph::iteratorTo(&N), Tensor::scalar(Factor), N.output()->name() + "_factor");
    return N.parent()->insert(Graph::iteratorTo(&N), "Mul", {X, C}, N.output()->name() + "_times");
  }

  void rewrite(Node &N) {
    Value *A = N.input(0), *B = N.input(1);
    bool IsConstantFirst = B && constantTensor(A) && !constantTensor(B);
    if (N.is("Neg")) {
      replace(N, times(N, A, -1));
    } else if (N.is("Sub")) {
      if (IsConstantFirst)
        replace(N, N.parent()->insert(Graph::iteratorTo(&N), "Add", {times(N, B, -1), A}, N.output()->name() + "_sum"));
    } else if (A == B) {
      Value *Two =
          insertConstant(*N.parent(), Graph::iteratorTo(&N), Tensor::scalar(2.0f), N.output()->name() + "_two");
      replace(N, N.parent()->insert(Graph::iteratorTo(&N), N.is("Add") ? "Mul" : "Pow", {A, Two},
                                    N.output()->name() + "_twice"));
    } else if (IsConstantFirst) {
      N.setInput(0, B);
      N.setInput(1, A);
      ++Changed;
    }
  }

  void replace(Node &Old, Value *New) {
    takePlace(Old, New);
    ++Changed;
  }

  uint64_t Changed = 0;
};
} // namespace

PassInfo deepshare::constantsSecondPass() {
  return {.Name = "constants-second",
          .Contract =
              "Makes constants the second operands of Add, Mul and Sub, and takes away Neg and operands given twice.",
          .Options = {},
          .Create = createPass<ConstantsSecond>,
          .Alias = {},
          .Effect = PassEffect::Reassociates};
}
