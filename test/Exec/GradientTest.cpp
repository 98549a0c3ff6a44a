//===- GradientTest.cpp - gradients through a graph against differences ---===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Graphs.h"

#include "deepshare/IR/ShareOps.h"

using namespace deepshare;

namespace {
/// A small network in double: convolution, shared gates, strided pool, Gemm, log-softmax.
struct SmallNetwork : TestModel {
  Value *X, *Kernel, *Bias, *Weight, *Gated;

  SmallNetwork() {
    at::TensorOptions Double = at::dtype(at::kDouble);
    X = input("x", makeTensorType(ElementType::Float64, {2, 2, 6, 6}));
    Kernel = constant("kernel", at::randn({4, 2, 3, 3}, Double));
    Bias = constant("bias", at::randn({4}, Double));
    Weight = constant("weight", at::randn({36, 3}, Double));
    Value *C = node("Conv", {X, Kernel, Bias}, "c");
    C->producer()->setAttribute("pads", std::vector<int64_t>{1, 1, 1, 1});
    Value *Mask = insertDReLU(M.graph().end(), C, 1, "mask");
    Gated = insertDReLUShare(M.graph().end(), C, {Mask}, {0, 0, -1, 3}, {1, 0.5f, 0.75f, 2}, {0, -1, 0.75f, 0.25f},
                             "gated");
    Value *P = node("AveragePool", {Gated}, "p");
    P->producer()->setAttribute("kernel_shape", std::vector<int64_t>{2, 2});
    P->producer()->setAttribute("strides", std::vector<int64_t>{2, 2});
    M.graph().addOutput(node("LogSoftmax", {node("MatMul", {node("Flatten", {P}, "f"), Weight}, "m")}, "y"));
  }
};
} // namespace

/// Central differences of \p Loss in every element of \p T.
static at::Tensor differences(const at::Tensor &T, llvm::function_ref<double(const at::Tensor &)> Loss) {
  constexpr double Step = 1e-6;
  at::Tensor Result = at::empty_like(T);
  for (int64_t I = 0; I < T.numel(); ++I) {
    at::Tensor Up = T.clone(), Down = T.clone();
    Up.view(-1)[I] += Step;
    Down.view(-1)[I] -= Step;
    Result.view(-1)[I] = (Loss(Up) - Loss(Down)) / (2 * Step);
  }
  return Result;
}

TEST(Gradient, AgreesWithDifferences) {
  at::manual_seed(3);
  SmallNetwork Net;
  std::unique_ptr<Executor> E = valueOf(Executor::create(Net.M));
  at::Tensor X = at::randn({2, 2, 6, 6}, at::kDouble), Mixture = at::randn({2, 3}, at::kDouble);
  auto Loss = [&] { return (valueOf(E->run({X}))[0] * Mixture).sum(); };
  for (Value *Parameter : {Net.Kernel, Net.Bias, Net.Weight}) {
    at::Tensor Original = E->constant(Parameter);
    at::Tensor Leaf = Original.clone().requires_grad_();
    E->setConstant(Parameter, Leaf);
    Loss().backward();
    at::Tensor Expected = differences(Original, [&](const at::Tensor &Moved) {
      E->setConstant(Parameter, Moved);
      return Loss().item<double>();
    });
    E->setConstant(Parameter, Original);
    EXPECT_TRUE(at::allclose(Leaf.grad(), Expected, 1e-6, 1e-7)) << Parameter->name().str();
  }
}

/// A hook that puts a leaf in a value's place gives the gradient there: what Fisher weights need.
TEST(Gradient, ReachesObservedValues) {
  at::manual_seed(4);
  SmallNetwork Net;
  std::unique_ptr<Executor> E = valueOf(Executor::create(Net.M));
  E->observe(Net.Gated);
  at::Tensor X = at::randn({2, 2, 6, 6}, at::kDouble), Mixture = at::randn({2, 3}, at::kDouble), Leaf;
  auto MakeLeaf = [&](const Value &, at::Tensor &T) { T = Leaf = T.detach().requires_grad_(); };
  (valueOf(E->run({X}, MakeLeaf))[0] * Mixture).sum().backward();
  at::Tensor Expected = differences(Leaf.detach(), [&](const at::Tensor &Moved) {
    auto Replace = [&](const Value &, at::Tensor &T) { T = Moved; };
    return (valueOf(E->run({X}, Replace))[0] * Mixture).sum().item<double>();
  });
  EXPECT_TRUE(at::allclose(Leaf.grad(), Expected, 1e-6, 1e-7));
}

/// A gate that is not shared has ReLU's gradient.
TEST(Gradient, OfAGateIsThatOfItsSlope) {
  TestModel T;
  Value *X = T.input("x", makeTensorType(ElementType::Float32, {1, 2, 1, 1}));
  Value *Mask = insertDReLU(T.M.graph().end(), X, 1, "mask");
  T.M.graph().addOutput(insertDReLUShare(T.M.graph().end(), X, {Mask}, {0, 0}, {1, 3}, {0, -2}, "y"));
  std::unique_ptr<Executor> E = valueOf(Executor::create(T.M));
  for (auto [First, On, Other] : {std::tuple(1.0f, 1.0f, 3.0f), {-1.0f, 0.0f, -2.0f}}) {
    at::Tensor Leaf = at::tensor({First, 0.5f}).reshape({1, 2, 1, 1}).requires_grad_();
    valueOf(E->run({Leaf}))[0].sum().backward();
    EXPECT_EQ(Leaf.grad().view(-1)[0].item<float>(), On);
    EXPECT_EQ(Leaf.grad().view(-1)[1].item<float>(), Other);
  }
}
