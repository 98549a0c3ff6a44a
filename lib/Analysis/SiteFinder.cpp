//===- SiteFinder.cpp - walks graphs and collects gate sites -------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// One walk over the graph in order, into subgraphs and the functions that are called; GateKinds.cpp says what of a node
// is a gate. Integer data (the shape computations of exporters) is public and not counted.
//
//===----------------------------------------------------------------------===//

#include "SiteFinder.h"

#include "deepshare/Analysis/ScaleFolding.h"

#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/SaveAndRestore.h"

using namespace deepshare;
using llvm::ArrayRef;
using llvm::Error;
using llvm::Expected;

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

/// Where \p N, which made a tensor of \p Rank, puts its channels; nothing if it is no layer.
static std::optional<unsigned> layerChannelAxis(const Node &N, unsigned Rank) {
  llvm::StringRef Type = N.domain().empty() ? N.opType() : "";
  if (Type == "MatMul" || Type == "LayerNormalization")
    return Rank - 1;
  if (llvm::StringSwitch<bool>(Type)
          .Cases("Conv", "ConvTranspose", "BatchNormalization", "InstanceNormalization", "GroupNormalization", true)
          .Cases("MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool", true)
          .Default(false))
    return 1;
  return std::nullopt;
}

/// Channel axis of a tensor of \p Rank: that of the layer that made it (the last for MatMul, [N,T,C], and for what is
/// normalised over the last axis; 1 for convolutions), if only elementwise nodes and transpositions stand between,
/// else 1.
static unsigned channelAxis(const Value *V, unsigned Rank) {
  if (Rank < 3)
    return Rank == 2 ? 1 : 0;
  llvm::SmallVector<const Node *, 2> Transpositions; // from V to the layer
  for (unsigned Steps = 0; V && V->producer() && Steps < 16; ++Steps) {
    const Node &N = *V->producer();
    if (std::optional<unsigned> Axis = layerChannelAxis(N, Rank)) {
      for (const Node *Transposition : llvm::reverse(Transpositions)) {
        std::vector<int64_t> Order = Transposition->intsAttribute("perm");
        if (Order.size() != Rank)
          return 1;
        Axis = llvm::find(Order, int64_t(*Axis)) - Order.begin();
      }
      return *Axis > 0 && *Axis < Rank ? *Axis : 1;
    }
    bool IsElementwise = llvm::StringSwitch<bool>(N.domain().empty() ? N.opType() : "")
                             .Cases("Add", "Sub", "Mul", "Div", "Identity", "Dropout", "Cast", true)
                             .Cases("Relu", "LeakyRelu", "PRelu", "Abs", "Min", "Max", "Clip", true)
                             .Default(false);
    if (N.is("Transpose"))
      Transpositions.push_back(&N);
    else if (!IsElementwise)
      return 1;
    V = isConstant(N.input(0)) ? N.input(1) : N.input(0);
  }
  return 1;
}

Expected<std::vector<GateSite>> deepshare::findGateSites(Model &M) {
  SiteFinder Finder(M);
  if (Error Failed = Finder.visitGraph(M.graph()))
    return Failed;
  // A Where stands beside the products that are its sides, which scales would have to reach too.
  for (GateSite &Site : Finder.Sites)
    Site.FoldsScale = (Site.isShareable() || Site.CanAverage) && Site.Kind != GateKind::Where &&
                      !findScalableLayers(*Site.Gate).empty();
  return std::move(Finder.Sites);
}

Error SiteFinder::visitGraph(Graph &G) {
  for (Node &N : G) {
    if (Error Failed = visit(N))
      return Failed;
    if (Error Failed = visitSubgraphs(N))
      return Failed;
  }
  return Error::success();
}

