//===- GateFunctions.h - gates with gradients, in few passes ----*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Written with ATen's operators a shared gate takes a dozen passes over memory, more time than the convolution before
// it. Here it takes one each way. Only GateFunctions.cpp includes torch's slow headers.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_TUNE_GATEFUNCTIONS_H
#define DEEPSHARE_LIB_TUNE_GATEFUNCTIONS_H

#include <ATen/core/Tensor.h>

namespace deepshare::tune {

/// Phi(Sharpness * x / d) for X [N, C, ...] and \p Deviation d [1, C, 1, ...]; gradients for X.
at::Tensor smoothStep(const at::Tensor &X, const at::Tensor &Deviation, double Sharpness);

/// Y[n,c,...] = X[n,c,...] * (Off[c] + (On[c] - Off[c]) * M[n,Index[c],...]) for X [N, C, ...] and M [N, K, ...], bits
/// or numbers; gradients for X, On, Off and, if it holds numbers, M. \p Index: int64 [C] on X's device.
at::Tensor applyShare(const at::Tensor &X, const at::Tensor &M, const at::Tensor &Index, const at::Tensor &On,
                      const at::Tensor &Off);

} // namespace deepshare::tune

#endif // DEEPSHARE_LIB_TUNE_GATEFUNCTIONS_H
