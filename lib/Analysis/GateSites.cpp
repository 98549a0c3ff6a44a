//===- GateSites.cpp - finds what costs secure comparisons ----------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// One walk over the graph in order. A node is a site if it compares floating-point data that is not constant:
//
//   Relu, LeakyRelu, PRelu, Abs, Sign, Elu ...   1 comparison and (but Sign) 1 mux an element
//   Clip                                          1 and 1 for each finite bound
//   HardSigmoid, HardSwish                        2 and 2
//   Max, Min of n tensors                         n-1 and n-1; constants count as one tensor together
//   MaxPool, ReduceMax, ReduceMin over k elements k-1 and k-1 an output element
//   Greater, Less, Equal, DReLU ...               1 and 0: their results are secret bits
//   Where, Mul by a secret bit                    0 and 1, unless both values are constants
//   DReLUShare                                    0 and 1 an element of each channel with a mask
//
// A comparison that one Where alone uses is counted with that Where. Bits stay secret through logic, casts and moves.
// Integer data (the shape computations of exporters) is public and not counted.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Analysis/GateSite.h"
#include "deepshare/IR/ShareOps.h"
#include "deepshare/Support/Error.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/SaveAndRestore.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <limits>

using namespace deepshare;
using llvm::ArrayRef;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;

StringRef deepshare::gateKindName(GateKind Kind) {
  switch (Kind) {
  case GateKind::Relu:
    return "Relu";
  case GateKind::LeakyRelu:
    return "LeakyRelu";
  case GateKind::PRelu:
    return "PRelu";
  case GateKind::ThresholdedRelu:
    return "ThresholdedRelu";
  case GateKind::Elu:
    return "Elu";
  case GateKind::Clip:
    return "Clip";
  case GateKind::Max:
    return "Max";
  case GateKind::Min:
    return "Min";
  case GateKind::Where:
    return "Where";
  case GateKind::Abs:
    return "Abs";
  case GateKind::Sign:
    return "Sign";
  case GateKind::HardSigmoid:
    return "HardSigmoid";
  case GateKind::HardSwish:
    return "HardSwish";
  case GateKind::MaxPool:
    return "MaxPool";
  case GateKind::GlobalMaxPool:
    return "GlobalMaxPool";
  case GateKind::Comparison:
    return "Comparison";
  case GateKind::DReLU:
    return "DReLU";
  case GateKind::DReLUShare:
    return "DReLUShare";
  case GateKind::Mux:
    return "Mux";
  }
  llvm_unreachable("unknown gate kind");
}

int64_t GateSite::positions() const {
  int64_t Product = 1;
  for (int64_t Size : Spatial)
    Product *= Size;
  return Product;
}

//===----------------------------------------------------------------------===//
// Constants and slopes
//===----------------------------------------------------------------------===//

/// The tensor that \p V always has: an initialiser's or a Constant node's. Null if it is none or not of floats.
static const Tensor *floatConstant(const Value *V) {
  const Tensor *Found = V ? V->constant() : nullptr;
  if (V && V->producer() && V->producer()->is("Constant"))
    Found = V->producer()->attributeAs<Tensor>("value");
  return Found && Found->elementType() == ElementType::Float32 ? Found : nullptr;
}

/// True if nothing secret can be in \p V.
static bool isConstant(const Value *V) {
  return !V || V->constant() || (V->producer() && V->producer()->is("Constant"));
}

/// The number that all elements of a constant have.
static std::optional<float> splat(const Value *V) {
  if (V && V->producer() && V->producer()->is("Constant"))
    if (const float *Number = V->producer()->attributeAs<float>("value_float"))
      return *Number;
  const Tensor *Constant = floatConstant(V);
  if (!Constant || Constant->numElements() < 1)
    return std::nullopt;
  std::vector<float> Values = Constant->toVector<float>();
  return llvm::all_equal(Values) ? std::optional(Values.front()) : std::nullopt;
}

