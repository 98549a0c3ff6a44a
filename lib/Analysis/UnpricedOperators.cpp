//===- UnpricedOperators.cpp - what no cost model has a price for ---------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Cost models price comparisons, muxes, truncations and linear layers. What else is not linear in secret numbers
// (exponentials, roots, divisions by them, products of two of them) is approximated by each framework in its own way.
// It is named, with the elements that it makes, so that nobody takes the report for the whole.
//
// Integer data is public. A product with bits is a mux, which is a gate site.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Analysis/UnpricedOperators.h"

#include "BatchAxis.h"

#include "deepshare/Analysis/GateForms.h"
#include "deepshare/IR/ShareOps.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSwitch.h"

using namespace deepshare;
using llvm::StringRef;

/// True for operators of ONNX's own domain that are linear, that move numbers without looking at them, and for those
/// that gates are made of: of some in their usual form, see looksAtSecrets().
static bool isPricedOrFree(StringRef Type) {
  return llvm::StringSwitch<bool>(Type)
      .Cases("Add", "Sub", "Neg", "Sum", "Mean", "Mul", "Div", "Gemm", "MatMul", true)
      .Cases("Einsum", "Conv", "ConvTranspose", "BatchNormalization", "AveragePool", "GlobalAveragePool", true)
      .Cases("ReduceMean", "ReduceSum", "CumSum", "DFT", "STFT", "AffineGrid", "GridSample", "RoiAlign", true)
      .Cases("Col2Im", "Resize", "Upsample", "RotaryEmbedding", "DequantizeLinear", true)
      .Cases("Identity", "Dropout", "Cast", "CastLike", "Reshape", "Flatten", "Squeeze", "Unsqueeze", true)
      .Cases("Transpose", "Expand", "Tile", "Pad", "Trilu", "Concat", "Split", "Slice", "Compress", true)
      .Cases("CenterCropPad", "DepthToSpace", "SpaceToDepth", "ReverseSequence", "MaxUnpool", "OneHot", true)
      .Cases("Gather", "GatherElements", "GatherND", true)
      .Cases("Scatter", "ScatterElements", "ScatterND", "TensorScatter", true)
      .Cases("SequenceConstruct", "SequenceInsert", "SequenceErase", "SequenceAt", "SequenceLength", true)
      .Cases("ConcatFromSequence", "SplitToSequence", "SequenceMap", true)
      .Cases("Optional", "OptionalGetElement", "OptionalHasElement", "If", "Loop", "Scan", true)
      .Cases("Shape", "Size", "Range", "EyeLike", "RandomNormalLike", "RandomUniformLike", true)
      .Cases("Relu", "LeakyRelu", "PRelu", "ThresholdedRelu", "Clip", "HardSigmoid", "HardSwish", "Abs", true)
      .Cases("Sign", "Max", "Min", "ReduceMax", "ReduceMin", "MaxPool", "GlobalMaxPool", true)
      .Cases("ArgMax", "ArgMin", "TopK", "Where", "Equal", "Less", "LessOrEqual", true)
      .Cases("Greater", "GreaterOrEqual", "Not", "And", "Or", "Xor", true)
      .Default(false);
}

/// Elements for one image; 0 where the shape is not known.
static uint64_t elementsOf(const Value *V, const BatchAxis &Batch) {
  if (!V->type() || !V->type()->Dims)
    return 0;
  llvm::ArrayRef<Dim> Dims = *V->type()->Dims;
  double Elements = Dims.empty() ? 1 : Batch.rowsOfImage(Dims.front());
  for (const Dim &Size : Dims.drop_front(Dims.empty() ? 0 : 1))
    Elements *= Size.isFixed() ? Size.size() : 0;
  return Elements <= 0x1p40 ? static_cast<uint64_t>(Elements) : 0;
}

namespace {
class Finder {
public:
  explicit Finder(const Model &M) : M(M), Batch(M) {}

  llvm::DenseSet<const Node *> Priced;
  std::vector<UnpricedOperator> Found; ///< each name once, as they come

