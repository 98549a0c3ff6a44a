//===- ScaleFolding.cpp - where a channel's scale can go ------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Analysis/ScaleFolding.h"

#include "deepshare/Analysis/GateForms.h"
#include "deepshare/Analysis/WeightLayout.h"
#include "deepshare/IR/ShareOps.h"

using namespace deepshare;

using Layers = llvm::SmallVector<ScalableLayer, 2>;

/// The size of axis 1 of \p V; 0 if it is not known.
static int64_t channelsOf(const Value &V) {
  bool IsKnown = V.type() && V.type()->Dims && V.type()->Dims->size() >= 2 && (*V.type()->Dims)[1].isFixed();
  return IsKnown ? (*V.type()->Dims)[1].size() : 0;
}

/// Whether a scale of each channel of \p U's value is one of the user's output; the consecutive channels of the output
/// for one of the value, or 0.
static int64_t channelsPassed(const Use &U) {
  const Node &N = *U.User;
  const Value &V = *N.input(U.Index);
  bool HasMoreOutputs = N.numOutputs() != 1 && llvm::any_of(llvm::drop_begin(N.outputs()),
                                                            [](const Value *Output) { return !Output->isDead(); });
  if (HasMoreOutputs)
    return 0;
  if (N.is("MaxPool") || N.is("GlobalMaxPool") || N.is("AveragePool") || N.is("GlobalAveragePool"))
    return 1;
  if (N.is("Mul"))
    return isConstant(N.input(1 - U.Index)) && N.output()->type() == V.type();
  if (U.Index != 0 || !(N.is("Reshape") || (N.is("Flatten") && N.intAttribute("axis", 1) == 1)))
    return 0;
  // [images, channels, positions...] to [images, channels * positions]
  const TensorType &From = *V.type();
  if (!N.output()->type() || N.output()->type()->rank() != 2 || !From.isStatic(1))
    return 0;
  int64_t Positions = 1;
  for (const Dim &Size : llvm::drop_begin(*From.Dims, 2))
    Positions *= Size.size();
  return channelsOf(*N.output()) == channelsOf(V) * Positions ? Positions : 0;
}

/// Collects the layers behind \p V, of whose channels \p Elements stand for one of the gate. False if a use is no
/// layer.
static bool collectBehind(const Value &V, int64_t Elements, Layers &Found) {
  if (V.isGraphOutput() || !V.hasUses() || channelsOf(V) == 0)
    return false;
  for (const Use &U : V.uses()) {
    Node &N = *U.User;
    if (N.parent() != V.parent())
      return false;
    std::optional<WeightLayout> Layout = U.Index == 0 ? inputLayout(N) : std::nullopt;
    bool IsProduct = N.is("Gemm") || N.is("MatMul"); // whose channels are the last axis
    if (Layout) {
      if (Layout->Channels != channelsOf(V) || (IsProduct && V.type()->rank() != 2))
        return false;
      Found.push_back({&N, false, Elements});
    } else if (int64_t Passed = channelsPassed(U);
               Passed == 0 || !collectBehind(*N.output(), Elements * Passed, Found)) {
      return false;
    }
  }
  return true;
}

/// True if the user computes the same from its value and from positive multiples of its channels: DReLU, also of chosen
/// channels.
static bool ignoresScale(const Use &U) {
  const Node &N = *U.User;
  if (isDReLU(N))
    return true;
  return N.is("Gather") && U.Index == 0 && N.intAttribute("axis", 0) == 1 && !N.output()->isGraphOutput() &&
         llvm::all_of(N.output()->uses(), [](const Use &Inner) { return isDReLU(*Inner.User); });
}

static bool collectBefore(const Node &Gate, Layers &Found) {
  const Value &X = *Gate.input(isConstant(Gate.input(0)) ? 1 : 0);
  Node *Layer = X.producer();
  std::optional<WeightLayout> Layout = Layer ? outputLayout(*Layer) : std::nullopt;
  if (!Layout || Layout->Channels != channelsOf(X) || !biasOf(*Layer, Layout->Channels))
    return false;
  if ((Layer->is("Gemm") || Layer->is("MatMul")) && X.type()->rank() != 2)
    return false;
  if (X.isGraphOutput() || Layer->parent() != Gate.parent() ||
      !llvm::all_of(X.uses(), [&](const Use &U) { return U.User == &Gate || ignoresScale(U); }))
    return false;
  Found.push_back({Layer, true, 1});
  return true;
}

Layers deepshare::findScalableLayers(const Node &Gate) {
  Layers Found;
  if (collectBehind(*Gate.output(), 1, Found))
    return Found;
  Found.clear();
  if (!Gate.is("MaxPool") && !Gate.is("GlobalMaxPool"))
    collectBefore(Gate, Found);
  return Found;
}
