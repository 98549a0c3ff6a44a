//===- GateKinds.cpp - what each kind of gate costs ----------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// A node is a site if it compares floating-point data that is not constant:
//
//   Relu, LeakyRelu, PRelu, Abs, Sign, Elu ...   1 comparison and (but Sign) 1 mux an element
//   Clip                                          1 and 1 for each finite bound
//   HardSigmoid, HardSwish                        2 and 2
//   Max, Min of n tensors                         n-1 and n-1; constants count as one tensor together
//   MaxPool, ReduceMax, ReduceMin over k elements k-1 and k-1 an output element
//   ArgMax, ArgMin over k elements                k-1 and 2(k-1) an output element: value and position
//   TopK, k of n                                  kn - k(k+1)/2, twice as many muxes: k maxima, one after the other
//   Greater, Less, Equal, DReLU ...               1 and 0: their results are secret bits
//   Where, Mul by a secret bit                    0 and 1, unless both values are constants
//   DReLUShare                                    0 and 1 an element of each channel with a mask
//
// A comparison that one Where alone uses is counted with that Where. Bits stay secret through logic, casts and moves.
//
//===----------------------------------------------------------------------===//

#include "SiteFinder.h"

#include "deepshare/Analysis/AveragePool.h"
#include "deepshare/IR/ShareOps.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>

using namespace deepshare;
using llvm::ArrayRef;
using llvm::Error;
using llvm::Expected;

llvm::StringRef deepshare::formObstacle(GateKind Kind) {
  switch (Kind) {
  case GateKind::Clip:
  case GateKind::HardSigmoid:
  case GateKind::HardSwish:
    return "makes several comparisons (expand-gates takes it apart)";
  case GateKind::Max:
  case GateKind::Min:
  case GateKind::MaxPool:
  case GateKind::GlobalMaxPool:
  case GateKind::ArgMax:
  case GateKind::TopK:
    return "compares elements with each other";
  case GateKind::Elu:
    return "computes an exponential where the gate is closed";
  case GateKind::Sign:
  case GateKind::Comparison:
  case GateKind::DReLU:
    return "has the bit itself as its result";
  case GateKind::Mux:
  case GateKind::DReLUShare:
    return "selects by bits that other sites compare";
  case GateKind::Relu:
  case GateKind::LeakyRelu:
  case GateKind::PRelu:
  case GateKind::ThresholdedRelu:
  case GateKind::Where:
  case GateKind::Abs:
    return "is not x times one constant slope for each sign of x";
  }
  llvm_unreachable("unknown gate kind");
}

/// Slope per channel: a constant that broadcasts along every axis but the channels'.
Error SiteFinder::addPRelu(Node &N) {
  if (std::optional<float> Slope = splat(N.input(1)))
    return addSloped(N, GateKind::PRelu, N.input(0), Slopes{1, *Slope});
  const Tensor *Slope = floatConstant(N.input(1));
  if (Error Failed = addSloped(N, GateKind::PRelu, N.input(0), Slope ? std::optional(Slopes{1, 0}) : std::nullopt))
    return Failed;
  GateSite &Site = Sites.back();
  if (!Site.isShareable())
    return Error::success();
  // Aligned to the right, the slopes' axes are 1 but where the channels are.
  size_t Rank = Site.Spatial.size() + 2, Missing = Rank - Slope->dims().size();
  bool IsPerChannel = Slope->dims().size() <= Rank && Slope->numElements() == Site.Channels &&
                      Missing <= Site.ChannelAxis && Slope->dims()[Site.ChannelAxis - Missing] == Site.Channels;
  if (IsPerChannel) {
    Site.SlopeOff = Slope->toVector<float>();
  } else {
    Site.Obstacle = "has slopes that differ inside a channel";
    Site.SlopeOn.clear();
    Site.SlopeOff.clear();
  }
  return Error::success();
}

