//===- GateFunctions.cpp - gates with gradients, in few passes ------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "GateFunctions.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <numbers>

using namespace deepshare;
using namespace deepshare::tune;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

namespace {

//===----------------------------------------------------------------------===//
// The smooth step
//===----------------------------------------------------------------------===//

struct SmoothStep : Function<SmoothStep> {
  // Phi(z) = (1 + erf(z / sqrt 2)) / 2.
  static at::Tensor forward(AutogradContext *Context, const at::Tensor &X, const at::Tensor &Scale) {
    Context->save_for_backward({X, Scale});
    return X.mul(Scale).erf_().mul_(0.5).add_(0.5);
  }
  // With t = x * scale: d/dx (1 + erf t) / 2 = scale * exp(-t^2) / sqrt(pi).
  static variable_list backward(AutogradContext *Context, const variable_list &Gradients) {
    variable_list Saved = Context->get_saved_variables();
    at::Tensor Slope = Saved[0].mul(Saved[1]).square_().neg_().exp_().mul_(Saved[1]).mul_(std::numbers::inv_sqrtpi);
    return {Slope.mul_(Gradients[0]), at::Tensor()};
  }
};

//===----------------------------------------------------------------------===//
// The shared gate
//===----------------------------------------------------------------------===//

/// Sizes of a gate's tensors, all contiguous: X is [N, C, P], M is [N, K, P].
struct Sizes {
  int64_t N, C, K, P;
  Sizes(const at::Tensor &X, const at::Tensor &M)
      : N(X.size(0)), C(X.size(1)), K(M.size(1)), P(X.numel() / std::max<int64_t>(1, N * C)) {}
};

template <typename Mask>
void forwardRows(const Sizes &S, const float *X, const Mask *M, const int64_t *Index, const float *On, const float *Off,
                 float *Y) {
  at::parallel_for(0, S.N * S.C, 1, [&](int64_t Begin, int64_t End) {
    for (int64_t Row = Begin; Row < End; ++Row) {
      int64_t Channel = Row % S.C;
      const float *In = X + Row * S.P;
      const Mask *Bits = M + (Row / S.C * S.K + Index[Channel]) * S.P;
      float *Out = Y + Row * S.P, Base = Off[Channel], Step = On[Channel] - Off[Channel];
      for (int64_t At = 0; At < S.P; ++At)
        Out[At] = In[At] * (Base + Step * static_cast<float>(Bits[At]));
    }
  });
}

/// Gradients of the slopes are left as sums over positions, [N, C], so that no two threads add to one number.
template <typename Mask>
void backwardImages(const Sizes &S, const float *X, const Mask *M, const int64_t *Index, const float *On,
                    const float *Off, const float *Gradient, float *ForX, float *ForM, float *ForOn, float *ForOff) {
  at::parallel_for(0, S.N, 1, [&](int64_t Begin, int64_t End) {
    for (int64_t Row = Begin * S.C; Row < End * S.C; ++Row) {
      int64_t Channel = Row % S.C, MaskRow = Row / S.C * S.K + Index[Channel];
      const float *In = X + Row * S.P, *Given = Gradient + Row * S.P;
      const Mask *Bits = M + MaskRow * S.P;
      float *InGradient = ForX + Row * S.P, Base = Off[Channel], Step = On[Channel] - Off[Channel];
      for (int64_t At = 0; At < S.P; ++At)
        InGradient[At] = Given[At] * (Base + Step * static_cast<float>(Bits[At]));
      if (ForM && Step != 0) {
        float *MaskGradient = ForM + MaskRow * S.P;
        for (int64_t At = 0; At < S.P; ++At)
          MaskGradient[At] += Given[At] * In[At] * Step;
      }
      if (ForOn) {
        // Several sums at once, so that the compiler may add in vectors.
        constexpr int64_t Lanes = 8;
        float All[Lanes] = {}, Open[Lanes] = {};
        for (int64_t At = 0; At < S.P; ++At) {
          float Product = Given[At] * In[At];
          All[At % Lanes] += Product;
          Open[At % Lanes] += Product * static_cast<float>(Bits[At]);
        }
        double AllSum = 0, OpenSum = 0;
        for (int64_t Lane = 0; Lane < Lanes; ++Lane) {
          AllSum += All[Lane];
          OpenSum += Open[Lane];
        }
        ForOn[Row] = static_cast<float>(OpenSum);
        ForOff[Row] = static_cast<float>(AllSum - OpenSum);
      }
    }
  });
}

struct ShareGate : Function<ShareGate> {
  static at::Tensor forward(AutogradContext *Context, at::Tensor X, at::Tensor M, const at::Tensor &On,
                            const at::Tensor &Off, const at::Tensor &Index) {
    X = X.contiguous();
    M = M.contiguous();
    Context->save_for_backward({X, M, On, Off, Index});
    at::Tensor Y = at::empty_like(X);
    Sizes S(X, M);
    auto Run = [&](const auto *Bits) {
      forwardRows(S, X.data_ptr<float>(), Bits, Index.data_ptr<int64_t>(), On.data_ptr<float>(), Off.data_ptr<float>(),
                  Y.data_ptr<float>());
    };
    if (M.scalar_type() == at::kBool)
      Run(M.data_ptr<bool>());
    else
      Run(M.data_ptr<float>());
    return Y;
  }

