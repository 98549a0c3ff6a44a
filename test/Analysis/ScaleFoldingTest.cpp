//===- ScaleFoldingTest.cpp - which gates' scales go into weights ---------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Analysis/ScaleFolding.h"

#include "deepshare/Analysis/GateSite.h"
#include "deepshare/Analysis/WeightLayout.h"
#include "deepshare/ONNX/ONNX.h"

#include "llvm/Support/FileSystem.h"

#include <gtest/gtest.h>

using namespace deepshare;

namespace {

std::unique_ptr<Model> parse(const std::string &Signature, const std::string &Body) {
  std::unique_ptr<Model> M = llvm::cantFail(
      parseModelText("<ir_version: 8, opset_import: [\"\" : 17]>\nmain " + Signature +
                         " <float[3,2,1,1] w = {1,2,3,4,5,6}, float[2,3,1,1] back = {1,2,3,4,5,6}, float[2] b = {1,2},"
                         "  float[8,1] m = {1,2,3,4,5,6,7,8}> {" +
                         Body + "}",
                     "test.onnxtxt"));
  llvm::cantFail(inferShapes(*M));
  return M;
}

/// Where the scales of the value r can go: "before c" or "behind y, z", with the channels for one if there are several.
std::string layers(const std::string &Body, const std::string &Signature = "(float[N,2,2,2] x) => (float[] y)") {
  std::unique_ptr<Model> M = parse(Signature, Body);
  std::string Text;
  for (Node &N : M->graph())
    if (N.output()->name() == "r")
      for (const ScalableLayer &Layer : findScalableLayers(N)) {
        Text += Text.empty() ? (Layer.IsBefore ? "before " : "behind ") : ", ";
        Text += Layer.Layer->output()->name().str();
        if (Layer.Elements > 1)
          Text += " x" + std::to_string(Layer.Elements);
      }
  return Text;
}

TEST(ScaleFolding, LayersBehind) {
  EXPECT_EQ(layers("r = Relu(x) y = Conv(r, w)"), "behind y");
  EXPECT_EQ(layers("r = Relu(x) u = Conv(r, w) v = ConvTranspose(r, back) y = Add(u, v)"), "behind u, v");
  EXPECT_EQ(layers("r = Relu(x) p = MaxPool<kernel_shape = [2, 1]>(r) y = Conv(p, w)"), "behind y");
  EXPECT_EQ(layers("r = Relu(x) p = GlobalAveragePool(r) y = Conv(p, w)"), "behind y");
  EXPECT_EQ(layers("r = Relu(x) f = Flatten(r) y = Gemm(f, m)"), "behind y x4");
  EXPECT_EQ(layers("r = Relu(x) s = Constant<value_ints = [-1, 8]>() f = Reshape(r, s) y = MatMul(f, m)"),
            "behind y x4");
  EXPECT_EQ(layers("r = MaxPool<kernel_shape = [2, 1]>(x) y = Conv(r, w)"), "behind y");
}

TEST(ScaleFolding, TheLayerBefore) {
  EXPECT_EQ(layers("c = Conv(x, w) r = Relu(c) y = Neg(r)"), "before c");
  EXPECT_EQ(layers("c = ConvTranspose<group = 2>(x, back) r = Relu(c) y = Neg(r)"), "before c");
  EXPECT_EQ(layers("c = Conv(x, back, b) r = Relu(c) y = Neg(r)", "(float[N,3,2,2] x) => (float[] y)"), "before c");
  // Weights behind it are preferred: what is compared stays what it was.
  EXPECT_EQ(layers("c = Conv(x, w) r = Relu(c) y = Conv(r, back)"), "behind y");
  // Its output may be the graph's.
  EXPECT_EQ(layers("c = Conv(x, w) r = Relu(c)", "(float[N,2,2,2] x) => (float[] r)"), "before c");
}

TEST(ScaleFolding, Refused) {
  EXPECT_EQ(layers("r = Relu(x) y = Neg(r)"), "");
  EXPECT_EQ(layers("r = Relu(x) y = Conv(r, w)", "(float[N,2,2,2] x) => (float[] y, float[] r)"), "");
  EXPECT_EQ(layers("r = Relu(x) u = Conv(r, w) n = Neg(r) v = Conv(n, w) y = Add(u, v)"), "");
  // Weights that are computed.
  EXPECT_EQ(layers("r = Relu(x) y = Conv(r, v)", "(float[N,2,2,2] x, float[3,2,1,1] v) => (float[] y)"), "");
  // Indices of maxima tell nothing of scales, but ties would.
  EXPECT_EQ(layers("r = Relu(x) p, i = MaxPool<kernel_shape = [2, 1]>(r) y = Conv(p, w)",
                   "(float[N,2,2,2] x) => (float[] y, int64[] i)"),
            "");
  // A product along positions, not channels.
  EXPECT_EQ(layers("r = Relu(x) y = MatMul(r, m)", "(float[N,2,2,8] x) => (float[] y)"), "");
  // What the layer before gives has another user, or is an output.
  EXPECT_EQ(layers("c = Conv(x, w) r = Relu(c) y = Add(r, c)"), "");
  EXPECT_EQ(layers("c = Conv(x, w) r = Relu(c) y = Neg(r)", "(float[N,2,2,2] x) => (float[] y, float[] c)"), "");
  // An average of scaled maxima is not the maximum of a scaled layer's outputs.
  EXPECT_EQ(layers("c = Conv(x, w) r = MaxPool<kernel_shape = [2, 1]>(c) y = Neg(r)"), "");
  // A subgraph sees the output.
  EXPECT_EQ(layers("r = Relu(x) y = If(q)<then_branch = t () => (float[] o) { o = Neg(r) }, "
                   "else_branch = e () => (float[] o) { o = Abs(r) }>",
                   "(float[N,2,2,2] x, bool q) => (float[] y)"),
            "");
}

TEST(ScaleFolding, LayoutsOfWeights) {
  auto Channels = [](const std::string &Body, bool Output) {
    std::unique_ptr<Model> M = parse("(float[N,2,2,2] x) => (float[] y)", Body);
    const Node &Layer = *M->graph().outputs()[0]->producer();
    std::optional<WeightLayout> Layout = Output ? outputLayout(Layer) : inputLayout(Layer);
    std::string Text;
    for (int64_t I = 0; Layout && I < 6; ++I)
      Text += std::to_string(Layout->channel(I));
    return Text;
  };
  EXPECT_EQ(Channels("y = Conv(x, w)", false), "010101");
  EXPECT_EQ(Channels("y = Conv(x, w)", true), "001122");
  EXPECT_EQ(Channels("p = Concat<axis = 1>(x, x, x) y = Conv<group = 3>(p, w)", false), "012345");
  EXPECT_EQ(Channels("y = ConvTranspose(x, back)", false), "000111");
  EXPECT_EQ(Channels("y = ConvTranspose(x, back)", true), "012012");
  EXPECT_EQ(Channels("y = ConvTranspose<group = 2>(x, back)", true), "012345");
}

/// The stem's ReLU feeds a residual branch, but its own convolution feeds nothing else; those inside of blocks feed one
/// layer. So does the last, once canonicalize has taken the computation of a shape from beside it.
TEST(ScaleFolding, ResNet20) {
  std::string Path = std::string(SHARED_FOLDER) + "/models/resnet20-cifar10.onnx";
  if (!llvm::sys::fs::exists(Path))
    GTEST_SKIP() << "needs " << Path;
  std::unique_ptr<Model> M = llvm::cantFail(readModel(Path));
  llvm::cantFail(inferShapes(*M));
  std::vector<GateSite> Sites = llvm::cantFail(findGateSites(*M));
  ASSERT_EQ(Sites.size(), 19u);
  for (unsigned I = 0; I < Sites.size(); ++I)
    EXPECT_EQ(Sites[I].FoldsScale, I == 0 || I % 2 == 1) << Sites[I].Name;
}

} // namespace
