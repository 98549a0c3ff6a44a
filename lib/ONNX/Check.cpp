//===- Check.cpp - ONNX's shape inference and checker ---------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "BatchSizes.h"
#include "Exporter.h"
#include "LoopShapes.h"
#include "Types.h"

#include "deepshare/ONNX/ONNX.h"

#include "onnx/checker.h"
#include "onnx/shape_inference/implementation.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"

#include <fmt/format.h>

using namespace deepshare;
using namespace deepshare::onnx;

// Shape inference reads the elements of small constants only (shapes, axes, scales).
static constexpr size_t LargestNeeded = 4096;

// Operators older than this broadcast and infer differently; nothing in DeepShare knows them.
static constexpr int64_t OldestOpset = 7;

// \p New with the names that sizes had before: inference invents names, and sometimes others each time.
static TensorType keepNames(const std::optional<TensorType> &Old, TensorType New) {
  if (Old && Old->Dims && New.Dims && Old->Dims->size() == New.Dims->size())
    for (auto [Known, Size] : llvm::zip_equal(*Old->Dims, *New.Dims))
      if (Known.isSymbolic() && !Size.isFixed())
        Size = Known;
  return New;
}

// Gives the values of \p G the types that ONNX stored in \p P. Subgraphs stand in both in the same order.
static void takeTypes(Graph &G, const GraphProto &P) {
  llvm::StringMap<const TypeProto *> Types;
  for (const ValueInfoProto &Info : P.value_info())
    Types[Info.name()] = &Info.type();
  for (const ValueInfoProto &Info : P.output())
    Types[Info.name()] = &Info.type();
  int NodeIndex = 0;
  for (Node &N : G) {
    for (Value *Output : N.outputs())
      if (const TypeProto *Found = Types.lookup(Output->name()))
        if (std::optional<TensorType> T = readType(*Found))
          Output->setType(keepNames(Output->type(), std::move(*T)));
    const NodeProto &NP = P.node(NodeIndex++);
    llvm::SmallVector<const GraphProto *, 2> Bodies;
    for (const AttributeProto &A : NP.attribute()) {
      // A graph beside a reference, or in an attribute of another type, is none of the IR's.
      if (!A.ref_attr_name().empty())
        continue;
      if (A.type() == AttributeProto::GRAPH && A.has_g())
        Bodies.push_back(&A.g());
      if (A.type() == AttributeProto::GRAPHS)
        for (const GraphProto &Body : A.graphs())
          Bodies.push_back(&Body);
    }
    llvm::SmallVector<Graph *, 2> Subgraphs = N.subgraphs();
    assert(Bodies.size() == Subgraphs.size() && "the exporter writes every subgraph");
    for (size_t I = 0; I < Bodies.size(); ++I)
      takeTypes(*Subgraphs[I], *Bodies[I]);
  }
}

// Shape inference names a node by its name only.
static void nameNodes(GraphProto &P) {
  for (NodeProto &N : *P.mutable_node()) {
    for (const std::string &Output : N.output())
      if (N.name().empty())
        N.set_name(Output);
    for (AttributeProto &A : *N.mutable_attribute())
      if (A.has_g())
        nameNodes(*A.mutable_g());
  }
}

// Reasons of the ONNX library that speak of types that contradict each other or an attribute; the first letter of some
// is a capital or not.
static constexpr llvm::StringLiteral Contradictions[] = {" differ",
                                                         " has inconsistent type ",
                                                         "ncompatible dimensions",
                                                         "nvalid attribute",
                                                         " has incorrect size",
                                                         " in unification between ",
                                                         "nteger overflow while ",
                                                         ": incompatible shapes",
                                                         " the same elem type",
                                                         "type case mismatch",
                                                         "must be 1 instead of"};

// The line of a strict inference's message that speaks of types that contradict each other, in our words; empty if
// there is none. All else that strict inference refuses is something that the library cannot infer: not an error.
static std::string findContradiction(llvm::StringRef Message) {
  llvm::SmallVector<llvm::StringRef> Lines;
  Message.split(Lines, '\n');
  for (llvm::StringRef Line : Lines) {
    // "(op_type:Add, node name: sum): [ShapeInferenceError] reason"; the innermost node comes last.
    size_t Start = Line.rfind("(op_type:");
    auto [Head, Reason] = Line.substr(Start == llvm::StringRef::npos ? Line.size() : Start + 9).split("): ");
    if (Reason.empty())
      Reason = Line;
    if (llvm::none_of(Contradictions, [&](llvm::StringRef Words) { return Reason.contains(Words); }))
      continue;
    if (Head.empty())
      return Line.str();
    if (Reason.starts_with("["))
      Reason = Reason.split("] ").second;
    auto [Type, Name] = Head.split(", node name: ");
    return fmt::format("node '{}' ({}): {}", Name.str(), Type.str(), Reason.str());
  }
  return "";
}

// Runs the library's inference on \p P.
static llvm::Error infer(ModelProto &P, bool Strict) {
  try {
    ShapeInferenceOptions Options(/*check_type=*/Strict, /*strict_mode=*/Strict, /*data_prop=*/true);
    shape_inference::InferShapes(P, OpSchemaRegistry::Instance(), Options);
  } catch (const std::exception &E) {
    return llvm::createStringError(llvm::StringRef(E.what()).trim());
  }
  return llvm::Error::success();
}

static void exportTypes(const Model &M, ModelProto &P) {
  TensorSink Sink;
  Sink.LargestKept = LargestNeeded;
  exportModel(M, P, Sink);
  nameNodes(*P.mutable_graph());
}

// Gives all values of \p M the types that the library infers. A contradiction is an error if \p Strict, else what the
// node computes has no type.
static llvm::Error inferTypes(Model &M, bool Strict) {
  ModelProto P;
  exportTypes(M, P);
  llvm::Error Failed = infer(P, Strict);
  if (Failed && Strict) {
    std::string Contradiction = findContradiction(llvm::toString(std::move(Failed)));
    if (!Contradiction.empty())
      return llvm::createStringError("cannot infer shapes: " + Contradiction);
    exportTypes(M, P);
    Failed = infer(P, /*Strict=*/false);
  }
  if (Failed)
    return llvm::createStringError("cannot infer shapes: " + llvm::toString(std::move(Failed)));
  takeTypes(M.graph(), P.graph());
  return llvm::Error::success();
}

// The same, and what Loops carry.
static llvm::Error inferAll(Model &M, bool Strict) {
  if (llvm::Error E = inferTypes(M, Strict))
    return E;
  return inferLoopShapes(M, [&] { return inferTypes(M, Strict); });
}

llvm::Error deepshare::inferShapes(Model &M) {
  int64_t Opset = M.opsetVersion();
  if (Opset && Opset < OldestOpset)
    return llvm::createStringError(
        fmt::format("expected ONNX operator set {} or later, got {}; convert the model with onnx.version_converter",
                    OldestOpset, Opset));
  if (int64_t Newest = OpSchemaRegistry::DomainToVersionRange::Instance().Map().at("").second; Opset > Newest)
    return llvm::createStringError(
        fmt::format("expected ONNX operator set {} or earlier, which are those that are known, got {}", Newest, Opset));
  return inferWithBatches(M, inferAll);
}

llvm::Error deepshare::checkModel(const Model &M) {
  ModelProto P;
  exportModel(M, P, {});
  try {
    checker::check_model(P);
  } catch (const std::exception &E) {
    return llvm::createStringError(
        fmt::format("ONNX's checker refuses the model: {}", llvm::StringRef(E.what()).trim().str()));
  }
  return llvm::Error::success();
}
