//===- Attributes.cpp - AttributeProto and Attribute ----------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Attributes.h"

#include "llvm/ADT/bit.h"

using namespace deepshare;
using namespace deepshare::onnx;

// The part of a tensor, in an attribute that stays opaque, that the import replaced: raw_data again.
static void restoreRawData(TensorProto &P, const TensorSource &Source) {
  if (!P.has_raw_data())
    return;
  llvm::ArrayRef<char> Bytes = *Source.Stripped.rawDataAt(P.raw_data());
  P.set_raw_data(Bytes.data(), Bytes.size());
}

static void restoreRawData(AttributeProto &P, const TensorSource &Source);

static void restoreRawData(GraphProto &P, const TensorSource &Source) {
  for (TensorProto &T : *P.mutable_initializer())
    restoreRawData(T, Source);
  for (NodeProto &N : *P.mutable_node())
    for (AttributeProto &A : *N.mutable_attribute())
      restoreRawData(A, Source);
}

static void restoreRawData(AttributeProto &P, const TensorSource &Source) {
  if (P.has_t())
    restoreRawData(*P.mutable_t(), Source);
  for (TensorProto &T : *P.mutable_tensors())
    restoreRawData(T, Source);
  if (P.has_g())
    restoreRawData(*P.mutable_g(), Source);
  for (GraphProto &G : *P.mutable_graphs())
    restoreRawData(G, Source);
}

static bool hasPayload(const AttributeProto &P) {
  return P.has_f() || P.has_i() || P.has_s() || P.has_t() || P.has_g() || P.has_sparse_tensor() || P.has_tp() ||
         P.floats_size() || P.ints_size() || P.strings_size() || P.tensors_size() || P.graphs_size() ||
         P.sparse_tensors_size() || P.type_protos_size();
}

static void clearPayload(AttributeProto &P) {
  P.clear_f();
  P.clear_i();
  P.clear_s();
  P.clear_t();
  P.clear_g();
  P.clear_sparse_tensor();
  P.clear_tp();
  P.clear_floats();
  P.clear_ints();
  P.clear_strings();
  P.clear_tensors();
  P.clear_graphs();
  P.clear_sparse_tensors();
  P.clear_type_protos();
}

// Reads the value of an attribute that is no reference and clears the field that holds it. Complete is cleared if a
// scalar stands for its default by being absent.
static llvm::Expected<AttributeValue> readValue(AttributeProto &P, const TensorSource &Source, GraphReader ReadGraph,
                                                bool &Complete) {
  AttributeValue Value = OpaqueAttribute{P.type()};
  switch (P.type()) {
  case AttributeProto::INT:
    Complete = P.has_i();
    Value = P.i();
    P.clear_i();
    break;
  case AttributeProto::FLOAT:
    Complete = P.has_f();
    Value = P.f();
    P.clear_f();
    break;
  case AttributeProto::STRING:
    Complete = P.has_s();
    Value = P.s();
    P.clear_s();
    break;
  case AttributeProto::INTS:
    Value = std::vector<int64_t>(P.ints().begin(), P.ints().end());
    P.clear_ints();
    break;
  case AttributeProto::FLOATS:
    Value = std::vector<float>(P.floats().begin(), P.floats().end());
    P.clear_floats();
    break;
  case AttributeProto::STRINGS:
    Value = std::vector<std::string>(P.strings().begin(), P.strings().end());
    P.clear_strings();
    break;
  case AttributeProto::TENSOR: {
    if (!P.has_t())
      break;
    llvm::Expected<Tensor> T = readTensor(*P.mutable_t(), P.name(), Source);
    if (!T)
      return T.takeError();
    Value = std::move(*T);
    P.clear_t();
    break;
  }
  case AttributeProto::TENSORS: {
    std::vector<Tensor> Tensors;
    for (TensorProto &Element : *P.mutable_tensors()) {
      llvm::Expected<Tensor> T = readTensor(Element, P.name(), Source);
      if (!T)
        return T.takeError();
      Tensors.push_back(std::move(*T));
    }
    Value = std::move(Tensors);
    P.clear_tensors();
    break;
  }
  case AttributeProto::GRAPH: {
    if (!P.has_g())
      break;
    llvm::Expected<std::unique_ptr<Graph>> G = ReadGraph(*P.mutable_g());
    if (!G)
      return G.takeError();
    Value = std::move(*G);
    P.clear_g();
    break;
  }
  case AttributeProto::GRAPHS: {
    std::vector<std::unique_ptr<Graph>> Graphs;
    for (GraphProto &Element : *P.mutable_graphs()) {
      llvm::Expected<std::unique_ptr<Graph>> G = ReadGraph(Element);
      if (!G)
        return G.takeError();
      Graphs.push_back(std::move(*G));
    }
    Value = std::move(Graphs);
    P.clear_graphs();
    break;
  }
  case AttributeProto::SPARSE_TENSOR:
    if (llvm::Error E = checkElementType(P.sparse_tensor().values().data_type(), P.name()))
      return E;
    break;
  case AttributeProto::SPARSE_TENSORS:
    for (const SparseTensorProto &Element : P.sparse_tensors())
      if (llvm::Error E = checkElementType(Element.values().data_type(), P.name()))
        return E;
    break;
  default:
    break;
  }
  return Value;
}

