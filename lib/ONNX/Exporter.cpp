//===- Exporter.cpp - IR to ModelProto ------------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// The importer's mirror image: parse what unmodelled() kept, then set the modelled fields (see Proto.h).
//
//===----------------------------------------------------------------------===//

#include "Exporter.h"
#include "Attributes.h"
#include "Importer.h"
#include "Types.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/StringMap.h"

using namespace deepshare;
using namespace deepshare::onnx;

namespace {
class Exporter {
public:
  explicit Exporter(const TensorSink &Sink) : Sink(Sink) {}

  void exportModel(const Model &M, ModelProto &P);
  void exportNode(const Node &N, NodeProto &P);

private:
  void exportFunction(const Function &F, FunctionProto &P);
  void exportGraph(const Graph &G, GraphProto &P);
  void exportInitializers(const Graph &G, GraphProto &P);
  void exportOutputs(const Graph &G, GraphProto &P);
  void exportAttribute(const Attribute &A, AttributeProto &P) {
    writeAttribute(A, P, Sink, [this](const Graph &G, GraphProto &GP) { exportGraph(G, GP); });
  }

  const TensorSink &Sink;
};
} // namespace

// Rewrites the imports to those of \p Opsets. Entries of the same domain, first to first, keep their form.
static void writeOpsets(llvm::ArrayRef<OpsetImport> Opsets,
                        google::protobuf::RepeatedPtrField<OperatorSetIdProto> &Imports) {
  google::protobuf::RepeatedPtrField<OperatorSetIdProto> Old;
  Old.Swap(&Imports);
  llvm::SmallVector<bool, 4> Used(Old.size(), false);
  for (const OpsetImport &Wanted : Opsets) {
    OperatorSetIdProto &Import = *Imports.Add();
    Import.set_domain(Wanted.Domain);
    for (int I = 0; I < Old.size(); ++I)
      if (!Used[I] && canonicalDomain(Old[I].domain()) == Wanted.Domain) {
        Used[I] = true;
        Import.Swap(&Old[I]);
        break;
      }
    if (Import.version() != Wanted.Version)
      Import.set_version(Wanted.Version);
  }
}

// Replaces the marked entries of an import by those of today's values, and appends what \p Values know beyond them.
static void writeValueInfo(llvm::ArrayRef<const Value *> Values,
                           google::protobuf::RepeatedPtrField<ValueInfoProto> &Infos) {
  llvm::StringMap<const Value *> ByName;
  for (const Value *V : Values)
    ByName[V->name()] = V;
  google::protobuf::RepeatedPtrField<ValueInfoProto> Marked;
  Marked.Swap(&Infos);
  llvm::DenseSet<const Value *> Written;
  for (ValueInfoProto &Info : Marked) {
    if (Info.name().empty()) {
      Infos.Add(std::move(Info));
      continue;
    }
    std::string Name = Info.name().substr(1);
    if (Info.name()[0] == MarkWhole) {
      Info.set_name(Name);
      Infos.Add(std::move(Info));
    } else if (const Value *V = ByName.lookup(Name)) {
      writeValueInfo(*V, *Infos.Add());
      Written.insert(V);
    }
  }
  for (const Value *V : Values)
    if ((V->type() || !V->unmodelled().empty()) && !Written.contains(V))
      writeValueInfo(*V, *Infos.Add());
}

void Exporter::exportModel(const Model &M, ModelProto &P) {
  restore(P, M.unmodelled());
  P.set_ir_version(M.irVersion());
  writeOpsets(M.opsets(), *P.mutable_opset_import());
  for (const Function &F : M.functions())
    exportFunction(F, *P.add_functions());
  exportGraph(M.graph(), *P.mutable_graph());
}

void Exporter::exportFunction(const Function &F, FunctionProto &P) {
  restore(P, F.Unmodelled);
  if (P.name() != F.Name)
    P.set_name(F.Name);
  if (P.domain() != F.Domain)
    P.set_domain(F.Domain);
  if (P.overload() != F.Overload)
    P.set_overload(F.Overload);
  writeOpsets(F.Opsets, *P.mutable_opset_import());
  for (const std::string &Name : F.AttributeNames)
    P.add_attribute(Name);
  for (const Attribute &A : F.AttributeDefaults)
    exportAttribute(A, *P.add_attribute_proto());
  llvm::SmallVector<const Value *> Values(F.Body->inputs().begin(), F.Body->inputs().end());
  for (const Value *Input : F.Body->inputs())
    P.add_input(Input->name().str());
  for (const Node &N : *F.Body) {
    exportNode(N, *P.add_node());
    for (const Value *Output : N.outputs())
      if (!Output->name().empty())
        Values.push_back(Output);
  }
  for (const Value *Output : F.Body->outputs())
    P.add_output(Output->name().str());
  writeValueInfo(Values, *P.mutable_value_info());
}

