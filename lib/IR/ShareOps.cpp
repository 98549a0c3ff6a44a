//===- ShareOps.cpp - the operators of domain ai.deepshare ----------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/IR/ShareOps.h"

#include <algorithm>

using namespace deepshare;

bool deepshare::isDReLU(const Node &N) { return N.is("DReLU", ShareDomain); }
bool deepshare::isDReLUShare(const Node &N) { return N.is("DReLUShare", ShareDomain); }

namespace {
// ONNX's AttributeProto.AttributeType.
constexpr int32_t FloatsAttribute = 6;
constexpr int32_t IntsAttribute = 7;

/// Writes the body of a function, one node after the other.
class BodyBuilder {
public:
  explicit BodyBuilder(Graph &Body) : Body(Body) {}

  Value *node(llvm::StringRef OpType, llvm::ArrayRef<Value *> Inputs, llvm::StringRef Output) {
    return Body.insertNode(Body.end(), OpType, Inputs)->addOutput(Output);
  }
  Value *constant(llvm::StringRef Output, llvm::StringRef AttributeName, AttributeValue Payload) {
    Value *Made = node("Constant", {}, Output);
    Made->producer()->setAttribute(AttributeName, std::move(Payload));
    return Made;
  }
  Value *withAttribute(Value *Of, llvm::StringRef AttributeName, AttributeValue Payload) {
    Of->producer()->setAttribute(AttributeName, std::move(Payload));
    return Of;
  }

private:
  Graph &Body;
};
} // namespace

/// A function has a fixed number of inputs: each number of masks has an overload.
static std::string shareOverload(size_t MaskCount) { return "m" + std::to_string(MaskCount); }

static Function makeFunction(Model &M, llvm::StringRef Name, llvm::StringRef Overload) {
  Function F;
  F.Domain = ShareDomain.str();
  F.Name = Name.str();
  F.Overload = Overload.str();
  F.Opsets = {{"", M.opsetVersion()}};
  F.Body = std::make_unique<Graph>(M);
  return F;
}

/// M = X > 0, or the same of the mean of each tile.
static Function makeDReLU(Model &M, bool WithBlock) {
  Function F = makeFunction(M, "DReLU", WithBlock ? "block" : "");
  BodyBuilder B(*F.Body);
  Value *Compared = F.Body->addInput("X", std::nullopt);
  if (WithBlock) {
    F.AttributeNames = {"block"};
    Compared = B.node("AveragePool", {Compared}, "mean");
    B.withAttribute(Compared, "kernel_shape", AttributeReference{"block", IntsAttribute});
    B.withAttribute(Compared, "strides", AttributeReference{"block", IntsAttribute});
    B.withAttribute(Compared, "ceil_mode", int64_t(1));
  }
  Value *Zero = B.constant("zero", "value_float", 0.0f);
  F.Body->addOutput(B.node("Greater", {Compared, Zero}, "M"));
  return F;
}

