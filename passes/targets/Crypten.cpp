//===- Crypten.cpp - target: CrypTen's ONNX importer ----------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Operators and forms of crypten.nn.from_onnx, version 0.4.1, read from its source (nn/onnx_converter.py, nn/module.py)
// and tried. Initialisers become encrypted parameters; a Constant node's value stays public. tools/adapters registers
// DReLU, DReLUShare, and a ReduceSum that takes its axes as an operand.
//
// What the importer has, but not as ONNX means it: Pad takes torch's order of pads; Sum and Mean are its ReduceSum and
// ReduceMean; Range, Shape, Cast, Dropout serve shape arithmetic and training, which are gone from a canonical model.
//
//===----------------------------------------------------------------------===//

#include "../ShapeArithmetic.h"
#include "Forms.h"

#include "deepshare/IR/ShareOps.h"
#include "deepshare/passes/Target.h"

#include "llvm/ADT/STLExtras.h"

using namespace deepshare;
using namespace deepshare::forms;

/// True if CrypTen does not encrypt the value.
static bool isPublic(const Value *V) { return V->producer() && V->producer()->is("Constant"); }

static std::string refuseBinary(const Node &N) {
  if (N.input(0) == N.input(1))
    return "one value is both operands";
  return isPublic(N.input(0)) ? "its first operand is a constant" : "";
}

static std::string refuseConcat(const Node &N) {
  for (const Value *Input : N.inputs())
    if (isPublic(Input))
      return fmt::format("operand '{}' is a constant", Input->name().str());
  return needAttributes(N, {"axis"});
}

static std::string refuseConv(const Node &N) {
  const std::optional<TensorType> &Weight = N.input(1)->type();
  unsigned Rank = Weight ? Weight->rank().value_or(0) : 0;
  if (Rank != 3 && Rank != 4)
    return "only convolutions along one or two axes are implemented";
  return firstOf({needExplicitPads(N), needAttributes(N, {"strides", "pads", "dilations"}), needSymmetricPads(N)});
}

static std::string refusePool(const Node &N) {
  std::vector<int64_t> Kernel = N.intsAttribute("kernel_shape"), Strides = N.intsAttribute("strides"),
                       Pads = N.intsAttribute("pads");
  if (Kernel.size() != 2)
    return "only pooling along two axes is implemented";
  if (!llvm::all_equal(Kernel) || !llvm::all_equal(Strides) || !llvm::all_equal(Pads))
    return "kernel, strides and pads must be the same along both axes";
  if (llvm::any_of(N.intsAttribute("dilations"), [](int64_t Dilation) { return Dilation != 1; }))
    return "dilations are not implemented";
  return firstOf({needExplicitPads(N), needAttributes(N, {"strides"})});
}

static std::string refuseAveragePool(const Node &N) {
  if (llvm::any_of(N.intsAttribute("pads"), [](int64_t Pad) { return Pad != 0; }))
    return "padded average pooling is wrong in CrypTen";
  if (N.intAttribute("ceil_mode", 0))
    return "ceil_mode 1 is wrong in CrypTen";
  return refusePool(N);
}

static std::string refuseMaxPool(const Node &N) {
  if (N.numOutputs() > 1)
    return "the indices of the maxima are not implemented";
  return refusePool(N);
}

static std::string refuseClip(const Node &N) { return firstOf({needConstant(N, 1, "min"), needConstant(N, 2, "max")}); }

static std::string refuseGather(const Node &N) {
  return firstOf({needAttributes(N, {"axis"}), needConstant(N, 1, "indices")});
}

static std::string refuseGemm(const Node &N) {
  if (!N.input(2))
    return "input 2 (C) is missing";
  return needAttributes(N, {"alpha", "beta"});
}

static std::string refuseMean(const Node &N) {
  if (N.numInputs() > 1)
    return "axes given as an input, and not just the spatial ones";
  return needAttributes(N, {"axes"});
}