/// Max and Min of tensors. Max(x, 0) is Relu, Min(x, 0) its complement.
Error SiteFinder::addExtremum(Node &N) {
  bool IsMax = N.is("Max");
  unsigned Constants = llvm::count_if(N.inputs(), isConstant);
  unsigned Tensors = N.numInputs() - Constants + (Constants > 0);
  auto Compared = llvm::find_if(N.inputs(), [](const Value *V) { return !isConstant(V); });
  if (Tensors < 2 || !isSecretFloat(*Compared))
    return Error::success();
  std::optional<Slopes> Same;
  if (N.numInputs() == 2 && Constants == 1 && splat(N.input(*Compared == N.input(0))) == 0.0f)
    Same = IsMax ? Slopes{1, 0} : Slopes{0, 1};
  return addSloped(N, IsMax ? GateKind::Max : GateKind::Min, *Compared, Same,
                   {Tensors - 1u, Tensors - 1u, llvm::Log2_32_Ceil(Tensors)});
}

/// Clip with the one bound 0 below is Relu.
Error SiteFinder::addClip(Node &N) {
  ClipBound Low = clipBound(N, 0), High = clipBound(N, 1);
  uint64_t Count = Low.Exists + High.Exists;
  if (Count == 0)
    return Error::success();
  std::optional<Slopes> Same;
  if (Low.Exists && !High.Exists && Low.Value == 0.0f)
    Same = Slopes{1, 0};
  return addSloped(N, GateKind::Clip, N.input(0), Same, {Count, Count});
}

Error SiteFinder::addWhere(Node &N) {
  Value *Condition = N.input(0);
  if (isConstant(N.input(1)) && isConstant(N.input(2))) {
    Bits.insert(N.output()); // an affine function of the bit, which nobody pays for
    return Error::success();
  }
  Node *Comparison = Condition->producer();
  bool IsWhole = Comparison && isComparison(*Comparison) && Condition->uses().size() == 1 &&
                 !Condition->isGraphOutput() && Condition->parent() == N.parent();
  if (!IsWhole)
    return addSloped(N, GateKind::Mux, N.input(isConstant(N.input(1)) ? 2 : 1), std::nullopt, {0, 1, 0});
  Value *Compared = Comparison->input(isConstant(Comparison->input(0)) ? 1 : 0);
  if (Error Failed = addSloped(N, GateKind::Where, Compared, whereSlopes(N, *Comparison)))
    return Failed;
  // A condition that is broadcast is compared once.
  auto Elements = [&](const Value *V) {
    double Product = 1; // of sizes that nobody has checked
    if (const TensorType *Type = typeOf(V); Type && Type->Dims)
      for (const Dim &Size : *Type->Dims)
        Product *= Batch.sizeForOne(Size);
    return Product;
  };
  double Compares = Elements(Condition), Chosen = Elements(N.output());
  if (Compares < Chosen && typeOf(Condition)) {
    Sites.back().DReLUs = std::llround(Sites.back().DReLUs * (Compares / Chosen));
    Sites.back().SlopeOn.clear();
    Sites.back().SlopeOff.clear();
    Sites.back().Obstacle = "selects more elements than it compares";
  }
  return Error::success();
}

Error SiteFinder::addShare(Node &N) {
  Expected<GateSite *> Site = addSite(N, GateKind::DReLUShare, N.input(0), {0, 1, 0});
  if (!Site)
    return Site.takeError();
  (*Site)->Obstacle = formObstacle(GateKind::DReLUShare);
  std::vector<int64_t> Masks = N.intsAttribute("mask");
  uint64_t Gated = llvm::count_if(Masks, [](int64_t Mask) { return Mask >= 0; });
  if (!Masks.empty())
    (*Site)->Muxes = (*Site)->Muxes / Masks.size() * Gated;
  return Error::success();
}