/// b where V = b * X for one number b: X itself, zero, Neg(X), or a product with a constant.
static std::optional<float> slopeOf(const Value *V, const Value *X) {
  if (V == X)
    return 1;
  if (splat(V) == 0.0f)
    return 0;
  const Node *Producer = V->producer();
  if (Producer && Producer->is("Neg") && Producer->input(0) == X)
    return -1;
  if (Producer && Producer->is("Mul"))
    for (unsigned I : {0, 1})
      if (Producer->input(I) == X)
        return splat(Producer->input(1 - I));
  return std::nullopt;
}

namespace {

/// Both slopes of a gate that is the same for all channels.
struct Slopes {
  float On, Off;
};

/// A comparison of a value with zero: the bit is x > 0 (or x >= 0), or its complement.
struct ZeroComparison {
  const Value *X;
  bool Complement;
};

} // namespace

static bool isComparison(const Node &N) {
  return N.is("Greater") || N.is("GreaterOrEqual") || N.is("Less") || N.is("LessOrEqual") || N.is("Equal");
}

static std::optional<ZeroComparison> comparisonWithZero(const Node &N) {
  if (!isComparison(N) || N.is("Equal"))
    return std::nullopt;
  bool IsLess = N.opType().starts_with("Less");
  for (unsigned I : {0, 1})
    if (splat(N.input(1 - I)) == 0.0f && !isConstant(N.input(I)))
      return ZeroComparison{N.input(I), IsLess != (I == 1)};
  return std::nullopt;
}

/// Where(x > 0, a*x, b*x) => slopes a, b. At x = 0 both sides are 0, so that > and >= are one.
static std::optional<Slopes> whereSlopes(const Node &Where, const Node &Comparison) {
  std::optional<ZeroComparison> Compared = comparisonWithZero(Comparison);
  if (!Compared)
    return std::nullopt;
  std::optional<float> True = slopeOf(Where.input(1), Compared->X), False = slopeOf(Where.input(2), Compared->X);
  if (!True || !False)
    return std::nullopt;
  return Compared->Complement ? Slopes{*False, *True} : Slopes{*True, *False};
}

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

/// Channel axis of a tensor of \p Rank: the last where channels come last ([N,T,C], made by MatMul or normalised over
/// the last axis), else 1. Looks through elementwise nodes to the layer that made the value.
static unsigned channelAxis(const Value *V, unsigned Rank) {
  if (Rank < 3)
    return Rank == 2 ? 1 : 0;
  for (unsigned Steps = 0; V && V->producer() && Steps < 16; ++Steps) {
    const Node &N = *V->producer();
    if (N.is("MatMul") || N.is("LayerNormalization"))
      return Rank - 1;
    bool IsElementwise = llvm::StringSwitch<bool>(N.domain().empty() ? N.opType() : "")
                             .Cases("Add", "Sub", "Mul", "Div", "Identity", "Dropout", "Cast", "Relu", true)
                             .Default(false);
    if (!IsElementwise)
      return 1;
    V = isConstant(N.input(0)) ? N.input(1) : N.input(0);
  }
  return 1;
}

namespace {

/// What a gate costs, for each element of its output.
struct Cost {
  uint64_t Comparisons = 1;
  uint64_t Muxes = 1;
  unsigned Depth = 1;
};

/// Walks graphs and collects sites.
class SiteFinder {
public:
  explicit SiteFinder(Model &M) : M(M) {
    for (const Value *Input : M.graph().inputs())
      if (!Input->isInitializer() && Input->type() && Input->type()->Dims && !Input->type()->Dims->empty()) {
        if (const Dim &First = Input->type()->Dims->front(); First.isFixed() && First.size() > 0)
          Batch = First.size();
        break;
      }
  }

