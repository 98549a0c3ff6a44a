//===- Importer.cpp - ModelProto to IR ------------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// The importer takes the message apart: what becomes part of the IR is cleared, and what is left over is serialised
// into the unmodelled() of model, graph, node, value, attribute or tensor (see Proto.h).
//
// Names are resolved as ONNX does it: a node sees what stands before it in its own graph, then what stands before the
// node that holds the graph, and so on outwards.
//
//===----------------------------------------------------------------------===//

#include "Importer.h"
#include "Attributes.h"
#include "Types.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/StringMap.h"

#include <fmt/format.h>

using namespace deepshare;
using namespace deepshare::onnx;

// Older versions say nothing that this importer could read; ONNX itself starts here.
static constexpr int64_t OldestIRVersion = 3;
// From this IR version on an initialiser need not be an input, and one that is may be overridden.
static constexpr int64_t OverridableSince = 4;

namespace {
/// The values that a graph's nodes can name so far.
struct Scope {
  const Scope *Outer = nullptr;
  llvm::StringMap<Value *> Values;

  Value *lookup(llvm::StringRef Name) const {
    for (const Scope *S = this; S; S = S->Outer)
      if (Value *Found = S->Values.lookup(Name))
        return Found;
    return nullptr;
  }
};

class Importer {
public:
  Importer(Model &M, const TensorSource &Source) : M(M), Source(Source) {}

  llvm::Error importModel(ModelProto &P);

private:
  llvm::Error importFunction(FunctionProto &P);
  llvm::Error importGraph(GraphProto &P, Graph &G, const Scope *Outer);
  llvm::Error importInputs(GraphProto &P, Graph &G, Scope &S);
  llvm::Error importInitializers(GraphProto &P, Graph &G, Scope &S);
  llvm::Error importNodes(google::protobuf::RepeatedPtrField<NodeProto> &Nodes, Graph &G, Scope &S);
  llvm::Error importNode(NodeProto &P, Graph &G, Scope &S, llvm::ArrayRef<const NodeProto *> Later);
  llvm::Error importOutputs(GraphProto &P, Graph &G, const Scope &S);
  void importValueInfo(google::protobuf::RepeatedPtrField<ValueInfoProto> &Infos, const Scope &S,
                       llvm::function_ref<bool(const Value &)> CarriesEntry);

  Model &M;
  const TensorSource &Source;
};
} // namespace

static llvm::Error fail(const std::string &Reason) { return llvm::createStringError(Reason); }

static llvm::Error failAt(const NodeProto &P, const std::string &Reason) {
  llvm::StringRef Name = P.name();
  if (Name.empty() && P.output_size())
    Name = P.output(0);
  return fail(fmt::format("node '{}' ({}): {}", Name.str(), P.op_type(), Reason));
}

static std::vector<OpsetImport> readOpsets(const google::protobuf::RepeatedPtrField<OperatorSetIdProto> &Imports) {
  std::vector<OpsetImport> Opsets;
  for (const OperatorSetIdProto &Import : Imports)
    Opsets.push_back({canonicalDomain(Import.domain()).str(), Import.version()});
  return Opsets;
}

llvm::Error Importer::importModel(ModelProto &P) {
  if (!P.has_ir_version() || !P.has_graph())
    return fail(fmt::format("not an ONNX model: it has no {}", P.has_ir_version() ? "graph" : "IR version"));
  if (P.ir_version() < OldestIRVersion)
    return fail(fmt::format("expected IR version {} or later, got {}", OldestIRVersion, P.ir_version()));
  if (P.ir_version() > Version::IR_VERSION)
    return fail(fmt::format("expected IR version {} or earlier, which are those that are known, got {}",
                            int(Version::IR_VERSION), P.ir_version()));
  M.setIRVersion(P.ir_version());
  M.opsets() = readOpsets(P.opset_import());
  for (FunctionProto &F : *P.mutable_functions())
    if (llvm::Error E = importFunction(F))
      return fail(fmt::format("function '{}': {}", F.name(), llvm::toString(std::move(E))));
  if (llvm::Error E = importGraph(*P.mutable_graph(), M.graph(), nullptr))
    return E;
  P.clear_graph();
  P.clear_functions();
  P.clear_ir_version();
  M.setUnmodelled(remainder(P));
  return llvm::Error::success();
}