/// Elements that each output element of MaxPool, ReduceMax or ReduceMin is chosen from.
Expected<uint64_t> SiteFinder::reducedElements(Node &N) {
  if (N.is("MaxPool")) {
    uint64_t Window = 1;
    for (int64_t Size : N.intsAttribute("kernel_shape"))
      Window *= Size;
    return Window;
  }
  // The sizes of the input that the output has not got. The batch is never reduced with the rest.
  const TensorType *In = typeOf(N.input(0)), *Out = typeOf(N.output());
  auto Elements = [&](const TensorType *Type) -> uint64_t {
    if (!Type || !Type->Dims || (!Type->Dims->empty() && !Type->isStatic(1)))
      return 0;
    uint64_t Product = 1;
    for (const Dim &Size : *Type->Dims)
      Product *= Batch.sizeForOne(Size);
    return Product;
  };
  uint64_t Ins = Elements(In), Outs = Elements(Out);
  if (Ins == 0 || Outs == 0)
    return nodeError(N, "the shape of its input or output is unknown");
  return Ins / Outs;
}

/// ArgMax, ArgMin and TopK. Values are compared and, with their positions, selected.
Error SiteFinder::addSelection(Node &N) {
  const TensorType *In = typeOf(N.input(0)), *Out = typeOf(N.output());
  int64_t Axis = N.intAttribute("axis", N.is("TopK") ? -1 : 0);
  if (!In || !In->rank() || !Out || !Out->rank())
    return nodeError(N, "the shape of its input or output is unknown");
  if (Axis < 0)
    Axis += *In->rank();
  if (Axis < 0 || Axis >= *In->rank() || !(*In->Dims)[Axis].isFixed() ||
      (N.is("TopK") && !(Axis < *Out->rank() && (*Out->Dims)[Axis].isFixed())))
    return nodeError(N, "the size of axis " + llvm::Twine(Axis) + " is unknown");
  uint64_t Elements = (*In->Dims)[Axis].size();
  if (Elements > uint64_t(1) << 24)
    return nodeError(N, "its input is " + In->str() + ", expected sizes of at most 2^24");
  if (Elements < 2)
    return Error::success();
  if (!N.is("TopK"))
    return addSloped(N, GateKind::ArgMax, N.input(0), std::nullopt,
                     {Elements - 1, 2 * (Elements - 1), llvm::Log2_64_Ceil(Elements)});
  uint64_t Kept = (*Out->Dims)[Axis].size();
  if (Error Failed =
          addSloped(N, GateKind::TopK, N.input(0), std::nullopt, {1, 1, unsigned(Kept * llvm::Log2_64_Ceil(Elements))}))
    return Failed;
  GateSite &Site = Sites.back();
  uint64_t Rows = Kept ? Site.DReLUs / Kept : 0;
  if (Error Failed = checkCount(N, double(Rows) * double(Kept) * double(Elements)))
    return Failed;
  Site.DReLUs = Rows * (Kept * Elements - Kept * (Kept + 1) / 2);
  Site.Muxes = 2 * Site.DReLUs;
  return Error::success();
}