/// How often the body of \p N runs each time that N does: a Loop's greatest number of trips (whether it ends before is
/// not known), the length of what a Scan reads. 1 for an If, and where that is not known: exporters write while as a
/// Loop of as many trips as there are numbers.
uint64_t SiteFinder::tripsOf(const Node &N) const {
  constexpr int64_t Unbounded = INT32_MAX;
  int64_t Count = 1;
  if (N.is("Loop")) {
    Count = N.numInputs() > 1 && booleanConstant(N.input(1)) == false ? 0 : integerConstant(N.input(0)).value_or(1);
  } else if (N.is("Scan")) {
    int64_t Read = N.intAttribute("num_scan_inputs", 0);
    std::vector<int64_t> Axes = N.intsAttribute("scan_input_axes");
    // Before opset 9 a Scan's first input was the lengths of sequences.
    if (Read < 1 || Read > N.numInputs() || M.opsetVersion() < 9)
      return 1;
    const TensorType *Type = N.input(N.numInputs() - Read) ? typeOf(N.input(N.numInputs() - Read)) : nullptr;
    int64_t Rank = Type ? Type->rank().value_or(0) : 0, Axis = Axes.empty() ? 0 : Axes.front();
    Axis += Axis < 0 ? Rank : 0;
    if (Axis >= 0 && Axis < Rank && (*Type->Dims)[Axis].isFixed())
      Count = (*Type->Dims)[Axis].size();
  }
  return Count < Unbounded ? std::max<int64_t>(Count, 0) : 1;
}

Error SiteFinder::visitSubgraphs(Node &N) {
  llvm::SaveAndRestore Outer(Trips, llvm::SaturatingMultiply(Trips, tripsOf(N)));
  for (Graph *Inner : N.subgraphs())
    if (Error Failed = visitGraph(*Inner))
      return Failed;
  return Error::success();
}

/// Enters a function's body with the types of the call. Inside, types spread through elementwise nodes; a gate whose
/// shape stays unknown is an error.
Error SiteFinder::visitCall(Node &Call, const Function &F) {
  llvm::SaveAndRestore Outer(Prefix, Prefix + Call.displayName().str() + "/");
  llvm::SaveAndRestore OuterTypes(InnerTypes, InnerTypes);
  auto OuterBits = Bits;
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
      OuterBits.insert(Call.output(I));
  Bits = std::move(OuterBits);
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
  return !Type || isFloatingPoint(Type->Element);
}

//===----------------------------------------------------------------------===//
// Sites
//===----------------------------------------------------------------------===//

/// Bounds that no network comes near. Counts stay far from overflow, and there is room for an entry a channel or
/// position along an axis.
bool SiteFinder::isPlausible(ArrayRef<Dim> Dims) const {
  constexpr int64_t MaxSize = int64_t(1) << 24, MaxElements = int64_t(1) << 40;
  int64_t Elements = 1;
  return llvm::all_of(Dims, [&](const Dim &Size) {
    int64_t Number = Batch.sizeForOne(Size);
    return Number <= MaxSize && (Elements *= std::max<int64_t>(Number, 1)) <= MaxElements;
  });
}

/// Counts stay far from overflow, whatever is added up.
Error SiteFinder::checkCount(const Node &N, double Count) const {
  if (Count <= 0x1p56)
    return Error::success();
  return nodeError(N, "it compares more than 2^56 times, in " + llvm::Twine(Trips) + " trips of the loops around it");
}

/// What an error says of where unknown sizes come from, for a node whose output has some: "; the first unknown ones are
/// those of node 'c' (Conv)".
std::string SiteFinder::originOfUnknown(const Node &N) const {
  auto IsUnknown = [&](const Value *V) {
    if (!V || V->isInitializer())
      return false;
    const TensorType *Type = typeOf(V);
    return !Type || !Type->Dims || (Type->Dims->size() > 1 && !Type->isStatic(1));
  };
  const Node *First = &N;
  while (true) {
    auto Found = llvm::find_if(First->inputs(), IsUnknown);
    if (Found == First->inputs().end() || (!(*Found)->producer() && (*Found)->parent() != &M.graph()))
      break;
    if (!(*Found)->producer())
      return ("; those of input '" + (*Found)->name() + "' are not: export the model for images of one size").str();
    First = (*Found)->producer();
  }
  if (First == &N)
    return "";
  return ("; the first unknown ones are those of node '" + First->displayName() + "' (" + First->opType() + ")").str();
}