void Exporter::exportGraph(const Graph &G, GraphProto &P) {
  restore(P, G.unmodelled());
  if (P.name() != G.name())
    P.set_name(G.name().str());
  for (const Value *Input : G.inputs())
    writeValueInfo(*Input, *P.add_input());
  exportInitializers(G, P);
  // What a subgraph returns is described here as well; only this graph's own outputs are elsewhere.
  llvm::DenseSet<const Value *> Outputs(G.outputs().begin(), G.outputs().end());
  llvm::SmallVector<const Value *> Values;
  for (const Node &N : G) {
    exportNode(N, *P.add_node());
    for (const Value *Output : N.outputs())
      if (!Outputs.contains(Output) && !Output->name().empty())
        Values.push_back(Output);
  }
  exportOutputs(G, P);
  writeValueInfo(Values, *P.mutable_value_info());
}

void Exporter::exportInitializers(const Graph &G, GraphProto &P) {
  llvm::StringMap<const Value *> Sparse;
  for (const Value *Init : G.initializers()) {
    if (const Tensor *T = Init->initializer()) {
      TensorProto &Written = *P.add_initializer();
      writeTensor(*T, Written, Sink);
      Written.set_name(Init->name().str());
    } else {
      Sparse[Init->name()] = Init;
    }
  }
  google::protobuf::RepeatedPtrField<SparseTensorProto> Marked;
  Marked.Swap(P.mutable_sparse_initializer());
  for (SparseTensorProto &Init : Marked) {
    std::string Name = Init.values().name().substr(1);
    if (Init.values().name()[0] == MarkWhole) {
      Init.mutable_values()->set_name(Name);
      P.mutable_sparse_initializer()->Add(std::move(Init));
    } else if (const Value *V = Sparse.lookup(Name)) {
      restore(*P.add_sparse_initializer(), V->unmodelled());
      Sparse.erase(Name);
    }
  }
  // What stands under another name by now.
  for (const Value *Init : G.initializers())
    if (Sparse.lookup(Init->name())) {
      SparseTensorProto &Written = *P.add_sparse_initializer();
      restore(Written, Init->unmodelled());
      Written.mutable_values()->set_name(Init->name().str());
    }
}

void Exporter::exportOutputs(const Graph &G, GraphProto &P) {
  google::protobuf::RepeatedPtrField<ValueInfoProto> Kept;
  Kept.Swap(P.mutable_output());
  llvm::StringMap<llvm::SmallVector<ValueInfoProto *, 1>> KeptByName;
  for (ValueInfoProto &Info : llvm::reverse(Kept))
    KeptByName[Info.name()].push_back(&Info);
  llvm::DenseSet<const Value *> Written;
  for (const Value *Output : G.outputs()) {
    bool Own = Output->producer() && Output->parent() == &G && Written.insert(Output).second;
    auto Entry = KeptByName.find(Output->name());
    if (!Own && Entry != KeptByName.end() && !Entry->second.empty())
      P.add_output()->Swap(Entry->second.pop_back_val());
    else
      writeValueInfo(*Output, *P.add_output());
  }
}

void Exporter::exportNode(const Node &N, NodeProto &P) {
  restore(P, N.unmodelled());
  if (P.name() != N.name())
    P.set_name(N.name().str());
  P.set_op_type(N.opType().str());
  if (canonicalDomain(P.domain()) != N.domain())
    P.set_domain(N.domain().str());
  if (P.overload() != N.overload())
    P.set_overload(N.overload().str());
  for (const Value *Input : N.inputs())
    P.add_input(Input ? Input->name().str() : "");
  for (const Value *Output : N.outputs())
    P.add_output(Output->name().str());
  for (const Attribute &A : N.attributes())
    exportAttribute(A, *P.add_attribute());
}

void deepshare::onnx::exportModel(const Model &M, ModelProto &P, const TensorSink &Sink) {
  Exporter(Sink).exportModel(M, P);
}

void deepshare::onnx::exportNode(const Node &N, NodeProto &P, const TensorSink &Sink) {
  Exporter(Sink).exportNode(N, P);
}
