//===- Gate.cpp - native kernels for the operators of ai.deepshare -------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"

#include "deepshare/IR/ShareOps.h"

using namespace deepshare;
using namespace deepshare::exec;

static Tensors dRelu(const OpContext &C) { return {C.input(0) > 0}; }

/// Masks of tiles go through the function's body.
static bool isWithoutBlock(const Attributes &A) { return !A.has("block"); }

/// Slopes as a tensor that broadcasts over \p X.
static at::Tensor slopes(const OpContext &C, llvm::StringRef Name, const at::Tensor &X) {
  const auto *Values = C.attributes().get<std::vector<float>>(Name);
  TORCH_CHECK(Values, "attribute '", Name.str(), "' is missing");
  TORCH_CHECK(static_cast<int64_t>(Values->size()) == X.size(1), "attribute '", Name.str(), "': expected ", X.size(1),
              " channels, got ", Values->size());
  Ints Dims(X.dim() - 1, 1);
  Dims[0] = X.size(1);
  return at::tensor(*Values).reshape(Dims).to(X.options());
}

/// Y = X * where(bit, on, off), the bit of channel c being channel mask[c] of the concatenated masks. A linear channel
/// (mask -1) has equal slopes, so that any bit serves it.
static Tensors dReluShare(const OpContext &C) {
  const at::Tensor &X = C.input(0);
  TORCH_CHECK(X.dim() >= 2, "expected at least 2 dimensions, got ", X.dim());
  std::vector<at::Tensor> Masks(C.inputs().begin() + 1, C.inputs().end());
  TORCH_CHECK(!Masks.empty(), "there is no mask");
  at::Tensor Bits = Masks.size() == 1 ? Masks.front() : at::cat(Masks, 1);

  Ints Index = C.attributes().getInts("mask");
  TORCH_CHECK(static_cast<int64_t>(Index.size()) == X.size(1), "attribute 'mask': expected ", X.size(1),
              " channels, got ", Index.size());
  bool IsIdentity = Bits.size(1) == X.size(1);
  for (size_t Channel = 0; Channel < Index.size(); ++Channel) {
    int64_t &Source = Index[Channel];
    TORCH_CHECK(Source >= -1 && Source < Bits.size(1), "attribute 'mask': ", Source, " is out of range for ",
                Bits.size(1), " channels of masks");
    IsIdentity &= Source == -1 || Source == static_cast<int64_t>(Channel);
    Source = std::max<int64_t>(Source, 0);
  }
  if (!IsIdentity)
    Bits = at::index_select(Bits, 1, at::tensor(Index).to(X.device()));
  return {X * at::where(Bits, slopes(C, "on", X), slopes(C, "off", X))};
}

llvm::ArrayRef<Operator> exec::gateOperators() {
  static const Operator Table[] = {
      {.Name = "DReLU", .Run = dRelu, .Supports = isWithoutBlock, .Domain = ShareDomain},
      {.Name = "DReLUShare", .Run = dReluShare, .Domain = ShareDomain},
  };
  return Table;
}
