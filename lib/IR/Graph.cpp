//===- Graph.cpp - graphs, nodes and values -------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/IR/Graph.h"
#include "deepshare/IR/Model.h"
#include "deepshare/Support/Error.h"

using namespace deepshare;

//===----------------------------------------------------------------------===//
// Value
//===----------------------------------------------------------------------===//

void Value::setInitializer(Tensor NewInit) {
  assert(IsInitializer && "not an initialiser");
  Init = std::move(NewInit);
  Type = Init->type();
}

void Value::replaceUsesIf(Value *New, llvm::function_ref<bool(const Use &)> Predicate) {
  assert(New != this && "replaces a value by itself");
  llvm::SmallVector<Use, 2> Old = Uses;
  for (const Use &U : Old)
    if (Predicate(U))
      U.User->setInput(U.Index, New);
}

void Value::replaceAllUsesWith(Value *New) {
  replaceUsesIf(New, [](const Use &) { return true; });
  bool WasInterface = llvm::is_contained(OutputOf, Parent);
  assert((!WasInterface || (New->producer() && !New->isGraphOutput())) &&
         "the new value cannot take over the output's name");
  while (isGraphOutput()) {
    Graph *G = OutputOf.back();
    G->setOutput(llvm::find(G->Outputs, this) - G->Outputs.begin(), New);
  }
  if (!WasInterface)
    return;
  std::swap(Name, New->Name);
  New->Type = Type;
  New->Unmodelled = Unmodelled;
}

//===----------------------------------------------------------------------===//
// Node
//===----------------------------------------------------------------------===//

Node::~Node() { dropAllInputs(); }

void Node::dropAllInputs() {
  for (unsigned I = 0; I < Inputs.size(); ++I)
    setInput(I, nullptr);
}

llvm::StringRef Node::displayName() const {
  if (!Name.empty())
    return Name;
  for (const auto &Output : Outputs)
    if (!Output->name().empty())
      return Output->name();
  return "";
}

llvm::Error deepshare::nodeError(const Node &N, const llvm::Twine &Reason) {
  return makeError("node '" + N.displayName() + "' (" + N.opType() + "): " + Reason);
}

void Node::setInput(unsigned Index, Value *New) {
  Value *Old = Inputs[Index];
  if (Old == New)
    return;
  if (Old) {
    // The last use takes the place of this one.
    Use Last = Old->Uses.pop_back_val();
    if (Last != Use{this, Index}) {
      Old->Uses[UsePlaces[Index]] = Last;
      Last.User->UsePlaces[Last.Index] = UsePlaces[Index];
    }
  }
  Inputs[Index] = New;
  if (New) {
    UsePlaces[Index] = New->Uses.size();
    New->Uses.push_back({this, Index});
  }
}

void Node::addInput(Value *New) {
  Inputs.push_back(nullptr);
  UsePlaces.push_back(0);
  setInput(Inputs.size() - 1, New);
}

void Node::truncateInputs(unsigned Count) {
  for (unsigned I = Count; I < Inputs.size(); ++I)
    setInput(I, nullptr);
  if (Count >= Inputs.size())
    return;
  Inputs.truncate(Count);
  UsePlaces.truncate(Count);
}

Value *Node::addOutput(llvm::StringRef OutputName, std::optional<TensorType> Type) {
  Outputs.push_back(std::unique_ptr<Value>(new Value));
  Value *Output = Outputs.back().get();
  Output->Name = OutputName.str();
  Output->Type = std::move(Type);
  Output->Producer = this;
  Output->Parent = Parent;
  Output->OutputIndex = Outputs.size() - 1;
  Parent->model().reserveName(OutputName);
  return Output;
}

const Attribute *Node::attribute(llvm::StringRef AttributeName) const {
  for (const Attribute &A : Attributes)
    if (A.Name == AttributeName)
      return &A;
  return nullptr;
}

int64_t Node::intAttribute(llvm::StringRef AttributeName, int64_t Default) const {
  const auto *Found = attributeAs<int64_t>(AttributeName);
  return Found ? *Found : Default;
}

float Node::floatAttribute(llvm::StringRef AttributeName, float Default) const {
  const auto *Found = attributeAs<float>(AttributeName);
  return Found ? *Found : Default;
}

std::string Node::stringAttribute(llvm::StringRef AttributeName, llvm::StringRef Default) const {
  const auto *Found = attributeAs<std::string>(AttributeName);
  return Found ? *Found : Default.str();
}

std::vector<int64_t> Node::intsAttribute(llvm::StringRef AttributeName, llvm::ArrayRef<int64_t> Default) const {
  const auto *Found = attributeAs<std::vector<int64_t>>(AttributeName);
  return Found ? *Found : Default.vec();
}

void Node::setAttribute(llvm::StringRef AttributeName, AttributeValue NewValue) {
  for (Attribute &A : Attributes)
    if (A.Name == AttributeName) {
      A.Value = std::move(NewValue);
      return;
    }
  addAttribute({AttributeName.str(), std::move(NewValue), {}});
}

void Node::addAttribute(Attribute NewAttribute) {
  assert(!attribute(NewAttribute.Name) && "the node has this attribute");
  Attributes.push_back(std::move(NewAttribute));
}

bool Node::removeAttribute(llvm::StringRef AttributeName) {
  size_t Before = Attributes.size();
  llvm::erase_if(Attributes, [&](const Attribute &A) { return A.Name == AttributeName; });
  return Attributes.size() != Before;
}

llvm::SmallVector<Graph *, 2> Node::subgraphs() const {
  llvm::SmallVector<Graph *, 2> Found;
  for (const Attribute &A : Attributes) {
    if (const auto *One = std::get_if<std::unique_ptr<Graph>>(&A.Value))
      Found.push_back(One->get());
    else if (const auto *Many = std::get_if<std::vector<std::unique_ptr<Graph>>>(&A.Value))
      for (const std::unique_ptr<Graph> &G : *Many)
        Found.push_back(G.get());
  }
  return Found;
}

