//===- AveragePool.cpp - averages in the place of maxima ------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Both pools read strides, pads, auto_pad and ceil_mode alike. The maximum leaves padding out, and so does an average
// with count_include_pad = 0, which is the default: it divides by the elements that are there.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Analysis/AveragePool.h"

using namespace deepshare;

llvm::StringRef deepshare::averagePoolObstacle(const Node &N) {
  if (!N.is("MaxPool") && !N.is("GlobalMaxPool"))
    return "it is no MaxPool or GlobalMaxPool";
  const std::optional<TensorType> &Type = N.output()->type();
  if (!Type || Type->Element != ElementType::Float32)
    return "it is not float32";
  // Which element was the greatest has no meaning for an average.
  if (N.numOutputs() > 1 && !N.output(1)->isDead())
    return "its Indices are used";
  // AveragePool has dilations only from opset 19 on, and few frameworks know them.
  if (llvm::any_of(N.intsAttribute("dilations"), [](int64_t Dilation) { return Dilation != 1; }))
    return "its windows are dilated";
  return "";
}

Value *deepshare::insertAveragePool(Graph &G, Graph::iterator Before, const Node &Pool, Value *X,
                                    const llvm::Twine &Name) {
  Value *Average = G.insert(Before, Pool.is("MaxPool") ? "AveragePool" : "GlobalAveragePool", {X}, Name);
  Node &N = *Average->producer();
  if (const std::string *Padding = Pool.attributeAs<std::string>("auto_pad"))
    N.setAttribute("auto_pad", *Padding);
  if (const int64_t *RoundsUp = Pool.attributeAs<int64_t>("ceil_mode"))
    N.setAttribute("ceil_mode", *RoundsUp);
  for (llvm::StringRef Sizes : {"kernel_shape", "pads", "strides"})
    if (const auto *Found = Pool.attributeAs<std::vector<int64_t>>(Sizes))
      N.setAttribute(Sizes, *Found);
  Average->setType(Pool.output()->type());
  return Average;
}