// The adapter's own, which knows both forms.
static std::string refuseSum(const Node &N) {
  return N.numInputs() > 1 ? needConstant(N, 1, "axes") : needAttributes(N, {"axes"});
}

static std::string refuseReshape(const Node &N) {
  if (std::string Reason = needConstant(N, 1, "shape"); !Reason.empty())
    return Reason;
  std::optional<std::vector<int64_t>> Shape = constantIntegers(N.input(1));
  if (!Shape)
    return "the shape is not of integers";
  if (llvm::is_contained(*Shape, 0))
    return "the shape has a 0";
  return {};
}

static std::string refuseSlice(const Node &N) {
  static const char *const Names[] = {"data", "starts", "ends", "axes", "steps"};
  for (unsigned Input = 1; Input < 5; ++Input) {
    if (Input == 4 && N.numInputs() <= 4)
      break;
    if (std::string Reason = needConstant(N, Input, Names[Input]); !Reason.empty())
      return Reason;
    std::optional<std::vector<int64_t>> Indices = constantIntegers(N.input(Input));
    if (!Indices)
      return fmt::format("{} are not integers", Names[Input]);
    for (int64_t Index : *Indices)
      if (Input == 4 ? Index != 1 : Index < 0)
        return fmt::format("{} {} is not implemented", Names[Input], Index);
  }
  return {};
}

static std::string refuseSoftmax(const Node &N) { return needAttributes(N, {"axis"}); }

static std::string refuseSqueeze(const Node &N) {
  return N.numInputs() > 1 ? "axes given as an input" : needAttributes(N, {"axes"});
}

static std::string refuseTranspose(const Node &N) { return needAttributes(N, {"perm"}); }

static std::string refuseWhere(const Node &N) { return isPublic(N.input(1)) ? "its second operand is a constant" : ""; }

static std::string refuseModel(const Model &M) {
  if (size_t Outputs = M.graph().outputs().size(); Outputs != 1)
    return fmt::format("the model has {} outputs, CrypTen takes one", Outputs);
  return {};
}

Target deepshare::cryptenTarget() {
  static const AcceptedOperator Operators[] = {
      {"Add", refuseBinary},
      {"AveragePool", refuseAveragePool},
      {"BatchNormalization", refuseStatistics},
      {"Clip", refuseClip},
      {"Concat", refuseConcat},
      {"Constant"},
      {"Conv", refuseConv},
      {"Div", refuseBinary},
      {"Equal", refuseBinary},
      {"Erf"},
      {"Exp"},
      {"Flatten"},
      {"Gather", refuseGather},
      {"Gemm", refuseGemm},
      {"GlobalAveragePool"},
      {"LogSoftmax", refuseSoftmax},
      {"MatMul", refuseBinary},
      {"MaxPool", refuseMaxPool},
      {"Mul", refuseBinary},
      {"Pow", refuseBinary},
      {"ReduceMean", refuseMean},
      {"ReduceSum", refuseSum},
      {"Relu"},
      {"Reshape", refuseReshape},
      {"Sigmoid"},
      {"Slice", refuseSlice},
      {"Softmax", refuseSoftmax},
      {"Sqrt"},
      {"Squeeze", refuseSqueeze},
      {"Sub", refuseBinary},
      {"Transpose", refuseTranspose},
      {"Where", refuseWhere},
      {"DReLU", nullptr, ShareDomain},
      {"DReLUShare", nullptr, ShareDomain},
  };
  return {.Name = "crypten",
          .Description = "CrypTen 0.4.1: forms of its ONNX importer; DReLU and DReLUShare stay, for the adapter",
          .Pipeline =
              "decompose-operators{target=crypten},sums-as-adds,merge-comparisons,infer-shapes,selection-as-conv,"
              "spatial-reduction-as-pooling,explicit-shapes,constants-second,explicit-attributes,"
              "constants-as-nodes,eliminate-dead-code",
          .Operators = Operators,
          .NewestOpset = 0,
          .RefuseModel = refuseModel};
}
