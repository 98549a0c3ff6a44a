//===- ExplicitAttributes.cpp - defaults written out ----------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
//   Conv(x, w)                   =>  Conv <dilations, kernel_shape, pads, strides> (x, w)
//   Conv <auto_pad = SAME_UPPER> =>  Conv <pads>                 where the sizes are known
//   AveragePool, MaxPool         =>  with pads and strides; AveragePool without pads counts them in, which is the same
//                                    there and a division by a constant; ceil_mode 0 where it rounds nothing
//   Gemm(a, b)                   =>  Gemm <alpha, beta, transA, transB> (a, b, 0)
//   Gather, Softmax, LogSoftmax  =>  with axis; Flatten with an axis that is not negative; Transpose with perm
//
// Importers of frameworks know few of ONNX's defaults. Bit-exact.
//
// Scope: main graph.
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/ExplicitAttributes.h"

#include "ConstantNode.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

#include <numeric>

using namespace deepshare;

namespace {

using Ints = std::vector<int64_t>;

class ExplicitAttributes : public Pass {
public:
  llvm::Expected<bool> run(Model &M, PassContext &) override {
    uint64_t Before = Written;
    for (Node &N : M.graph()) {
      if (N.is("Conv") || N.is("AveragePool") || N.is("MaxPool"))
        window(N);
      else if (N.is("Gemm"))
        gemm(N);
      else if (N.is("Gather"))
        give(N, "axis", int64_t(0));
      else if ((N.is("Softmax") || N.is("LogSoftmax")) && M.opsetVersion() >= 13)
        give(N, "axis", int64_t(-1));
      else if (N.is("Flatten") && rank(N) && N.intAttribute("axis", 1) < 0)
        set(N, "axis", N.intAttribute("axis", 1) + rank(N));
      else if (N.is("Transpose") && rank(N))
        give(N, "perm", backward(rank(N)));
    }
    return Written != Before;
  }

  PassStatistics statistics() const override { return {{"attributes written out", Written}}; }

private:
  static int64_t rank(const Node &N) { return N.input(0)->type() ? N.input(0)->type()->rank().value_or(0) : 0; }

  /// Rank - 1, ..., 1, 0.
  static Ints backward(int64_t Rank) {
    Ints Axes(Rank);
    std::iota(Axes.rbegin(), Axes.rend(), 0);
    return Axes;
  }

  void set(Node &N, llvm::StringRef Name, AttributeValue Value) {
    N.setAttribute(Name, std::move(Value));
    ++Written;
  }

  /// Sets an attribute that is absent.
  void give(Node &N, llvm::StringRef Name, AttributeValue Default) {
    if (!N.attribute(Name))
      set(N, Name, std::move(Default));
  }

  /// Sizes of \p V along its spatial axes; empty unless all are known.
  static Ints spatialSizes(const Value *V) {
    Ints Sizes;
    if (!V->type() || V->type()->rank().value_or(0) < 3)
      return Sizes;
    for (const Dim &Size : llvm::drop_begin(*V->type()->Dims, 2)) {
      if (!Size.isFixed())
        return {};
      Sizes.push_back(Size.size());
    }
    return Sizes;
  }

  void window(Node &N) {
    Ints Kernel = N.intsAttribute("kernel_shape", N.is("Conv") ? spatialSizes(N.input(1)) : Ints());
    if (Kernel.empty())
      return;
    give(N, "kernel_shape", Kernel);
    give(N, "strides", Ints(Kernel.size(), 1));
    if (N.is("Conv"))
      give(N, "dilations", Ints(Kernel.size(), 1));
    resolveAutoPad(N, Kernel);
    std::string Auto = N.stringAttribute("auto_pad", "NOTSET");
    if (Auto != "NOTSET")
      return;
    give(N, "pads", Ints(2 * Kernel.size(), 0));
    if (N.is("Conv"))
      return;
    bool IsPadded = llvm::any_of(N.intsAttribute("pads"), [](int64_t Pad) { return Pad != 0; });
    if (N.intAttribute("ceil_mode", 0) && !IsPadded && roundsNothing(N, Kernel))
      set(N, "ceil_mode", int64_t(0));
    if (N.is("AveragePool") && !IsPadded && !N.intAttribute("ceil_mode", 0))
      give(N, "count_include_pad", int64_t(1));
  }

  /// True if the windows of the pooling node \p N, which has no pads, end where its input does.
  static bool roundsNothing(const Node &N, const Ints &Kernel) {
    Ints Sizes = spatialSizes(N.input(0)), Strides = N.intsAttribute("strides"),
         Dilations = N.intsAttribute("dilations", Ints(Kernel.size(), 1));
    if (Sizes.size() != Kernel.size())
      return false;
    for (size_t Axis = 0; Axis < Kernel.size(); ++Axis)
      if ((Sizes[Axis] - Dilations[Axis] * (Kernel[Axis] - 1) - 1) % Strides[Axis] != 0)
        return false;
    return true;
  }

  void resolveAutoPad(Node &N, const Ints &Kernel) {
    std::string Auto = N.stringAttribute("auto_pad", "NOTSET");
    Ints Pads(2 * Kernel.size(), 0);
    if (Auto == "SAME_UPPER" || Auto == "SAME_LOWER") {
      Ints Sizes = spatialSizes(N.input(0)), Strides = N.intsAttribute("strides"),
           Dilations = N.intsAttribute("dilations", Ints(Kernel.size(), 1));
      if (Sizes.size() != Kernel.size())
        return;
      for (size_t Axis = 0; Axis < Kernel.size(); ++Axis) {
        int64_t Positions = llvm::divideCeil(uint64_t(Sizes[Axis]), uint64_t(Strides[Axis]));
        int64_t Needed = (Positions - 1) * Strides[Axis] + Dilations[Axis] * (Kernel[Axis] - 1) + 1;
        int64_t Total = std::max<int64_t>(0, Needed - Sizes[Axis]);
        int64_t Less = Total / 2;
        Pads[Axis] = Auto == "SAME_UPPER" ? Less : Total - Less;
        Pads[Axis + Kernel.size()] = Total - Pads[Axis];
      }
    } else if (Auto != "VALID") {
      return;
    }
    N.removeAttribute("auto_pad");
    set(N, "pads", Pads);
  }

  void gemm(Node &N) {
    give(N, "alpha", 1.0f);
    give(N, "beta", 1.0f);
    give(N, "transA", int64_t(0));
    give(N, "transB", int64_t(0));
    if (N.input(2) || !N.output()->type() || N.output()->type()->Element != ElementType::Float32)
      return;
    Value *Zero =
        insertConstant(*N.parent(), Graph::iteratorTo(&N), Tensor::of<float>({1}, {0.0f}), N.output()->name() + "_c");
    if (N.numInputs() > 2)
      N.setInput(2, Zero);
    else
      N.addInput(Zero);
    ++Written;
  }

  uint64_t Written = 0;
};
} // namespace

PassInfo deepshare::explicitAttributesPass() {
  return {.Name = "explicit-attributes",
          .Contract =
              "Writes out defaults of attributes: windows of Conv and pooling, Gemm's factors and operand C, axes.",
          .Options = {},
          .Create = createPass<ExplicitAttributes>,
          .Alias = {},
          .Effect = PassEffect::Exact};
}
