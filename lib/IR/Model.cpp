//===- Model.cpp - a model: main graph, functions, opsets -----------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/IR/Model.h"

#include "llvm/ADT/DenseMap.h"

using namespace deepshare;

Model::Model() : Main(std::make_unique<Graph>(*this)) {}
Model::~Model() = default;

const Function *Model::function(const Node &Caller) const {
  for (const Function &F : Functions)
    if (F.Name == Caller.opType() && F.Domain == Caller.domain() && F.Overload == Caller.overload())
      return &F;
  return nullptr;
}

int64_t Model::opsetVersion(llvm::StringRef Domain) const {
  for (const OpsetImport &Import : Opsets)
    if (Import.Domain == Domain)
      return Import.Version;
  return 0;
}

void Model::addOpset(llvm::StringRef Domain, int64_t Version) {
  if (!opsetVersion(Domain))
    Opsets.push_back({Domain.str(), Version});
}

void Model::reserveName(llvm::StringRef Taken) {
  if (!Taken.empty())
    Names.insert(Taken);
}

std::string Model::uniqueName(const llvm::Twine &Base) {
  std::string Stem = Base.str();
  std::string Candidate = Stem;
  // Each stem remembers the last number it got, so that n names of one stem take n steps in all.
  while (Candidate.empty() || !Names.insert(Candidate).second)
    Candidate = Stem + "_" + std::to_string(++NextSuffix[Stem]);
  return Candidate;
}

//===----------------------------------------------------------------------===//
// Cloning
//===----------------------------------------------------------------------===//

namespace {
/// Copies graphs into another model; remembers what became of each value, so that subgraphs find outer values.
class Cloner {
public:
  explicit Cloner(Model &Into) : Into(Into) {}

  void cloneGraph(const Graph &From, Graph &To) {
    To.setName(From.name());
    To.setUnmodelled(From.unmodelled().str());
    for (Value *Input : From.inputs())
      copyValue(*Input, *To.addInput(Input->name(), Input->type()));
    for (Value *Init : From.initializers()) {
      if (Init->isGraphInput())
        To.setDefault(Copies[Init], *Init->initializer());
      else {
        Value *Copy = To.addOpaqueInitializer(Init->name());
        if (Init->initializer())
          Copy->setInitializer(*Init->initializer());
        copyValue(*Init, *Copy);
      }
      Copies[Init]->setOverridable(Init->isOverridable());
    }
    for (const Node &N : From)
      cloneNode(N, To);
    for (Value *Output : From.outputs())
      To.addOutput(Copies.lookup(Output));
  }

  Attribute cloneAttribute(const Attribute &From, Node *ParentNode) {
    Attribute To{From.Name, {}, From.Unmodelled};
    std::visit(
        [&](const auto &Payload) {
          using T = std::decay_t<decltype(Payload)>;
          if constexpr (std::is_same_v<T, std::unique_ptr<Graph>>) {
            To.Value = cloneSubgraph(*Payload, ParentNode);
          } else if constexpr (std::is_same_v<T, std::vector<std::unique_ptr<Graph>>>) {
            std::vector<std::unique_ptr<Graph>> Graphs;
            Graphs.reserve(Payload.size());
            for (const std::unique_ptr<Graph> &G : Payload)
              Graphs.push_back(cloneSubgraph(*G, ParentNode));
            To.Value = std::move(Graphs);
          } else {
            To.Value = Payload;
          }
        },
        From.Value);
    return To;
  }

private:
  void copyValue(const Value &From, Value &To) {
    To.setType(From.type());
    To.setUnmodelled(From.unmodelled().str());
    Copies[&From] = &To;
  }

  void cloneNode(const Node &From, Graph &To) {
    llvm::SmallVector<Value *, 4> Inputs;
    for (Value *Input : From.inputs())
      Inputs.push_back(Copies.lookup(Input));
    Node *Copy = To.insertNode(To.end(), From.opType(), Inputs, From.domain());
    Copy->setName(From.name());
    Copy->setOverload(From.overload());
    Copy->setUnmodelled(From.unmodelled().str());
    for (const Attribute &A : From.attributes())
      Copy->addAttribute(cloneAttribute(A, Copy));
    for (Value *Output : From.outputs())
      copyValue(*Output, *Copy->addOutput(Output->name()));
  }

  std::unique_ptr<Graph> cloneSubgraph(const Graph &From, Node *ParentNode) {
    auto Copy = std::make_unique<Graph>(Into, ParentNode);
    cloneGraph(From, *Copy);
    return Copy;
  }

  Model &Into;
  llvm::DenseMap<const Value *, Value *> Copies;
};
} // namespace

std::unique_ptr<Model> Model::clone() const {
  auto Copy = std::make_unique<Model>();
  Copy->Opsets = Opsets;
  Copy->IRVersion = IRVersion;
  Copy->Unmodelled = Unmodelled;
  Copy->Names = Names;
  Copy->NextSuffix = NextSuffix;
  Cloner(*Copy).cloneGraph(*Main, *Copy->Main);
  for (const Function &F : Functions) {
    Function G{F.Domain,    F.Name, F.Overload, F.AttributeNames, {}, F.Opsets, std::make_unique<Graph>(*Copy),
               F.Unmodelled};
    Cloner C(*Copy);
    for (const Attribute &A : F.AttributeDefaults)
      G.AttributeDefaults.push_back(C.cloneAttribute(A, nullptr));
    C.cloneGraph(*F.Body, *G.Body);
    Copy->Functions.push_back(std::move(G));
  }
  return Copy;
}