llvm::Expected<Attribute> deepshare::onnx::readAttribute(AttributeProto &P, const TensorSource &Source,
                                                         GraphReader ReadGraph) {
  Attribute A;
  A.Name = P.name();
  bool Complete = true;
  if (!P.ref_attr_name().empty()) {
    A.Value = AttributeReference{P.ref_attr_name(), P.type()};
    P.clear_ref_attr_name();
  } else {
    llvm::Expected<AttributeValue> Value = readValue(P, Source, ReadGraph, Complete);
    if (!Value)
      return Value.takeError();
    A.Value = std::move(*Value);
  }
  // The type stays where it tells the exporter that what else is in the remainder belongs to the value.
  if (Complete && !hasPayload(P))
    P.clear_type();
  if (!P.name().empty())
    P.clear_name();
  restoreRawData(P, Source);
  A.Unmodelled = remainder(P);
  return A;
}

namespace {
/// Sets the field of an AttributeProto for each kind of value; returns the attribute's type.
struct ValueWriter {
  AttributeProto &P;
  const TensorSink &Sink;
  GraphWriter WriteGraph;
  // An absent scalar stands for its default, and the value has not been changed since.
  bool KeepAbsent;

  void operator()(int64_t Value) {
    if (!KeepAbsent || Value != 0)
      P.set_i(Value);
  }
  void operator()(float Value) {
    if (!KeepAbsent || llvm::bit_cast<uint32_t>(Value) != 0)
      P.set_f(Value);
  }
  void operator()(const std::string &Value) {
    if (!KeepAbsent || !Value.empty())
      P.set_s(Value);
  }
  void operator()(const std::vector<int64_t> &Values) { P.mutable_ints()->Assign(Values.begin(), Values.end()); }
  void operator()(const std::vector<float> &Values) { P.mutable_floats()->Assign(Values.begin(), Values.end()); }
  void operator()(const std::vector<std::string> &Values) {
    for (const std::string &Value : Values)
      P.add_strings(Value);
  }
  void operator()(const Tensor &Value) { writeTensor(Value, *P.mutable_t(), Sink); }
  void operator()(const std::vector<Tensor> &Values) {
    for (const Tensor &Value : Values)
      writeTensor(Value, *P.add_tensors(), Sink);
  }
  void operator()(const std::unique_ptr<Graph> &Value) { WriteGraph(*Value, *P.mutable_g()); }
  void operator()(const std::vector<std::unique_ptr<Graph>> &Values) {
    for (const std::unique_ptr<Graph> &Value : Values)
      WriteGraph(*Value, *P.add_graphs());
  }
  void operator()(const OpaqueAttribute &) {}
  void operator()(const AttributeReference &Value) { P.set_ref_attr_name(Value.Name); }
};
} // namespace

int32_t deepshare::onnx::typeOf(const AttributeValue &Value) {
  if (const auto *Opaque = std::get_if<OpaqueAttribute>(&Value))
    return Opaque->Type;
  if (const auto *Reference = std::get_if<AttributeReference>(&Value))
    return Reference->Type;
  // In the order of AttributeValue's alternatives.
  static constexpr AttributeProto::AttributeType Types[] = {
      AttributeProto::INT,     AttributeProto::FLOAT, AttributeProto::STRING, AttributeProto::TENSOR,
      AttributeProto::GRAPH,   AttributeProto::INTS,  AttributeProto::FLOATS, AttributeProto::STRINGS,
      AttributeProto::TENSORS, AttributeProto::GRAPHS};
  return Types[Value.index()];
}

void deepshare::onnx::writeAttribute(const Attribute &A, AttributeProto &P, const TensorSink &Sink,
                                     GraphWriter WriteGraph) {
  restore(P, A.Unmodelled);
  if (P.name() != A.Name)
    P.set_name(A.Name);
  int32_t Type = typeOf(A.Value);
  bool Unchanged = P.has_type() && P.type() == Type;
  if (!Unchanged && !std::holds_alternative<OpaqueAttribute>(A.Value))
    clearPayload(P);
  if (P.type() != Type)
    P.set_type(static_cast<AttributeProto::AttributeType>(Type));
  std::visit(ValueWriter{P, Sink, WriteGraph, Unchanged}, A.Value);
}