  Error visitGraph(Graph &G);
  std::vector<GateSite> Sites;

private:
  Error visit(Node &N);
  Error visitCall(Node &Call, const Function &F);
  void propagateTypes(Node &N);
  bool isSecretFloat(const Value *V) const;
  bool isBit(const Value *V) const { return Bits.contains(V); }
  Expected<uint64_t> reducedElements(Node &N);
  Expected<GateSite *> addSite(Node &N, GateKind Kind, Value *Input, Cost PerElement);
  Error addSloped(Node &N, GateKind Kind, Value *Input, std::optional<Slopes> Same, Cost PerElement = {});
  Error addPRelu(Node &N);
  Error addExtremum(Node &N);
  Error addClip(Node &N);
  Error addWhere(Node &N);
  Error addShare(Node &N);

  const TensorType *typeOf(const Value *V) const {
    if (auto Found = InnerTypes.find(V); Found != InnerTypes.end())
      return &Found->second;
    return V->type() ? &*V->type() : nullptr;
  }

  Model &M;
  /// Images in a batch if the model fixes it.
  int64_t Batch = 1;
  /// Values that hold secret bits, as booleans or as numbers 0 and 1.
  llvm::DenseSet<const Value *> Bits;
  /// Types inside of function bodies, which have none of their own.
  llvm::DenseMap<const Value *, TensorType> InnerTypes;
  /// Before names inside of functions: "call/".
  std::string Prefix;
};

} // namespace

Expected<std::vector<GateSite>> deepshare::findGateSites(Model &M) {
  SiteFinder Finder(M);
  if (Error Failed = Finder.visitGraph(M.graph()))
    return Failed;
  return std::move(Finder.Sites);
}

Error SiteFinder::visitGraph(Graph &G) {
  for (Node &N : G) {
    if (Error Failed = visit(N))
      return Failed;
    for (Graph *Inner : N.subgraphs())
      if (Error Failed = visitGraph(*Inner))
        return Failed;
  }
  return Error::success();
}

/// Enters a function's body with the types of the call. Inside, types spread through elementwise nodes; a gate whose
/// shape stays unknown is an error.
Error SiteFinder::visitCall(Node &Call, const Function &F) {
  llvm::SaveAndRestore Outer(Prefix, Prefix + Call.displayName().str() + "/");
  llvm::DenseMap<const Value *, TensorType> Saved = InnerTypes;
  for (auto [I, Input] : llvm::enumerate(F.Body->inputs())) {
    const Value *Given = Call.input(I);
    if (const TensorType *Type = Given ? typeOf(Given) : nullptr)
      InnerTypes[Input] = *Type;
    if (isBit(Given))
      Bits.insert(Input);
  }
  if (Error Failed = visitGraph(*F.Body))
    return Failed;
  for (auto [I, Output] : llvm::enumerate(F.Body->outputs()))
    if (isBit(Output) && I < Call.numOutputs())
      Bits.insert(Call.output(I));
  InnerTypes = std::move(Saved);
  return Error::success();
}

void SiteFinder::propagateTypes(Node &N) {
  if (Prefix.empty() || N.numOutputs() != 1 || typeOf(N.output()))
    return;
  // Elementwise: the operand of the highest rank gives the shape. Constants are broadcast to it.
  const TensorType *Widest = nullptr;
  for (const Value *Input : N.inputs())
    if (const TensorType *Type = Input && !isConstant(Input) ? typeOf(Input) : nullptr)
      if (Type->rank() && (!Widest || *Type->rank() > *Widest->rank()))
        Widest = Type;
  bool IsElementwise = llvm::StringSwitch<bool>(N.domain().empty() ? N.opType() : "")
                           .Cases("Add", "Sub", "Mul", "Div", "Neg", "Identity", "Cast", "CastLike", "Pow", true)
                           .Cases("Relu", "LeakyRelu", "Clip", "Abs", "Max", "Min", "Where", "Sqrt", "Exp", true)
                           .Cases("Greater", "Less", "GreaterOrEqual", "LessOrEqual", "Sigmoid", "Tanh", "Erf", true)
                           .Default(false);
  if (Widest && IsElementwise)
    InnerTypes[N.output()] = TensorType(*Widest);
}