/// Y = X * Where(Gather(Concat(M1..Mk), max(mask, 0)), on, off), on and off seen as [C, 1, ..., 1]. Where mask is -1
/// the two slopes are equal, so that it does not matter which bit is gathered.
static Function makeDReLUShare(Model &M, unsigned MaskCount) {
  Function F = makeFunction(M, "DReLUShare", shareOverload(MaskCount));
  F.AttributeNames = {"mask", "on", "off"};
  BodyBuilder B(*F.Body);
  Value *X = F.Body->addInput("X", std::nullopt);
  llvm::SmallVector<Value *, 4> Masks;
  for (unsigned I = 1; I <= MaskCount; ++I)
    Masks.push_back(F.Body->addInput("M" + std::to_string(I), std::nullopt));
  Value *All = B.withAttribute(B.node("Concat", Masks, "masks"), "axis", int64_t(1));
  Value *Index = B.constant("index", "value_ints", AttributeReference{"mask", IntsAttribute});
  Value *Zero = B.constant("zero", "value_int", int64_t(0));
  Value *Valid = B.node("Max", {Index, Zero}, "valid_index");
  Value *Bits = B.withAttribute(B.node("Gather", {All, Valid}, "bits"), "axis", int64_t(1));
  // The shape [C, 1, ..., 1] that broadcasts a slope per channel over X.
  Value *Rank = B.node("Shape", {B.node("Shape", {X}, "x_shape")}, "x_rank");
  Value *Two = B.constant("two", "value_ints", std::vector<int64_t>{2});
  Value *Trailing = B.node("Sub", {Rank, Two}, "trailing");
  Value *Ones =
      B.withAttribute(B.node("ConstantOfShape", {Trailing}, "ones"), "value", Tensor::of<int64_t>({1}, {int64_t(1)}));
  Value *Channels = B.node("Shape", {Index}, "channels");
  Value *SlopeShape = B.withAttribute(B.node("Concat", {Channels, Ones}, "slope_shape"), "axis", int64_t(0));
  auto MakeSlope = [&](llvm::StringRef Name) {
    Value *Flat = B.constant((Name + "_flat").str(), "value_floats", AttributeReference{Name.str(), FloatsAttribute});
    return B.node("Reshape", {Flat, SlopeShape}, Name);
  };
  Value *On = MakeSlope("on");
  Value *Off = MakeSlope("off");
  Value *Slope = B.node("Where", {Bits, On, Off}, "slope");
  F.Body->addOutput(B.node("Mul", {X, Slope}, "Y"));
  return F;
}

static void addFunction(Model &M, const Node &Caller, llvm::function_ref<Function()> Make) {
  assert(M.opsetVersion() >= ShareOpsMinOpset && "the bodies need a later opset");
  if (M.function(Caller))
    return;
  M.functions().push_back(Make());
  M.addOpset(ShareDomain, ShareDomainVersion);
  M.setIRVersion(std::max<int64_t>(M.irVersion(), 10));
}

static TensorType maskType(const Value &X, unsigned Block) {
  TensorType Type{ElementType::Bool, std::nullopt};
  if (!X.type() || !X.type()->Dims)
    return Type;
  Type.Dims = X.type()->Dims;
  for (unsigned Axis = 2; Axis < Type.Dims->size() && Block > 1; ++Axis)
    if (Dim &D = (*Type.Dims)[Axis]; D.isFixed())
      D = Dim::fixed((D.size() + Block - 1) / Block);
  return Type;
}

Value *deepshare::insertDReLU(Graph::iterator Before, Value *X, unsigned Block, const llvm::Twine &Name) {
  Graph &G = *X->parent();
  Value *Mask = G.insert(Before, "DReLU", {X}, Name, ShareDomain);
  Mask->setType(maskType(*X, Block));
  Node &N = *Mask->producer();
  if (Block > 1) {
    N.setOverload("block");
    N.setAttribute("block", std::vector<int64_t>(X->type()->Dims->size() - 2, Block));
  }
  addFunction(G.model(), N, [&] { return makeDReLU(G.model(), Block > 1); });
  return Mask;
}

Value *deepshare::insertDReLUShare(Graph::iterator Before, Value *X, llvm::ArrayRef<Value *> Masks,
                                   llvm::ArrayRef<int64_t> MaskIndex, llvm::ArrayRef<float> On,
                                   llvm::ArrayRef<float> Off, const llvm::Twine &Name) {
  assert(!Masks.empty() && "without masks there is no gate");
  Graph &G = *X->parent();
  llvm::SmallVector<Value *, 4> Inputs{X};
  llvm::append_range(Inputs, Masks);
  Value *Y = G.insert(Before, "DReLUShare", Inputs, Name, ShareDomain);
  Y->setType(X->type());
  Node &N = *Y->producer();
  N.setOverload(shareOverload(Masks.size()));
  N.setAttribute("mask", MaskIndex.vec());
  N.setAttribute("on", On.vec());
  N.setAttribute("off", Off.vec());
  addFunction(G.model(), N, [&] { return makeDReLUShare(G.model(), Masks.size()); });
  return Y;
}
