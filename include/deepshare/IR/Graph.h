//===- Graph.h - graphs, nodes and values -----------------------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// A Graph owns its nodes, inputs and initialisers; a Node owns its outputs. A Value knows its producer and every use.
// Identity is by object: names matter to import, export and reports only.
//
// Order invariant: every node stands after the producers of its inputs (verify() checks it). A node of a subgraph may
// use values of the graphs around it; these uses are listed on the value like any other.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_IR_GRAPH_H
#define DEEPSHARE_IR_GRAPH_H

#include "deepshare/IR/Attribute.h"
#include "deepshare/IR/Tensor.h"
#include "deepshare/IR/Type.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/Twine.h"
#include "llvm/ADT/ilist.h"
#include "llvm/ADT/ilist_node.h"
#include "llvm/Support/Error.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace deepshare {

class Graph;
class Model;
class Node;

/// One use of a value: input \p Index of node \p User.
struct Use {
  Node *User;
  unsigned Index;
  friend bool operator==(const Use &, const Use &) = default;
};

/// A tensor of the graph: a graph input, an initialiser, or a node's output.
class Value {
public:
  Value(const Value &) = delete;
  Value &operator=(const Value &) = delete;

  /// The name in the file. An optional output that its node leaves out has an empty name.
  llvm::StringRef name() const { return Name; }
  void setName(llvm::StringRef NewName) { Name = NewName.str(); }

  /// The type, if it is a dense tensor's and known.
  const std::optional<TensorType> &type() const { return Type; }
  void setType(std::optional<TensorType> NewType) { Type = std::move(NewType); }

  /// The node whose output this is, or null.
  Node *producer() const { return Producer; }
  /// Which output of producer() this is.
  unsigned outputIndex() const { return OutputIndex; }
  /// The graph that this value belongs to.
  Graph *parent() const { return Parent; }

  /// True for an input of its graph.
  bool isGraphInput() const { return IsInput; }
  /// True if the file gives the value: an initialiser, dense or sparse, or an input with a default.
  bool isInitializer() const { return IsInitializer; }
  /// The dense tensor that the file gives; null for a sparse initialiser or anything else.
  const Tensor *initializer() const { return Init ? &*Init : nullptr; }
  /// The tensor that this value always has: its initialiser unless a caller may override it; null otherwise.
  const Tensor *constant() const { return Init && !Overridable ? &*Init : nullptr; }
  /// Replaces the tensor of a dense initialiser.
  void setInitializer(Tensor NewInit);
  /// An input with a default that callers may override (listed as input, ONNX IR version 4 or later).
  bool isOverridable() const { return Overridable; }
  /// For an input with a default: whether callers may override it.
  void setOverridable(bool Flag) { Overridable = Flag; }

  /// Every use, in no order that means anything to passes but the same in every run.
  llvm::ArrayRef<Use> uses() const { return Uses; }
  bool hasUses() const { return !Uses.empty(); }
  /// True if the value is listed among a graph's outputs: its own graph's, or those of a subgraph that returns it.
  bool isGraphOutput() const { return !OutputOf.empty(); }
  /// True if nothing uses the value and it is no graph output.
  bool isDead() const { return !hasUses() && !isGraphOutput(); }

  /// Given: a value \p New that is defined before every use of this one. Execute: every use, and every place among
  /// the graphs' outputs, becomes \p New. Result: this value is dead. If this value was an output of its own graph,
  /// \p New takes over its name and type, since these are the interface of the graph; that needs a \p New that is a
  /// node's output and no graph output itself (assert; insert an Identity otherwise).
  void replaceAllUsesWith(Value *New);
  /// As replaceAllUsesWith, for node inputs for which \p Predicate holds; graph outputs stay.
  void replaceUsesIf(Value *New, llvm::function_ref<bool(const Use &)> Predicate);

  /// Fields of the serialised form that we do not model (ValueInfoProto without name), as lib/ONNX wrote them.
  llvm::StringRef unmodelled() const { return Unmodelled; }
  void setUnmodelled(std::string Bytes) { Unmodelled = std::move(Bytes); }

private:
  friend class Graph;
  friend class Node;
  Value() = default;

  std::string Name;
  std::optional<TensorType> Type;
  std::optional<Tensor> Init;
  std::string Unmodelled;
  llvm::SmallVector<Use, 2> Uses;
  Node *Producer = nullptr;
  Graph *Parent = nullptr;
  // Each graph as often as it lists the value among its outputs.
  llvm::SmallVector<Graph *, 1> OutputOf;
  unsigned OutputIndex = 0;
  bool IsInput = false;
  bool IsInitializer = false;
  bool Overridable = false;
};