Expected<GateSite *> SiteFinder::addSite(Node &N, GateKind Kind, Value *Input, ElementCost PerElement) {
  Value *Output = N.output();
  const TensorType *Type = typeOf(Output);
  if (!Type)
    Type = typeOf(Input);
  if (!Type || !Type->Dims || (Type->Dims->size() > 1 && !Type->isStatic(1)))
    return nodeError(N, "the shape of its output '" + Prefix + Output->name() + "' is " +
                            (Type && Type->Dims ? Type->str() : std::string("unknown")) +
                            ", expected all sizes but the batch to be known" + originOfUnknown(N));
  ArrayRef<Dim> Dims = *Type->Dims;
  if (!isPlausible(Dims))
    return nodeError(N, "the shape of its output '" + Prefix + Output->name() + "' is " + Type->str() +
                            ", expected sizes of at most 2^24 and 2^40 elements");
  GateSite Site;
  Site.Name = Prefix + Output->name().str();
  Site.Kind = Kind;
  Site.Gate = &N;
  Site.Input = Input;
  Site.Output = Output;
  Site.Depth = std::min<uint64_t>(llvm::SaturatingMultiply<uint64_t>(PerElement.Depth, Trips), UINT_MAX);
  Site.ChannelAxis = channelAxis(Input, Dims.size());
  Site.Channels = 1;
  uint64_t Elements = 1;
  for (auto [Axis, Size] : llvm::enumerate(Dims)) {
    bool IsBatch = Axis == 0 && Dims.size() > 1;
    Elements *= Batch.sizeForOne(Size);
    if (!Size.isFixed())
      continue; // the batch
    if (Axis == Site.ChannelAxis)
      Site.Channels = Size.size();
    else if (!IsBatch)
      Site.Spatial.push_back(Size.size());
  }
  Site.HasUnknownRows = !Dims.empty() && !Batch.isKnown(Dims.front());
  // A first size that is more than the batch (images cut into windows) multiplies the work of an image.
  if (!Dims.empty() && Dims.front().isFixed())
    Elements = llvm::divideCeil(Elements, uint64_t(Batch.images()));
  if (Error Failed =
          checkCount(N, double(Elements) * double(PerElement.Comparisons + PerElement.Muxes) * double(Trips)))
    return Failed;
  Site.DReLUs = Elements * PerElement.Comparisons * Trips;
  Site.Muxes = Elements * PerElement.Muxes * Trips;
  Sites.push_back(std::move(Site));
  return &Sites.back();
}

Error SiteFinder::addSloped(Node &N, GateKind Kind, Value *Input, std::optional<Slopes> Same, ElementCost PerElement) {
  Expected<GateSite *> Site = addSite(N, Kind, Input, PerElement);
  if (!Site)
    return Site.takeError();
  (*Site)->Obstacle = Same ? placeObstacle(**Site) : formObstacle(Kind);
  if ((*Site)->Obstacle.empty()) {
    (*Site)->SlopeOn.assign((*Site)->Channels, Same->On);
    (*Site)->SlopeOff.assign((*Site)->Channels, Same->Off);
  }
  return Error::success();
}

/// Channels are shared along axis 1 (DReLUShare), in float32, one image after the other.
llvm::StringRef SiteFinder::placeObstacle(const GateSite &Site) const {
  const TensorType *Type = typeOf(Site.Output);
  if (!Prefix.empty())
    return "is inside a function";
  if (Site.Gate->parent() != &M.graph())
    return "is inside a subgraph";
  if (Site.ChannelAxis != 1 || !Type || !Type->Dims || Type->Dims->size() < 2)
    return "has no channels on axis 1";
  if (Type->Element != ElementType::Float32 || !isSecretFloat(Site.Input))
    return "is not of float32";
  if (Site.Channels < 1 || Site.positions() < 1)
    return "has no elements";
  // The output may have a declared type where inference does not get to the input; and a constant may broadcast.
  const TensorType *Compared = typeOf(Site.Input);
  if (!Compared || !Compared->Dims || Compared->Dims->empty() ||
      ArrayRef(*Compared->Dims).drop_front() != ArrayRef(*Type->Dims).drop_front())
    return "compares a tensor whose shape is unknown or not that of the output";
  if (!Batch.mayBeBatch(Type->Dims->front()))
    return "has more rows than the batch has images";
  return "";
}
