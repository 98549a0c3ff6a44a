//===- Cloner.cpp - copies of nodes and graphs ----------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/IR/Cloner.h"

using namespace deepshare;

void Cloner::describe(const Value &From, Value &To) {
  To.setType(From.type());
  To.setUnmodelled(From.unmodelled().str());
}

std::optional<TensorType> Cloner::withoutNames(std::optional<TensorType> Type) {
  if (Type && Type->Dims)
    for (Dim &Size : *Type->Dims)
      if (Size.isSymbolic())
        Size = Dim();
  return Type;
}

void Cloner::cloneGraph(const Graph &From, Graph &To) {
  To.setName(From.name());
  To.setUnmodelled(unmodelledOf(From));
  for (Value *Input : From.inputs())
    copyValue(*Input, *To.addInput(nameOf(*Input), std::nullopt));
  for (Value *Init : From.initializers()) {
    if (Init->isGraphInput()) {
      To.setDefault(lookup(Init), *Init->initializer());
    } else {
      Value *Copy = To.addOpaqueInitializer(nameOf(*Init));
      if (Init->initializer())
        Copy->setInitializer(*Init->initializer());
      copyValue(*Init, *Copy);
    }
    lookup(Init)->setOverridable(Init->isOverridable());
  }
  for (const Node &N : From)
    cloneNode(N, To, To.end());
  for (Value *Output : From.outputs())
    To.addOutput(lookup(Output));
}

Node *Cloner::cloneNode(const Node &From, Graph &To, Graph::iterator Place) {
  llvm::SmallVector<Value *, 4> Inputs;
  for (Value *Input : From.inputs())
    Inputs.push_back(Input ? lookup(Input) : nullptr);
  Node *Copy = To.insertNode(Place, From.opType(), Inputs, From.domain());
  Copy->setName(nameOf(From));
  Copy->setOverload(From.overload());
  Copy->setUnmodelled(From.unmodelled().str());
  for (const Attribute &A : From.attributes())
    if (const Attribute *Meant = resolve(A)) {
      Attribute New = cloneAttribute(*Meant, Copy);
      New.Name = A.Name;
      Copy->addAttribute(std::move(New));
    }
  for (Value *Output : From.outputs())
    copyValue(*Output, *Copy->addOutput(nameOf(*Output)));
  return Copy;
}

Attribute Cloner::cloneAttribute(const Attribute &From, Node *ParentNode) {
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

std::unique_ptr<Graph> Cloner::cloneSubgraph(const Graph &From, Node *ParentNode) {
  auto Copy = std::make_unique<Graph>(Into, ParentNode);
  cloneGraph(From, *Copy);
  return Copy;
}