/// One operation.
class Node : public llvm::ilist_node<Node> {
public:
  Node(const Node &) = delete;
  Node &operator=(const Node &) = delete;
  ~Node();

  llvm::StringRef opType() const { return OpType; }
  /// The operator's domain, "" for ONNX's own ("ai.onnx" is read as "").
  llvm::StringRef domain() const { return Domain; }
  /// Selects among functions of the same name (ONNX IR version 10).
  llvm::StringRef overload() const { return Overload; }
  void setOverload(llvm::StringRef Text) { Overload = Text.str(); }
  /// The node's name in the file; may be empty, need not be unique.
  llvm::StringRef name() const { return Name; }
  void setName(llvm::StringRef NewName) { Name = NewName.str(); }
  /// The name if there is one, else that of the first output that has one: what messages call the node.
  llvm::StringRef displayName() const;
  /// True for operator \p Type of domain \p InDomain.
  bool is(llvm::StringRef Type, llvm::StringRef InDomain = "") const { return OpType == Type && Domain == InDomain; }

  Graph *parent() const { return Parent; }

  unsigned numInputs() const { return Inputs.size(); }
  /// Input \p Index; null if left out or past the end.
  Value *input(unsigned Index) const { return Index < Inputs.size() ? Inputs[Index] : nullptr; }
  llvm::ArrayRef<Value *> inputs() const { return Inputs; }
  /// Makes \p New (may be null: left out) input \p Index, which must exist.
  void setInput(unsigned Index, Value *New);
  /// Appends an input (may be null).
  void addInput(Value *New);
  /// Removes the inputs from \p Count on.
  void truncateInputs(unsigned Count);

  unsigned numOutputs() const { return Outputs.size(); }
  Value *output(unsigned Index = 0) const { return Outputs[Index].get(); }
  auto outputs() const {
    return llvm::map_range(Outputs, [](const std::unique_ptr<Value> &Output) { return Output.get(); });
  }
  /// Appends an output named \p Name ("" for one that is left out).
  Value *addOutput(llvm::StringRef Name, std::optional<TensorType> Type = std::nullopt);

  llvm::ArrayRef<Attribute> attributes() const { return Attributes; }
  /// The attribute \p Name, or null.
  const Attribute *attribute(llvm::StringRef AttributeName) const;
  /// The value of attribute \p Name if it is there with type T, else null.
  template <typename T> const T *attributeAs(llvm::StringRef AttributeName) const {
    const Attribute *Found = attribute(AttributeName);
    return Found ? std::get_if<T>(&Found->Value) : nullptr;
  }
  /// The value of attribute \p Name, or \p Default if it is absent or of another type.
  int64_t intAttribute(llvm::StringRef AttributeName, int64_t Default) const;
  float floatAttribute(llvm::StringRef AttributeName, float Default) const;
  std::string stringAttribute(llvm::StringRef AttributeName, llvm::StringRef Default) const;
  std::vector<int64_t> intsAttribute(llvm::StringRef AttributeName, llvm::ArrayRef<int64_t> Default = {}) const;
  /// Sets or adds an attribute.
  void setAttribute(llvm::StringRef AttributeName, AttributeValue NewValue);
  /// Adds an attribute as it is; none of its name may be there.
  void addAttribute(Attribute NewAttribute);
  /// Removes an attribute if it is there; returns whether it was.
  bool removeAttribute(llvm::StringRef AttributeName);
  /// The graphs among the attributes (bodies of If, Loop, Scan), in order.
  llvm::SmallVector<Graph *, 2> subgraphs() const;

  /// Fields of the serialised form that we do not model, as lib/ONNX wrote them.
  llvm::StringRef unmodelled() const { return Unmodelled; }
  void setUnmodelled(std::string Bytes) { Unmodelled = std::move(Bytes); }

private:
  friend class Graph;
  Node() = default;
  void dropAllInputs();

  std::string OpType;
  std::string Domain;
  std::string Overload;
  std::string Name;
  std::string Unmodelled;
  llvm::SmallVector<Value *, 4> Inputs;
  // Where the uses that these are stand among those of the values, so that a use is taken away in one step.
  llvm::SmallVector<unsigned, 4> UsePlaces;
  llvm::SmallVector<std::unique_ptr<Value>, 1> Outputs;
  std::vector<Attribute> Attributes;
  Graph *Parent = nullptr;
};

/// An error that names \p N: "node '<name>' (<operator>): <Reason>".
llvm::Error nodeError(const Node &N, const llvm::Twine &Reason);

