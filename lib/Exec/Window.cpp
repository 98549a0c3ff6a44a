//===- Window.cpp - sliding windows of convolutions and pools ------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Window.h"

#include "llvm/ADT/STLExtras.h"

using namespace deepshare;
using namespace deepshare::exec;

bool Window::isSymmetric() const {
  return Begin == End && llvm::all_of(Overhang, [](int64_t N) { return N == 0; });
}

static Ints checkedInts(const Attributes &A, llvm::StringRef Name, Ints Default, int64_t Least) {
  Ints Values = A.getInts(Name, Default);
  TORCH_CHECK(Values.size() == Default.size(), "attribute '", Name.str(), "': expected ", Default.size(),
              " values, got ", Values.size());
  for (int64_t Value : Values)
    TORCH_CHECK(Value >= Least, "attribute '", Name.str(), "': expected at least ", Least, ", got ", Value);
  return Values;
}

std::pair<Ints, Ints> exec::readPads(const Attributes &A, unsigned Rank) {
  Ints Pads = checkedInts(A, "pads", Ints(2 * Rank, 0), 0);
  return {Ints(Pads.begin(), Pads.begin() + Rank), Ints(Pads.begin() + Rank, Pads.end())};
}

Window exec::readWindow(const Attributes &A, Ints Kernel, unsigned Rank) {
  Window W;
  if (Kernel.empty()) {
    W.Kernel = checkedInts(A, "kernel_shape", Ints(Rank, 0), 1);
  } else {
    W.Kernel = checkedInts(A, "kernel_shape", Kernel, 1);
    TORCH_CHECK(W.Kernel == Kernel, "attribute 'kernel_shape' is [", at::IntArrayRef(W.Kernel), "], the weight has [",
                at::IntArrayRef(Kernel), "]");
  }
  W.Strides = checkedInts(A, "strides", Ints(Rank, 1), 1);
  W.Dilations = checkedInts(A, "dilations", Ints(Rank, 1), 1);
  W.Begin = W.End = W.Overhang = Ints(Rank, 0);
  return W;
}

Window exec::readPaddedWindow(const Attributes &A, Ints Kernel, at::IntArrayRef Spatial) {
  unsigned Rank = Spatial.size();
  Window W = readWindow(A, std::move(Kernel), Rank);
  std::string AutoPad = A.getString("auto_pad", "NOTSET");
  if (AutoPad == "NOTSET") {
    std::tie(W.Begin, W.End) = readPads(A, Rank);
  } else if (AutoPad != "VALID") {
    TORCH_CHECK(AutoPad == "SAME_UPPER" || AutoPad == "SAME_LOWER", "unknown auto_pad '", AutoPad, "'");
    for (unsigned I = 0; I < Rank; ++I) {
      int64_t Windows = (Spatial[I] + W.Strides[I] - 1) / W.Strides[I];
      int64_t Total = std::max<int64_t>((Windows - 1) * W.Strides[I] + W.extent(I) - Spatial[I], 0);
      int64_t Less = Total / 2, More = Total - Less;
      W.Begin[I] = AutoPad == "SAME_UPPER" ? Less : More;
      W.End[I] = AutoPad == "SAME_UPPER" ? More : Less;
    }
  }
  for (unsigned I = 0; I < Rank; ++I) {
    int64_t Room = Spatial[I] + W.Begin[I] + W.End[I] - W.extent(I);
    // A last window that reaches past the end counts with ceil_mode, and it may be the only one.
    bool IsCeil = A.getInt("ceil_mode", 0);
    TORCH_CHECK(Room >= 0 || (IsCeil && Room > -W.Strides[I]), "a window of ", W.extent(I),
                " does not fit the padded size ", Room + W.extent(I));
    if (!IsCeil)
      continue;
    int64_t Windows = (Room + W.Strides[I] - 1) / W.Strides[I] + 1;
    // A window that would start in the padding after the end is left out.
    if ((Windows - 1) * W.Strides[I] >= Spatial[I] + W.Begin[I])
      --Windows;
    W.Overhang[I] = std::max<int64_t>((Windows - 1) * W.Strides[I] - Room, 0);
  }
  return W;
}

at::Tensor exec::padTrailing(const at::Tensor &X, const Ints &Begin, const Ints &End, const at::Scalar &Fill) {
  Ints Flat; // ATen's order: last axis first, before and after in turn
  bool IsNeeded = false;
  for (unsigned I = Begin.size(); I-- > 0;) {
    Flat.push_back(Begin[I]);
    Flat.push_back(End[I]);
    IsNeeded |= Begin[I] || End[I];
  }
  return IsNeeded ? at::constant_pad_nd(X, Flat, Fill) : X;
}

std::vector<at::Tensor> exec::windowElements(const at::Tensor &X, const Window &W) {
  std::vector<at::Tensor> Elements = {X};
  for (unsigned Axis = 0; Axis < W.rank(); ++Axis) {
    int64_t Windows = (X.size(Axis + 2) - W.extent(Axis)) / W.Strides[Axis] + 1;
    std::vector<at::Tensor> Next;
    for (const at::Tensor &Part : Elements)
      for (int64_t At = 0; At < W.Kernel[Axis]; ++At) {
        int64_t First = At * W.Dilations[Axis];
        Next.push_back(at::slice(Part, Axis + 2, First, First + (Windows - 1) * W.Strides[Axis] + 1, W.Strides[Axis]));
      }
    Elements = std::move(Next);
  }
  return Elements;
}