  void visit(const Graph &G) {
    for (const Node &N : G) {
      if (isPublic(N))
        Public.insert(N.outputs().begin(), N.outputs().end());
      else if (std::string Name = Priced.contains(&N) ? "" : unpricedName(N); !Name.empty())
        add(N, Name);
      for (const Graph *Body : N.subgraphs())
        visit(*Body);
    }
  }

private:
  void add(const Node &N, const std::string &Name) {
    auto Entry = llvm::find_if(Found, [&](const UnpricedOperator &Each) { return Each.Name == Name; });
    if (Entry == Found.end()) {
      Found.emplace_back();
      Entry = std::prev(Found.end());
      Entry->Name = Name;
    }
    ++Entry->Nodes;
    for (const Value *Output : N.outputs())
      Entry->Elements += elementsOf(Output, Batch);
  }

  bool isKnown(const Value *V) const { return isConstant(V) || Public.contains(V); }

  /// True if the outputs of \p N say nothing about the inputs of the graph: exporters compute constants and shapes.
  bool isPublic(const Node &N) const {
    return N.subgraphs().empty() && (N.is("Shape") || N.is("Size") || (N.is("CastLike") && isKnown(N.input(0))) ||
                                     llvm::all_of(N.inputs(), [&](const Value *V) { return isKnown(V); }));
  }

  /// False for integers.
  bool isSecret(const Value *V) const { return !isKnown(V) && (!V->type() || isFloatingPoint(V->type()->Element)); }

  unsigned secretsOf(const Node &N) const {
    return llvm::count_if(N.inputs(), [&](const Value *V) { return isSecret(V); });
  }

  /// True if \p N, of an operator that is mostly linear, has a form that is not: an operand that it must know is
  /// secret, or an attribute asks for more.
  bool looksAtSecrets(const Node &N) const {
    auto IsSecret = [&](unsigned Index) { return Index < N.numInputs() && isSecret(N.input(Index)); };
    StringRef Type = N.opType();
    if (Type == "BatchNormalization")
      return !isInferenceNormalization(N) || IsSecret(1) || IsSecret(4);
    if (Type == "Cast")
      return IsSecret(0) && !isSecret(N.output());
    if (Type == "ScatterElements" || Type == "ScatterND") {
      std::string Reduction = N.stringAttribute("reduction", "none");
      return Reduction != "none" && Reduction != "add";
    }
    if (Type == "RoiAlign")
      return IsSecret(1) || N.stringAttribute("mode", "avg") == "max";
    if (Type == "RotaryEmbedding")
      return IsSecret(1) || IsSecret(2);
    if (Type == "STFT")
      return IsSecret(2);
    if (Type == "OneHot")
      return IsSecret(0);
    return (Type == "Div" || Type == "GridSample") && IsSecret(1);
  }

  /// What the report calls the operator of \p N; empty if it is priced, or free. What is in an operator that is neither
  /// ONNX's nor a function, nobody can tell: a com.microsoft.FusedConv may hold a gate.
  std::string unpricedName(const Node &N) const {
    if (secretsOf(N) == 0 || N.domain() == ShareDomain || M.function(N))
      return "";
    if (!N.domain().empty())
      return (N.domain() + "." + N.opType()).str();
    if ((N.is("Mul") || N.is("Einsum")) && secretsOf(N) > 1)
      return (N.opType() + " of two values").str();
    return isPricedOrFree(N.opType()) && !looksAtSecrets(N) ? "" : N.opType().str();
  }

  const Model &M;
  BatchAxis Batch;
  llvm::DenseSet<const Value *> Public; ///< what is computed from constants and shapes
};
} // namespace

std::vector<UnpricedOperator> deepshare::findUnpricedOperators(const Model &M, llvm::ArrayRef<GateSite> Sites) {
  Finder Search(M);
  for (const GateSite &Site : Sites)
    // The exponential beside the comparison has no price.
    if (Site.Kind != GateKind::Elu)
      Search.Priced.insert(Site.Gate);
  Search.visit(M.graph());
  for (const Function &F : M.functions())
    if (F.Domain != ShareDomain)
      Search.visit(*F.Body);
  return std::move(Search.Found);
}
