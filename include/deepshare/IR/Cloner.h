//===- Cloner.h - copies of nodes and graphs --------------------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_IR_CLONER_H
#define DEEPSHARE_IR_CLONER_H

#include "deepshare/IR/Graph.h"

#include "llvm/ADT/DenseMap.h"

namespace deepshare {

/// Copies nodes, attributes and graphs, subgraphs included, within a model or into another one. Remembers what became
/// of each value, so that what is copied later, and subgraphs, find it. Copies say what the original says, under the
/// same names; who wants it otherwise overrides a hook.
class Cloner {
public:
  /// Copies belong to \p Into.
  explicit Cloner(Model &Into) : Into(Into) {}
  virtual ~Cloner() = default;

  /// Has copies use \p To where the original uses \p From; null: no value.
  void map(const Value *From, Value *To) { Copies[From] = To; }

  /// What stands for \p From in copies; null if nothing does, or if it is mapped to no value. What copied nodes use
  /// from outside has to be mapped.
  Value *lookup(const Value *From) const { return Copies.lookup(From); }

  /// A copy of \p From before \p Place. Its inputs are to be copied or mapped already.
  Node *cloneNode(const Node &From, Graph &To, Graph::iterator Place);

  /// Fills \p To, which is empty, with all that \p From holds.
  void cloneGraph(const Graph &From, Graph &To);

  /// A copy of \p From, for \p ParentNode if it holds graphs.
  Attribute cloneAttribute(const Attribute &From, Node *ParentNode);

protected:
  /// The name of the copy of \p From.
  virtual std::string nameOf(const Value &From) { return From.name().str(); }
  virtual std::string nameOf(const Node &From) { return From.name().str(); }

  /// Gives \p To, the copy of \p From, its type and what we do not model of it.
  virtual void describe(const Value &From, Value &To);

  /// \p Type without names of sizes. What is copied more than once needs it: a name stands for one size in the whole
  /// model, and in each copy for another one.
  static std::optional<TensorType> withoutNames(std::optional<TensorType> Type);

  /// What the copy of \p From has of what we do not model.
  virtual std::string unmodelledOf(const Graph &From) { return From.unmodelled().str(); }

  /// The attribute whose copy the copy of a node gets under the name of \p A; null: none.
  virtual const Attribute *resolve(const Attribute &A) { return &A; }

  /// What copies belong to.
  Model &Into;

private:
  void copyValue(const Value &From, Value &To) {
    describe(From, To);
    map(&From, &To);
  }
  std::unique_ptr<Graph> cloneSubgraph(const Graph &From, Node *ParentNode);

  llvm::DenseMap<const Value *, Value *> Copies;
};

} // namespace deepshare

#endif // DEEPSHARE_IR_CLONER_H