bool SiteFinder::isSecretFloat(const Value *V) const {
  if (isConstant(V) || isBit(V))
    return false;
  // An unknown type is looked at again when the site is made, which reports it.
  const TensorType *Type = typeOf(V);
  if (!Type)
    return true;
  switch (Type->Element) {
  case ElementType::Float32:
  case ElementType::Float16:
  case ElementType::Float64:
  case ElementType::BFloat16:
    return true;
  default:
    return false;
  }
}

//===----------------------------------------------------------------------===//
// Sites
//===----------------------------------------------------------------------===//

Expected<GateSite *> SiteFinder::addSite(Node &N, GateKind Kind, Value *Input, Cost PerElement) {
  Value *Output = N.output();
  const TensorType *Type = typeOf(Output);
  if (!Type)
    Type = typeOf(Input);
  if (!Type || !Type->Dims || (Type->Dims->size() > 1 && !Type->isStatic(1)))
    return makeError("node '" + N.displayName() + "' (" + N.opType() + "): the shape of its output '" + Prefix +
                     Output->name() + "' is " + (Type ? Type->str() : std::string("unknown")) +
                     ", expected all sizes but the batch to be known");
  ArrayRef<Dim> Dims = *Type->Dims;
  GateSite Site;
  Site.Name = Prefix + Output->name().str();
  Site.Kind = Kind;
  Site.Gate = &N;
  Site.Input = Input;
  Site.Output = Output;
  Site.Depth = PerElement.Depth;
  Site.ChannelAxis = channelAxis(Input, Dims.size());
  Site.Channels = 1;
  uint64_t Elements = 1;
  for (auto [Axis, Size] : llvm::enumerate(Dims)) {
    bool IsBatch = Axis == 0 && Dims.size() > 1;
    if (!Size.isFixed())
      continue; // the batch
    Elements *= Size.size();
    if (Axis == Site.ChannelAxis)
      Site.Channels = Size.size();
    else if (!IsBatch)
      Site.Spatial.push_back(Size.size());
  }
  // A fixed first size that is not the batch (images cut into windows) multiplies the work of an image.
  if (Dims.size() > 1 && Dims.front().isFixed())
    Elements = llvm::divideCeil(Elements, uint64_t(Batch));
  Site.DReLUs = Elements * PerElement.Comparisons;
  Site.Muxes = Elements * PerElement.Muxes;
  Sites.push_back(std::move(Site));
  return &Sites.back();
}

Error SiteFinder::addSloped(Node &N, GateKind Kind, Value *Input, std::optional<Slopes> Same, Cost PerElement) {
  Expected<GateSite *> Site = addSite(N, Kind, Input, PerElement);
  if (!Site)
    return Site.takeError();
  // Channels are shared along axis 1 (DReLUShare), in float32, one image after the other.
  const TensorType *Type = typeOf(N.output());
  bool CanShare = Same && Prefix.empty() && N.parent() == &M.graph() && (*Site)->ChannelAxis == 1 && Type &&
                  Type->Element == ElementType::Float32 && Type->Dims && Type->Dims->size() > 1 &&
                  isSecretFloat(Input) && (*Site)->Channels > 0 && (*Site)->positions() > 0 &&
                  (!Type->Dims->front().isFixed() || Type->Dims->front().size() == Batch);
  if (CanShare) {
    (*Site)->SlopeOn.assign((*Site)->Channels, Same->On);
    (*Site)->SlopeOff.assign((*Site)->Channels, Same->Off);
  }
  return Error::success();
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
  constexpr float Largest = std::numeric_limits<float>::max();
  std::optional<float> Bounds[2]; // nothing: a bound that only the run knows
  for (unsigned I : {0, 1}) {
    float None = I == 0 ? -Largest : Largest;
    if (N.input(I + 1))
      Bounds[I] = splat(N.input(I + 1));
    else
      Bounds[I] = N.floatAttribute(I == 0 ? "min" : "max", None);
  }
  bool HasLow = !Bounds[0] || *Bounds[0] > -Largest, HasHigh = !Bounds[1] || *Bounds[1] < Largest;
  uint64_t Count = HasLow + HasHigh;
  if (Count == 0)
    return Error::success();
  std::optional<Slopes> Same;
  if (HasLow && !HasHigh && Bounds[0] == 0.0f)
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
    uint64_t Product = 1;
    if (const TensorType *Type = typeOf(V); Type && Type->Dims)
      for (const Dim &Size : *Type->Dims)
        Product *= Size.isFixed() ? Size.size() : 1;
    return Product;
  };
  uint64_t Compares = Elements(Condition), Chosen = Elements(N.output());
  if (Compares < Chosen && typeOf(Condition)) {
    Sites.back().DReLUs = Sites.back().DReLUs / Chosen * Compares;
    Sites.back().SlopeOn.clear();
    Sites.back().SlopeOff.clear();
  }
  return Error::success();
}

