//===- NumberSystem.cpp - floats and ring elements ------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "NumberSystem.h"

using namespace deepshare;
using namespace deepshare::exec;

at::Tensor RingNumbers::settle(const at::Tensor &Integers, const at::Tensor &Magnitudes) {
  if (Settled)
    Settled(R.countOutside(Magnitudes), Magnitudes.numel());
  return R.wrap(Integers);
}

at::Tensor RingNumbers::add(const at::Tensor &A, const at::Tensor &B) {
  return settle(at::add(A, B), at::add(A.to(at::kDouble), B.to(at::kDouble)));
}

at::Tensor RingNumbers::subtract(const at::Tensor &A, const at::Tensor &B) {
  return settle(at::sub(A, B), at::sub(A.to(at::kDouble), B.to(at::kDouble)));
}

at::Tensor RingNumbers::multiply(const at::Tensor &X, const at::Tensor &Y) {
  return R.truncate(settle(at::mul(X, Y), at::mul(X.to(at::kDouble), Y.to(at::kDouble))));
}

at::Tensor RingNumbers::scale(const at::Tensor &X, const at::Tensor &Factor) {
  at::Tensor Wide = Factor.to(at::kDouble);
  return scale(X, Wide, at::eq(at::round(Wide), Wide));
}

at::Tensor RingNumbers::scale(const at::Tensor &X, const at::Tensor &Factor, const at::Tensor &IsFree) {
  at::Tensor Wide = Factor.to(at::kDouble), Whole = at::round(Wide);
  auto ByInteger = [&] { return settle(at::mul(X, Whole.to(at::kLong)), at::mul(X.to(at::kDouble), Whole)); };
  if (at::all(IsFree).item<bool>())
    return ByInteger();
  at::Tensor Truncated = multiply(X, encode(Wide));
  return at::any(IsFree).item<bool>() ? at::where(IsFree, ByInteger(), Truncated) : Truncated;
}

at::Tensor RingNumbers::product(const at::Tensor &X, const at::Tensor &Y, int64_t Summands,
                                llvm::function_ref<at::Tensor(const at::Tensor &, const at::Tensor &)> F) {
  Ring::Product P = R.multiply(X, Y, Summands, F);
  return R.truncate(settle(P.Integers, P.Magnitudes));
}