llvm::Error Importer::importFunction(FunctionProto &P) {
  Function F;
  F.Domain = P.domain();
  F.Name = P.name();
  F.Overload = P.overload();
  F.AttributeNames.assign(P.attribute().begin(), P.attribute().end());
  F.Opsets = readOpsets(P.opset_import());
  F.Body = std::make_unique<Graph>(M);
  F.Body->setName(P.name());
  Scope S;
  for (const std::string &Input : P.input()) {
    if (Input.empty() || S.Values.count(Input))
      return fail(fmt::format("two of its inputs are named '{}', or one has no name", Input));
    S.Values[Input] = F.Body->addInput(Input, std::nullopt);
  }
  for (AttributeProto &Default : *P.mutable_attribute_proto()) {
    llvm::Expected<Attribute> A =
        readAttribute(Default, Source, [&](GraphProto &) -> llvm::Expected<std::unique_ptr<Graph>> {
          return fail("a graph as an attribute's default is not supported");
        });
    if (!A)
      return A.takeError();
    F.AttributeDefaults.push_back(std::move(*A));
  }
  if (llvm::Error E = importNodes(*P.mutable_node(), *F.Body, S))
    return E;
  llvm::DenseSet<const Value *> Listed;
  for (const std::string &Output : P.output()) {
    Value *V = S.Values.lookup(Output);
    if (!V)
      return fail(fmt::format("its output '{}' is not defined", Output));
    // Graphs may, as ONNX's checker and ONNX Runtime have it.
    if (!Listed.insert(V).second)
      return fail(fmt::format("it lists its output '{}' twice", Output));
    F.Body->addOutput(V);
  }
  importValueInfo(*P.mutable_value_info(), S, [](const Value &) { return true; });
  for (auto Clear : {&FunctionProto::clear_input, &FunctionProto::clear_output, &FunctionProto::clear_attribute,
                     &FunctionProto::clear_attribute_proto, &FunctionProto::clear_node})
    (P.*Clear)();
  if (!P.name().empty())
    P.clear_name();
  if (!P.domain().empty())
    P.clear_domain();
  if (!P.overload().empty())
    P.clear_overload();
  F.Unmodelled = remainder(P);
  M.functions().push_back(std::move(F));
  return llvm::Error::success();
}

llvm::Error Importer::importGraph(GraphProto &P, Graph &G, const Scope *Outer) {
  G.setName(P.name());
  Scope S{Outer, {}};
  if (llvm::Error E = importInputs(P, G, S))
    return E;
  if (llvm::Error E = importInitializers(P, G, S))
    return E;
  if (llvm::Error E = importNodes(*P.mutable_node(), G, S))
    return E;
  if (llvm::Error E = importOutputs(P, G, S))
    return E;
  // A set: a hostile file may list one value as an output of very many graphs.
  llvm::DenseSet<const Value *> Outputs(G.outputs().begin(), G.outputs().end());
  importValueInfo(*P.mutable_value_info(), S, [&](const Value &V) { return V.producer() && !Outputs.contains(&V); });
  P.clear_node();
  if (!P.name().empty())
    P.clear_name();
  G.setUnmodelled(remainder(P));
  return llvm::Error::success();
}

llvm::Error Importer::importInputs(GraphProto &P, Graph &G, Scope &S) {
  for (ValueInfoProto &Info : *P.mutable_input()) {
    if (Info.name().empty())
      return fail(fmt::format("graph '{}': input {} has no name", P.name(), G.inputs().size()));
    if (S.Values.count(Info.name()))
      return fail(fmt::format("graph '{}': two inputs are named '{}'", P.name(), Info.name()));
    Value *V = G.addInput(Info.name(), std::nullopt);
    S.Values[Info.name()] = V;
    readValueInfo(Info, *V);
  }
  P.clear_input();
  return llvm::Error::success();
}

llvm::Error Importer::importInitializers(GraphProto &P, Graph &G, Scope &S) {
  auto Taken = [&](const std::string &Name) {
    return fail(fmt::format("graph '{}': two initialisers are named '{}'", P.name(), Name));
  };
  for (TensorProto &Init : *P.mutable_initializer()) {
    std::string Name = Init.name();
    if (Name.empty())
      return fail(fmt::format("graph '{}': initialiser {} has no name", P.name(), G.initializers().size()));
    Init.clear_name();
    llvm::Expected<Tensor> T = readTensor(Init, Name, Source);
    if (!T)
      return T.takeError();
    Value *&V = S.Values[Name];
    if (V && V->isInitializer())
      return Taken(Name);
    if (V) {
      G.setDefault(V, std::move(*T));
      V->setOverridable(M.irVersion() >= OverridableSince);
    } else {
      V = G.addOpaqueInitializer(Name);
      V->setInitializer(std::move(*T));
    }
  }
  P.clear_initializer();

  for (SparseTensorProto &Init : *P.mutable_sparse_initializer()) {
    std::string Name = Init.values().name();
    if (Name.empty())
      return fail(fmt::format("graph '{}': a sparse initialiser has no name", P.name()));
    if (llvm::Error E = checkElementType(Init.values().data_type(), Name))
      return E;
    Value *&V = S.Values[Name];
    if (V && V->isInitializer())
      return Taken(Name);
    char Mark = MarkWhole;
    // The sparse default of an input is kept whole: callers see an input.
    if (!V) {
      V = G.addOpaqueInitializer(Name);
      V->setUnmodelled(Init.SerializeAsString());
      Init.Clear();
      Mark = MarkPlace;
    }
    Init.mutable_values()->set_name(Mark + Name);
  }
  return llvm::Error::success();
}