Error SiteFinder::addShare(Node &N) {
  Expected<GateSite *> Site = addSite(N, GateKind::DReLUShare, N.input(0), {0, 1, 0});
  if (!Site)
    return Site.takeError();
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
  auto Elements = [](const TensorType *Type) -> uint64_t {
    if (!Type || !Type->Dims || (!Type->Dims->empty() && !Type->isStatic(1)))
      return 0;
    uint64_t Product = 1;
    for (const Dim &Size : *Type->Dims)
      Product *= Size.isFixed() ? Size.size() : 1;
    return Product;
  };
  uint64_t Ins = Elements(In), Outs = Elements(Out);
  if (Ins == 0 || Outs == 0)
    return makeError("node '" + N.displayName() + "' (" + N.opType() +
                     "): the shape of its input or output is unknown");
  return Ins / Outs;
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
    return addSloped(N, Kind, N.input(0), std::nullopt, {*Window - 1, *Window - 1, llvm::Log2_64_Ceil(*Window)});
  }
  return Error::success();
}

//===----------------------------------------------------------------------===//
// Plans
//===----------------------------------------------------------------------===//

Error deepshare::checkPlan(const SharePlan &Plan, ArrayRef<GateSite> Sites, StringRef PlanName) {
  llvm::StringMap<size_t> Index;
  for (auto [I, Site] : llvm::enumerate(Sites))
    Index[Site.Name] = I;
  size_t Previous = 0;
  for (auto [I, Planned] : llvm::enumerate(Plan.Sites)) {
    std::string Where = fmt::format("{}: site {} '{}': ", PlanName.str(), I, Planned.Name);
    auto Found = Index.find(Planned.Name);
    if (Found == Index.end())
      return makeError(Where + "the model has no gate of this name; the plan is for another model");
    const GateSite &Site = Sites[Found->second];
    if (!Site.isShareable())
      return makeError(Where + "a " + gateKindName(Site.Kind) + " of this form cannot share gates");
    if (int64_t(Planned.Channels.size()) != Site.Channels)
      return makeError(Where + fmt::format("expected {} channels, got {}", Site.Channels, Planned.Channels.size()));
    if (ArrayRef<int64_t>(Planned.Spatial) != ArrayRef<int64_t>(Site.Spatial))
      return makeError(Where + fmt::format("expected positions [{}], got [{}]", fmt::join(Site.Spatial, ", "),
                                           fmt::join(Planned.Spatial, ", ")));
    if (I > 0 && Found->second <= Previous)
      return makeError(Where + "it comes before site " + Twine(I - 1) + " in the model; sites must be in graph order");
    Previous = Found->second;
  }
  return Error::success();
}
