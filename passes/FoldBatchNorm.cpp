//===- FoldBatchNorm.cpp - folds batch normalisation into weights ---------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
//   y = BatchNormalization(Conv(x, w, b), scale, shift, mean, variance)   =>   y = Conv(x, w', b')
//
// and the same for ConvTranspose and Gemm. A BatchNormalization in inference is, for each channel c,
//
//   y_c = a_c * u_c + (shift_c - a_c * mean_c)     with a_c = scale_c / sqrt(variance_c + epsilon)
//
// and the linear layer before it is u_c = <w_c, x> + b_c (Gemm: alpha * <w_c, x> + beta * b_c). Hence
//
//   w'_c = a_c * w_c     b'_c = a_c * (b_c - mean_c) + shift_c
//
// which re-associates: results differ by rounding. The new weights are computed in double and rounded once.
//
// Legal if, all checked before anything changes:
// 1. the normalisation is not in training mode, which before opset 14 more than one output asks for, used or not;
// 2. its parameters, and the layer's weights and bias, are float32 constants;
// 3. nothing but the normalisation uses the layer's output;
// 4. the new weights are finite (a variance of 0 with epsilon 0 is left as it is).
// Weights shared with other layers stay what they are: the folded layer gets its own.
//
// Not done: normalisation before the layer, which padding makes inexact; a MatMul, which has no bias (its exports put
// an Add between); other element types.
//
// Scope: main graph and subgraphs. The bodies of functions have no constants.
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/FoldBatchNorm.h"

#include "Rewriting.h"
#include "deepshare/Analysis/GateForms.h"
#include "deepshare/Analysis/WeightLayout.h"

#include "llvm/Support/Debug.h"

#include <cmath>

#define DEBUG_TYPE "fold-batch-norm"

using namespace deepshare;

namespace {
/// y_c = Factor_c * u_c + Offset_c.
struct ChannelwiseAffine {
  std::vector<double> Factor;
  std::vector<double> Offset;
};
} // namespace

static bool reject(const Node &N, llvm::StringRef Reason) {
  LLVM_DEBUG(llvm::dbgs() << "keeps '" << N.displayName() << "': " << Reason << '\n');
  return false;
}

static std::optional<ChannelwiseAffine> affineOf(const Node &Norm) {
  const Tensor *Parameters[4];
  for (unsigned I = 0; I < 4; ++I) {
    Parameters[I] = floatConstant(Norm.input(I + 1));
    if (!Parameters[I] || Parameters[I]->dims().size() != 1 || Parameters[I]->dims() != Parameters[0]->dims())
      return std::nullopt;
  }
  auto [Scale, Shift, Mean, Variance] = Parameters;
  double Epsilon = Norm.floatAttribute("epsilon", 1e-5f);
  ChannelwiseAffine Result;
  for (int64_t C = 0; C < Scale->numElements(); ++C) {
    double Factor = Scale->get<float>(C) / std::sqrt(double(Variance->get<float>(C)) + Epsilon);
    double Offset = Shift->get<float>(C) - Factor * Mean->get<float>(C);
    if (!std::isfinite(Factor) || !std::isfinite(Offset))
      return std::nullopt;
    Result.Factor.push_back(Factor);
    Result.Offset.push_back(Offset);
  }
  return Result;
}

// BatchNormalization(Linear(x, w, b)) => Linear(x, w', b')
static bool foldInto(Node &Norm) {
  Node *Linear = Norm.input(0)->producer();
  if (!Linear || !(Linear->is("Conv") || Linear->is("ConvTranspose") || Linear->is("Gemm")))
    return reject(Norm, "no Conv, ConvTranspose or Gemm before it");
  if (!isInferenceNormalization(Norm))
    return reject(Norm, "it is in training mode, or normalises single elements");
  if (Linear->parent() != Norm.parent() || Linear->output()->uses().size() != 1 || Linear->output()->isGraphOutput())
    return reject(Norm, "the layer before it has other users");
  std::optional<ChannelwiseAffine> Affine = affineOf(Norm);
  if (!Affine)
    return reject(Norm, "its parameters are not finite float32 constants");
  const Tensor *Weights = floatConstant(Linear->input(1));
  if (!Weights)
    return reject(Norm, "the weights of the layer before it are not float32 constants");
  std::optional<WeightLayout> Layout = outputLayout(*Linear);
  if (!Layout || Layout->Channels != static_cast<int64_t>(Affine->Factor.size()))
    return reject(Norm, "the weights of the layer before it do not fit its channels");
  std::optional<std::vector<double>> Bias = biasOf(*Linear, Layout->Channels);
  if (!Bias)
    return reject(Norm, "the bias of the layer before it is not one constant a channel");

  std::vector<float> NewWeights = Weights->toVector<float>();
  for (size_t I = 0; I < NewWeights.size(); ++I)
    NewWeights[I] = static_cast<float>(NewWeights[I] * Affine->Factor[Layout->channel(I)]);
  std::vector<float> NewBias(Layout->Channels);
  for (int64_t C = 0; C < Layout->Channels; ++C)
    NewBias[C] = static_cast<float>(Affine->Factor[C] * (*Bias)[C] + Affine->Offset[C]);

  Graph &G = *Linear->parent();
  Value *OldBias = Linear->input(2);
  std::string BiasName = OldBias ? OldBias->name().str() : (Linear->input(1)->name() + "_bias").str();
  Linear->setInput(1, G.addInitializer(Linear->input(1)->name(),
                                       Tensor::of<float>(Weights->dims(), llvm::ArrayRef<float>(NewWeights))));
  Value *Added = G.addInitializer(BiasName, Tensor::of<float>({Layout->Channels}, llvm::ArrayRef<float>(NewBias)));
  if (Linear->numInputs() > 2)
    Linear->setInput(2, Added);
  else
    Linear->addInput(Added);
  if (Linear->attribute("beta"))
    Linear->setAttribute("beta", 1.0f);
  takePlace(Norm, Linear->output());
  return true;
}

namespace {
class FoldBatchNorm : public Pass {
public:
  llvm::Expected<bool> run(Model &M, PassContext &) override {
    uint64_t Before = Folded;
    runOnGraph(M.graph());
    return Folded != Before;
  }

  PassStatistics statistics() const override { return {{"normalisations folded", Folded}}; }

private:
  void runOnGraph(Graph &G) {
    for (auto It = G.begin(); It != G.end();) {
      Node &N = *It++;
      for (Graph *Subgraph : N.subgraphs())
        runOnGraph(*Subgraph);
      if (N.is("BatchNormalization") && foldInto(N))
        ++Folded;
    }
  }

  uint64_t Folded = 0;
};
} // namespace

PassInfo deepshare::foldBatchNormPass() {
  return {.Name = "fold-batch-norm",
          .Contract =
              "Folds a BatchNormalization with constant parameters into the Conv, ConvTranspose or Gemm before it.",
          .Options = {},
          .Create = createPass<FoldBatchNorm>,
          .Alias = {},
          .Effect = PassEffect::Reassociates};
}
