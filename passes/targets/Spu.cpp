//===- Spu.cpp - target: SPU through jaxonnxruntime -----------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Operators that jaxonnxruntime 0.3.0 implements (its onnx_ops folder, with the newest opset for which it has each) and
// that SPU 0.9.5 runs on secret values. There are Less and LessOrEqual, but no Greater.
//
//===----------------------------------------------------------------------===//

#include "Forms.h"

#include "deepshare/passes/Target.h"

using namespace deepshare;
using namespace deepshare::forms;

static std::string refuseIndices(const Node &N) { return needConstant(N, 1, "indices"); }

static std::string refuseShape(const Node &N) { return needConstant(N, 1, "shape"); }

static std::string refusePooling(const Node &N) {
  return N.intAttribute("ceil_mode", 0) ? "ceil_mode 1 is not implemented" : "";
}

static std::string refusePad(const Node &N) {
  std::string Mode = N.stringAttribute("mode", "constant");
  if (Mode != "constant" && Mode != "reflect" && Mode != "edge")
    return fmt::format("mode '{}' is not implemented", Mode);
  return needConstant(N, 1, "pads");
}

static std::string refuseSlice(const Node &N) {
  for (unsigned Input = 1; Input < N.numInputs(); ++Input)
    if (N.input(Input) && !constantTensor(N.input(Input)))
      return fmt::format("input {} is not a constant", Input);
  return {};
}

static std::string refuseAxes(const Node &N) {
  return N.numInputs() > 1 && N.input(1) ? needConstant(N, 1, "axes") : std::string();
}

// jaxonnxruntime has no implementation of what Cast, Reshape, Pad and Identity became in opset 21.
static constexpr int64_t NewestOpset = 20;

Target deepshare::spuTarget() {
  static const AcceptedOperator Operators[] = {
      {"Abs"},
      {"Add"},
      {"And"},
      {"AveragePool", refusePooling},
      {"BatchNormalization", refuseStatistics},
      {"Cast"},
      {"Clip"},
      {"Concat"},
      {"Constant"},
      {"ConstantOfShape"},
      {"Conv"},
      {"Div"},
      {"Equal"},
      {"Erf"},
      {"Exp"},
      {"Expand", refuseShape},
      {"Flatten"},
      {"Gather", refuseIndices},
      {"Gemm"},
      {"GlobalAveragePool"},
      {"Identity"},
      {"LeakyRelu"},
      {"Less"},
      {"LessOrEqual"},
      {"Log"},
      {"LogSoftmax"},
      {"MatMul"},
      {"Max"},
      {"MaxPool", refusePooling},
      {"Min"},
      {"Mul"},
      {"Neg"},
      {"Not"},
      {"Or"},
      {"PRelu"},
      {"Pad", refusePad},
      {"Pow"},
      {"Reciprocal"},
      {"ReduceMax", refuseAxes},
      {"ReduceMean", refuseAxes},
      {"ReduceSum", refuseAxes},
      {"Relu"},
      {"Reshape", refuseShape},
      {"Selu"},
      {"Sigmoid"},
      {"Slice", refuseSlice},
      {"Softmax"},
      {"Softplus"},
      {"Split"},
      {"Sqrt"},
      {"Squeeze", refuseAxes},
      {"Sub"},
      {"Tanh"},
      {"Transpose"},
      {"Unsqueeze", refuseAxes},
      {"Where"},
  };
  return {.Name = "spu",
          .Description =
              "SPU 0.9.5 through jaxonnxruntime 0.3.0: standard operators, comparisons as Less, masks boolean",
          .Pipeline = "decompose-operators{target=spu},sums-as-adds,merge-comparisons,lower-share-ops{slopes=folded},"
                      "infer-shapes,greater-as-less,explicit-attributes",
          .Operators = Operators,
          .NewestOpset = NewestOpset,
          .RefuseModel = nullptr};
}