  static variable_list backward(AutogradContext *Context, const variable_list &Gradients) {
    variable_list Saved = Context->get_saved_variables();
    const at::Tensor &X = Saved[0], &M = Saved[1], &On = Saved[2], &Off = Saved[3], &Index = Saved[4];
    at::Tensor Gradient = Gradients[0].contiguous();
    Sizes S(X, M);
    at::Tensor ForX = at::empty_like(X), ForM, ForOn, ForOff;
    if (Context->needs_input_grad(1))
      ForM = at::zeros_like(M);
    if (Context->needs_input_grad(2) || Context->needs_input_grad(3)) {
      ForOn = at::empty({S.N, S.C}, X.options());
      ForOff = at::empty({S.N, S.C}, X.options());
    }
    auto Pointer = [](const at::Tensor &T) { return T.defined() ? T.data_ptr<float>() : nullptr; };
    auto Run = [&](const auto *Bits) {
      backwardImages(S, X.data_ptr<float>(), Bits, Index.data_ptr<int64_t>(), On.data_ptr<float>(),
                     Off.data_ptr<float>(), Gradient.data_ptr<float>(), ForX.data_ptr<float>(), Pointer(ForM),
                     Pointer(ForOn), Pointer(ForOff));
    };
    if (M.scalar_type() == at::kBool)
      Run(M.data_ptr<bool>());
    else
      Run(M.data_ptr<float>());
    if (ForOn.defined()) {
      ForOn = ForOn.sum(0);
      ForOff = ForOff.sum(0);
    }
    return {ForX, ForM, ForOn, ForOff, at::Tensor()};
  }
};

} // namespace

at::Tensor tune::smoothStep(const at::Tensor &X, const at::Tensor &Deviation, double Sharpness) {
  return SmoothStep::apply(X, Deviation.reciprocal().mul(Sharpness / std::numbers::sqrt2));
}

at::Tensor tune::applyShare(const at::Tensor &X, const at::Tensor &M, const at::Tensor &Index, const at::Tensor &On,
                            const at::Tensor &Off) {
  TORCH_CHECK(X.dim() == M.dim() && X.size(0) == M.size(0) && X.sizes().slice(2) == M.sizes().slice(2), "masks of ",
              M.sizes(), " do not fit a gate's input of ", X.sizes());
  bool IsPlain = X.device().is_cpu() && X.scalar_type() == at::kFloat &&
                 (M.scalar_type() == at::kBool || M.scalar_type() == at::kFloat);
  if (IsPlain)
    return ShareGate::apply(X, M, On.contiguous(), Off.contiguous(), Index);
  std::vector<int64_t> Shape(X.dim() - 1, 1);
  Shape.front() = Index.size(0);
  at::Tensor Bits = M.index_select(1, Index), Open = On.view(Shape), Closed = Off.view(Shape);
  if (Bits.scalar_type() == at::kBool)
    return X * at::where(Bits, Open, Closed);
  return X * at::addcmul(Closed, Open - Closed, Bits);
}