//===----------------------------------------------------------------------===//
// Graph
//===----------------------------------------------------------------------===//

Graph::~Graph() {
  // Uses first, so that no node is taken down while a value of it is still used.
  clearOutputs();
  walk([](Node &N) {
    N.dropAllInputs();
    for (Graph *Subgraph : N.subgraphs())
      Subgraph->clearOutputs();
  });
}

void Graph::clearOutputs() {
  for (Value *Output : Outputs)
    Output->OutputOf.erase(llvm::find(Output->OutputOf, this));
  Outputs.clear();
}

Value *Graph::addInput(llvm::StringRef ValueName, std::optional<TensorType> Type) {
  OwnedValues.push_back(std::unique_ptr<Value>(new Value));
  Value *Input = OwnedValues.back().get();
  Input->Name = ValueName.str();
  Input->Type = std::move(Type);
  Input->Parent = this;
  Input->IsInput = true;
  Inputs.push_back(Input);
  Owner->reserveName(ValueName);
  return Input;
}

Value *Graph::addOpaqueInitializer(llvm::StringRef ValueName) {
  OwnedValues.push_back(std::unique_ptr<Value>(new Value));
  Value *Added = OwnedValues.back().get();
  Added->Name = ValueName.str();
  Added->Parent = this;
  Added->IsInitializer = true;
  Initializers.push_back(Added);
  Owner->reserveName(ValueName);
  return Added;
}

/// From this IR version on an initialiser need not be an input.
static constexpr int64_t PlainInitializersSince = 4;

Value *Graph::addInitializer(llvm::StringRef ValueName, Tensor Init) {
  int64_t Version = Owner->irVersion();
  if (Version != 0 && Version < PlainInitializersSince) {
    Graph &Main = Owner->graph();
    Value *Added = Main.addInput(Owner->uniqueName(ValueName), Init.type());
    Main.setDefault(Added, std::move(Init));
    return Added;
  }
  Value *Added = addOpaqueInitializer(Owner->uniqueName(ValueName));
  Added->setInitializer(std::move(Init));
  return Added;
}

void Graph::setDefault(Value *Input, Tensor Init) {
  assert(Input->Parent == this && Input->IsInput && !Input->IsInitializer && "not an input without default");
  Input->IsInitializer = true;
  Input->Init = std::move(Init);
  Initializers.push_back(Input);
}

void Graph::fixInput(Value *Input, Tensor Init) {
  setDefault(Input, std::move(Init));
  Input->IsInput = false;
  Input->Unmodelled.clear(); // described an input
  llvm::erase(Inputs, Input);
}

void Graph::eraseInput(Value *Input) {
  assert(Input->IsInput && Input->Parent == this && Input->isDead() && "not a dead input of this graph");
  llvm::erase(Inputs, Input);
  llvm::erase(Initializers, Input);
  llvm::erase_if(OwnedValues, [&](const std::unique_ptr<Value> &V) { return V.get() == Input; });
}

void Graph::eraseInitializer(Value *Initializer) {
  assert(Initializer->IsInitializer && Initializer->Parent == this && "not an initialiser of this graph");
  llvm::erase(Initializers, Initializer);
  if (Initializer->IsInput) {
    Initializer->IsInitializer = false;
    Initializer->Init.reset();
    return;
  }
  assert(Initializer->isDead() && "erases an initialiser that is used");
  llvm::erase_if(OwnedValues, [&](const std::unique_ptr<Value> &V) { return V.get() == Initializer; });
}

void Graph::addOutput(Value *Output) {
  Outputs.push_back(Output);
  Output->OutputOf.push_back(this);
}

void Graph::setOutput(unsigned Index, Value *New) {
  Value *Old = Outputs[Index];
  Old->OutputOf.erase(llvm::find(Old->OutputOf, this));
  Outputs[Index] = New;
  New->OutputOf.push_back(this);
}

Node *Graph::insertNode(iterator Before, llvm::StringRef OpType, llvm::ArrayRef<Value *> NodeInputs,
                        llvm::StringRef Domain) {
  auto *N = new Node;
  Nodes.insert(Before, N);
  N->OpType = OpType.str();
  N->Domain = Domain.str();
  N->Parent = this;
  for (Value *Input : NodeInputs)
    N->addInput(Input);
  return N;
}

Value *Graph::insert(iterator Before, llvm::StringRef OpType, llvm::ArrayRef<Value *> NodeInputs,
                     const llvm::Twine &OutputName, llvm::StringRef Domain) {
  return insertNode(Before, OpType, NodeInputs, Domain)->addOutput(Owner->uniqueName(OutputName));
}

Graph::iterator Graph::erase(Node *Dead) {
  assert(llvm::all_of(Dead->Outputs, [](const auto &Output) { return Output->isDead(); }) &&
         "erases a node whose output is used");
  return Nodes.erase(Dead->getIterator());
}

void Graph::moveBefore(Node *Moved, iterator Before) { Nodes.splice(Before, Nodes, Moved->getIterator()); }

void Graph::walk(llvm::function_ref<void(Node &)> Visit) {
  for (Node &N : Nodes) {
    Visit(N);
    for (Graph *Subgraph : N.subgraphs())
      Subgraph->walk(Visit);
  }
}

llvm::ArrayRef<Dim> deepshare::knownSizes(const Value &V) {
  return V.type() && V.type()->Dims ? llvm::ArrayRef<Dim>(*V.type()->Dims) : llvm::ArrayRef<Dim>();
}