llvm::Error Importer::importNodes(google::protobuf::RepeatedPtrField<NodeProto> &Nodes, Graph &G, Scope &S) {
  llvm::ArrayRef<const NodeProto *> Rest(Nodes.data(), Nodes.size());
  for (NodeProto &N : Nodes) {
    if (llvm::Error E = importNode(N, G, S, Rest))
      return E;
    Rest = Rest.drop_front();
  }
  return llvm::Error::success();
}

// Why no value named \p Input is visible to the first node of \p Rest.
static std::string explainMissing(const std::string &Input, llvm::ArrayRef<const NodeProto *> Rest) {
  for (const NodeProto *Later : Rest)
    if (llvm::is_contained(Later->output(), Input))
      return fmt::format("input '{}' is the output of {}; expected nodes in an order without forward references", Input,
                         Later == Rest.front()
                             ? "the node itself"
                             : fmt::format("a later node, '{}' ({})", Later->name().empty() ? Input : Later->name(),
                                           Later->op_type()));
  return fmt::format("input '{}' is not defined by any input, initialiser or node", Input);
}

llvm::Error Importer::importNode(NodeProto &P, Graph &G, Scope &S, llvm::ArrayRef<const NodeProto *> Rest) {
  if (P.op_type().empty())
    return failAt(P, "it names no operator");
  llvm::SmallVector<Value *, 4> Inputs;
  for (const std::string &Input : P.input()) {
    Value *V = Input.empty() ? nullptr : S.lookup(Input);
    if (!V && !Input.empty())
      return failAt(P, explainMissing(Input, Rest));
    Inputs.push_back(V);
  }
  Node *N = G.insertNode(G.end(), P.op_type(), Inputs, canonicalDomain(P.domain()));
  N->setName(P.name());
  N->setOverload(P.overload());
  for (AttributeProto &A : *P.mutable_attribute()) {
    if (N->attribute(A.name()))
      return failAt(P, fmt::format("it has attribute '{}' twice", A.name()));
    llvm::Expected<Attribute> Read =
        readAttribute(A, Source, [&](GraphProto &Body) -> llvm::Expected<std::unique_ptr<Graph>> {
          auto Subgraph = std::make_unique<Graph>(M, N);
          if (llvm::Error E = importGraph(Body, *Subgraph, &S))
            return E;
          return Subgraph;
        });
    if (!Read)
      return failAt(P, llvm::toString(Read.takeError()));
    N->addAttribute(std::move(*Read));
  }
  for (const std::string &Output : P.output()) {
    if (Output.empty()) {
      N->addOutput("");
      continue;
    }
    if (S.Values.count(Output))
      return failAt(P, fmt::format("its output '{}' is defined twice", Output));
    S.Values[Output] = N->addOutput(Output);
  }
  P.clear_input();
  P.clear_output();
  P.clear_attribute();
  if (!P.name().empty())
    P.clear_name();
  if (!P.overload().empty())
    P.clear_overload();
  P.clear_op_type();
  if (N->domain() == P.domain() && !P.domain().empty())
    P.clear_domain();
  N->setUnmodelled(remainder(P));
  return llvm::Error::success();
}

llvm::Error Importer::importOutputs(GraphProto &P, Graph &G, const Scope &S) {
  google::protobuf::RepeatedPtrField<ValueInfoProto> Kept;
  llvm::DenseSet<const Value *> Listed;
  for (ValueInfoProto &Info : *P.mutable_output()) {
    Value *V = S.lookup(Info.name());
    if (!V)
      return fail(fmt::format("graph '{}': its output '{}' is not defined", P.name(), Info.name()));
    // An output that is an input, an initialiser or a value of an outer graph, or that is listed again, may say
    // something else here.
    bool Own = V->producer() && V->parent() == &G && Listed.insert(V).second;
    G.addOutput(V);
    if (Own)
      readValueInfo(Info, *V);
    else
      Kept.Add(std::move(Info));
  }
  P.mutable_output()->Swap(&Kept);
  return llvm::Error::success();
}

void Importer::importValueInfo(google::protobuf::RepeatedPtrField<ValueInfoProto> &Infos, const Scope &S,
                               llvm::function_ref<bool(const Value &)> CarriesEntry) {
  llvm::StringMap<bool> Seen;
  for (ValueInfoProto &Info : Infos) {
    if (!Info.has_name())
      continue;
    std::string Name = Info.name();
    Value *V = S.Values.lookup(Name);
    if (V && CarriesEntry(*V) && !std::exchange(Seen[Name], true)) {
      readValueInfo(Info, *V);
      Info.Clear();
      Info.set_name(MarkPlace + Name);
    } else {
      M.reserveName(Name);
      Info.set_name(MarkWhole + Name);
    }
  }
}

llvm::Expected<std::unique_ptr<Model>> deepshare::onnx::importModel(ModelProto &P, const TensorSource &Source) {
  auto M = std::make_unique<Model>();
  if (llvm::Error E = Importer(*M, Source).importModel(P))
    return E;
  if (llvm::Error E = checkNodes(*M))
    return E;
  return M;
}