/// A graph: the main graph of a model, the body of a function, or a node's subgraph.
class Graph {
public:
  using NodeList = llvm::iplist<Node>;
  using iterator = NodeList::iterator;
  using const_iterator = NodeList::const_iterator;

  /// A graph of \p Owner; \p ParentNode is the node whose attribute it is, null for a main graph or function body.
  explicit Graph(Model &Owner, Node *ParentNode = nullptr) : Owner(&Owner), ParentNode(ParentNode) {}
  Graph(const Graph &) = delete;
  Graph &operator=(const Graph &) = delete;
  ~Graph();

  Model &model() const { return *Owner; }
  Node *parentNode() const { return ParentNode; }
  void setParentNode(Node *NewParent) { ParentNode = NewParent; }
  llvm::StringRef name() const { return Name; }
  void setName(llvm::StringRef NewName) { Name = NewName.str(); }

  iterator begin() { return Nodes.begin(); }
  iterator end() { return Nodes.end(); }
  const_iterator begin() const { return Nodes.begin(); }
  const_iterator end() const { return Nodes.end(); }
  size_t numNodes() const { return Nodes.size(); }
  bool empty() const { return Nodes.empty(); }

  llvm::ArrayRef<Value *> inputs() const { return Inputs; }
  /// Initialisers in file order, those that are also inputs included.
  llvm::ArrayRef<Value *> initializers() const { return Initializers; }
  llvm::ArrayRef<Value *> outputs() const { return Outputs; }

  /// Appends an input.
  Value *addInput(llvm::StringRef ValueName, std::optional<TensorType> Type);
  /// Adds an initialiser. Its name is made unique if \p ValueName is taken. Before IR version 4 the model's inputs have
  /// to list all of them, so there it becomes one of the main graph, and an input (that no caller overrides).
  Value *addInitializer(llvm::StringRef ValueName, Tensor Init);
  /// Gives the input \p Input a default.
  void setDefault(Value *Input, Tensor Init);
  /// Makes the input \p Input, which has no default, an initialiser: it is no input any more.
  void fixInput(Value *Input, Tensor Init);
  /// Adds an initialiser that is not a dense tensor; its form is in the value's unmodelled().
  Value *addOpaqueInitializer(llvm::StringRef ValueName);
  /// Removes a dead input, with its default if it has one.
  void eraseInput(Value *Input);
  /// Removes a dead initialiser (an input stays an input and loses its default).
  void eraseInitializer(Value *Initializer);
  /// Appends \p Output (may be listed more than once) to the graph's outputs.
  void addOutput(Value *Output);
  /// Makes \p New the output at \p Index. Names are the caller's to keep.
  void setOutput(unsigned Index, Value *New);

  /// Inserts a node before \p Before, without outputs: add them with Node::addOutput. The inputs (null: left out)
  /// must be defined before that point.
  Node *insertNode(iterator Before, llvm::StringRef OpType, llvm::ArrayRef<Value *> NodeInputs,
                   llvm::StringRef Domain = "");
  /// Inserts a node with one output, whose name is made unique from \p OutputName; returns the output.
  Value *insert(iterator Before, llvm::StringRef OpType, llvm::ArrayRef<Value *> NodeInputs,
                const llvm::Twine &OutputName, llvm::StringRef Domain = "");
  /// Erases a node whose outputs are all dead (assert). Returns the iterator after it: other iterators stay valid.
  iterator erase(Node *Dead);
  /// Moves \p Moved to stand before \p Before.
  void moveBefore(Node *Moved, iterator Before);
  static iterator iteratorTo(Node *Of) { return Of->getIterator(); }

  /// Calls \p Visit for this graph's nodes and those of subgraphs, outer before inner, in order.
  void walk(llvm::function_ref<void(Node &)> Visit);

  /// Fields of the serialised form that we do not model, as lib/ONNX wrote them.
  llvm::StringRef unmodelled() const { return Unmodelled; }
  void setUnmodelled(std::string Bytes) { Unmodelled = std::move(Bytes); }

private:
  friend class Value;
  void clearOutputs();

  Model *Owner;
  Node *ParentNode;
  std::string Name;
  std::string Unmodelled;
  std::vector<std::unique_ptr<Value>> OwnedValues;
  std::vector<Value *> Inputs;
  std::vector<Value *> Initializers;
  std::vector<Value *> Outputs;
  NodeList Nodes;
};

/// The sizes of \p V; none of a scalar, and if not even the rank is known.
llvm::ArrayRef<Dim> knownSizes(const Value &V);

} // namespace deepshare

#endif // DEEPSHARE_IR_GRAPH_H