Error SiteFinder::visit(Node &N) {
  propagateTypes(N);
  if (isDReLU(N)) {
    Bits.insert(N.output());
    return addSloped(N, GateKind::DReLU, N.input(0), std::nullopt, {1, 0});
  }
  if (isDReLUShare(N))
    return addShare(N);
  if (const Function *F = M.function(N))
    return visitCall(N, *F);
  if (!N.domain().empty() || N.numInputs() == 0 || N.numOutputs() == 0)
    return Error::success();

  // Secret bits: chosen by, multiplied with, or passed on.
  bool HasBit = llvm::any_of(N.inputs(), [&](const Value *V) { return isBit(V); });
  if (N.is("Where") && HasBit && isBit(N.input(0)))
    return addWhere(N);
  if (N.is("Mul") && HasBit) {
    if (llvm::any_of(N.inputs(), [](const Value *V) { return isConstant(V); })) {
      Bits.insert(N.output());
      return Error::success();
    }
    unsigned Other = isBit(N.input(0)) ? 1 : 0;
    return addSloped(N, GateKind::Mux, N.input(Other), std::nullopt, {0, 1, 0});
  }
  if (HasBit) {
    bool Moves = llvm::StringSwitch<bool>(N.opType())
                     .Cases("Not", "And", "Or", "Xor", "Cast", "Identity", "Gather", "Concat", "Slice", "Split", true)
                     .Cases("Reshape", "Transpose", "Squeeze", "Unsqueeze", "Expand", "Resize", "Tile", "Pad", true)
                     .Cases("Flatten", "Upsample", "DepthToSpace", "SpaceToDepth", true)
                     .Default(false);
    if (Moves)
      for (Value *Output : N.outputs())
        Bits.insert(Output);
    return Error::success();
  }
  if (isComparison(N)) {
    if (!isSecretFloat(N.input(0)) && !isSecretFloat(N.input(1)))
      return Error::success();
    Bits.insert(N.output());
    // One Where that alone uses the bits reports both.
    Value *Out = N.output();
    if (Out->uses().size() == 1 && !Out->isGraphOutput())
      if (const Node *User = Out->uses().front().User; User->is("Where") && User->parent() == N.parent() &&
                                                       Out->uses().front().Index == 0 &&
                                                       !(isConstant(User->input(1)) && isConstant(User->input(2))))
        return Error::success();
    return addSloped(N, GateKind::Comparison, N.input(isConstant(N.input(0)) ? 1 : 0), std::nullopt, {1, 0});
  }

  if (!isSecretFloat(N.input(0)) && !N.is("Max") && !N.is("Min"))
    return Error::success();
  if (N.is("Relu"))
    return addSloped(N, GateKind::Relu, N.input(0), Slopes{1, 0});
  if (N.is("LeakyRelu"))
    return addSloped(N, GateKind::LeakyRelu, N.input(0), Slopes{1, N.floatAttribute("alpha", 0.01f)});
  if (N.is("PRelu"))
    return addPRelu(N);
  if (N.is("Abs"))
    return addSloped(N, GateKind::Abs, N.input(0), Slopes{1, -1});
  if (N.is("ThresholdedRelu"))
    return addSloped(N, GateKind::ThresholdedRelu, N.input(0), std::nullopt);
  if (N.is("Elu") || N.is("Selu") || N.is("Celu"))
    return addSloped(N, GateKind::Elu, N.input(0), std::nullopt);
  if (N.is("Sign"))
    return addSloped(N, GateKind::Sign, N.input(0), std::nullopt, {1, 0});
  if (N.is("HardSigmoid"))
    return addSloped(N, GateKind::HardSigmoid, N.input(0), std::nullopt, {2, 2});
  if (N.is("HardSwish"))
    return addSloped(N, GateKind::HardSwish, N.input(0), std::nullopt, {2, 2});
  if (N.is("Clip"))
    return addClip(N);
  if (N.is("ArgMax") || N.is("ArgMin") || N.is("TopK"))
    return addSelection(N);
  if (N.is("Max") || N.is("Min"))
    return addExtremum(N);
  if (N.is("MaxPool") || N.is("GlobalMaxPool") || N.is("ReduceMax") || N.is("ReduceMin")) {
    Expected<uint64_t> Window = reducedElements(N);
    if (!Window)
      return Window.takeError();
    if (*Window < 2)
      return Error::success();
    GateKind Kind = N.is("MaxPool")         ? GateKind::MaxPool
                    : N.is("GlobalMaxPool") ? GateKind::GlobalMaxPool
                    : N.is("ReduceMax")     ? GateKind::Max
                                            : GateKind::Min;
    if (Error Failed =
            addSloped(N, Kind, N.input(0), std::nullopt, {*Window - 1, *Window - 1, llvm::Log2_64_Ceil(*Window)}))
      return Failed;
    // Averages are measured and priced where an image has one output of channels by positions.
    GateSite &Site = Sites.back();
    Site.CanAverage = Prefix.empty() && N.parent() == &M.graph() && averagePoolObstacle(N).empty() &&
                      Site.ChannelAxis == 1 &&
                      Site.DReLUs == uint64_t(Site.Channels * Site.positions()) * (*Window - 1);
  }
  return Error::success();
}
