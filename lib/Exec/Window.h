//===- Window.h - sliding windows of convolutions and pools -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_EXEC_WINDOW_H
#define DEEPSHARE_LIB_EXEC_WINDOW_H

#include "OpContext.h"

namespace deepshare::exec {

/// The window of a convolution or pool: one entry for each spatial axis.
struct Window {
  Ints Kernel, Strides, Dilations;
  /// Padding before and after.
  Ints Begin, End;
  /// What the last window reads past the padding (ceil_mode).
  Ints Overhang;

  unsigned rank() const { return Kernel.size(); }
  /// Elements from a window's first to its last.
  int64_t extent(unsigned Axis) const { return (Kernel[Axis] - 1) * Dilations[Axis] + 1; }
  /// Begin equals End everywhere and nothing overhangs: ATen can pad by itself.
  bool isSymmetric() const;
};

/// `strides`, `dilations`, `kernel_shape` and `group` alone, checked; \p Kernel are the sizes of the weight, or empty
/// for a pool, which has the attribute `kernel_shape`.
Window readWindow(const Attributes &A, Ints Kernel, unsigned Rank);
/// As above, with the padding that `pads`, `auto_pad` and `ceil_mode` ask for on an input of \p Spatial sizes.
Window readPaddedWindow(const Attributes &A, Ints Kernel, at::IntArrayRef Spatial);

/// `pads` split into before and after; zeros if absent.
std::pair<Ints, Ints> readPads(const Attributes &A, unsigned Rank);

/// Pads the trailing axes of \p X with \p Fill; negative amounts cut.
at::Tensor padTrailing(const at::Tensor &X, const Ints &Begin, const Ints &End, const at::Scalar &Fill);

/// The elements of the windows of \p X, which is padded already: for each place in a window the tensor of the elements
/// there, [N, C, windows of axis 1, ...].
std::vector<at::Tensor> windowElements(const at::Tensor &X, const Window &W);

} // namespace deepshare::exec

#endif // DEEPSHARE_LIB_EXEC_WINDOW_H
