//===- Convolution.cpp - convolutions ------------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"
#include "Window.h"

#include "llvm/Support/MathExtras.h"

using namespace deepshare;
using namespace deepshare::exec;

static void checkOperands(const at::Tensor &X, const at::Tensor &Weight) {
  TORCH_CHECK(X.dim() >= 3 && X.dim() <= 5, "expected 1 to 3 spatial dimensions, got ", X.dim() - 2);
  TORCH_CHECK(Weight.dim() == X.dim(), "expected a weight of ", X.dim(), " dimensions, got ", Weight.dim());
}

static Tensors conv(const OpContext &C) {
  at::Tensor X = C.input(0);
  const at::Tensor &Weight = C.input(1);
  checkOperands(X, Weight);
  int64_t Groups = C.attributes().getInt("group", 1);
  TORCH_CHECK(Groups > 0 && Weight.size(1) * Groups == X.size(1), "expected ", Weight.size(1) * Groups,
              " channels, got ", X.size(1));
  unsigned Rank = X.dim() - 2;
  Window W = readPaddedWindow(C.attributes(), Weight.sizes().slice(2).vec(), X.sizes().slice(2));
  Ints Padding = W.Begin;
  if (!W.isSymmetric()) {
    X = padTrailing(X, W.Begin, W.End, 0);
    Padding = Ints(Rank, 0);
  }
  return {at::convolution(X, Weight, C.optionalInput(2), W.Strides, Padding, W.Dilations, /*transposed=*/false,
                          Ints(Rank, 0), Groups)};
}

/// The convolution is done without padding; then the result, of stride*(in-1) + extent elements an axis, is cut by the
/// pads and grown by output_padding, where only the bias is.
static Tensors convTranspose(const OpContext &C) {
  const at::Tensor &X = C.input(0), &Weight = C.input(1);
  checkOperands(X, Weight);
  TORCH_CHECK(Weight.size(0) == X.size(1), "expected ", Weight.size(0), " channels, got ", X.size(1));
  const Attributes &A = C.attributes();
  unsigned Rank = X.dim() - 2;
  Window W = readWindow(A, Weight.sizes().slice(2).vec(), Rank);
  auto [Begin, End] = readPads(A, Rank);
  Ints Growth = A.getInts("output_padding", Ints(Rank, 0)), Wanted = A.getInts("output_shape");
  std::string AutoPad = A.getString("auto_pad", "NOTSET");
  bool IsSame = AutoPad == "SAME_UPPER" || AutoPad == "SAME_LOWER";
  if (Wanted.empty() && IsSame)
    for (unsigned I = 0; I < Rank; ++I)
      Wanted.push_back(X.size(I + 2) * W.Strides[I]);
  TORCH_CHECK(Growth.size() == Rank, "attribute 'output_padding': expected ", Rank, " values, got ", Growth.size());
  TORCH_CHECK(Wanted.empty() || Wanted.size() == Rank, "attribute 'output_shape': expected ", Rank, " values, got ",
              Wanted.size());
  for (unsigned I = 0; I < Wanted.size(); ++I) {
    int64_t Total = W.Strides[I] * (X.size(I + 2) - 1) + Growth[I] + W.extent(I) - Wanted[I];
    int64_t Half = llvm::divideFloorSigned(Total, 2);
    Begin[I] = AutoPad == "SAME_UPPER" ? Half : Total - Half;
    End[I] = Total - Begin[I];
  }

  at::Tensor Y = at::convolution(X, Weight, {}, W.Strides, Ints(Rank, 0), W.Dilations, /*transposed=*/true,
                                 Ints(Rank, 0), A.getInt("group", 1));
  for (unsigned I = 0; I < Rank; ++I) {
    Begin[I] = -Begin[I];
    End[I] = Growth[I] - End[I];
  }
  Y = padTrailing(Y, Begin, End, 0);
  if (!C.hasInput(2))
    return {Y};
  Ints BiasShape(Rank + 1, 1);
  BiasShape[0] = -1;
  return {Y + C.input(2).reshape(BiasShape)};
}

llvm::ArrayRef<Operator> exec::convolutionOperators() {
  static const Operator Table[] = {
      {"Conv", conv},
      {"ConvTranspose", convTranspose},
  };
  return Table;
}
