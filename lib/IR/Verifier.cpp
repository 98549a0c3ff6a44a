//===- Verifier.cpp - checks the invariants of the IR ---------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/IR/Verifier.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/StringMap.h"

#include <fmt/format.h>

using namespace deepshare;

namespace {
/// What all graphs of a verification share: the uses that values list. Each is an input of a node.
using UseSet = llvm::DenseSet<std::pair<const Node *, unsigned>>;

/// Walks a graph in order and keeps what is defined so far; a subgraph sees what its surroundings defined before it.
class GraphVerifier {
public:
  GraphVerifier(const Graph &G, const Node *ParentNode, const GraphVerifier *Outer, UseSet &ListedUses)
      : G(G), ParentNode(ParentNode), Outer(Outer), ListedUses(ListedUses) {}

  llvm::Error run() {
    if (G.parentNode() != ParentNode)
      return fail("the graph's parent is not the node that holds it");
    for (const Value *Input : G.inputs())
      if (llvm::Error E = define(*Input))
        return E;
    for (const Value *Init : G.initializers())
      if (llvm::Error E = checkInitializer(*Init))
        return E;
    for (const Node &N : G)
      if (llvm::Error E = checkNode(N))
        return E;
    for (const Value *Output : G.outputs()) {
      if (!Output || !isDefined(*Output))
        return fail(fmt::format("graph output '{}' is not defined", Output ? Output->name() : ""));
      if (lookup(Output->name()) != Output)
        return fail(fmt::format("graph output '{}' is hidden by another value of this name", Output->name()));
      if (!Output->isGraphOutput())
        return fail(fmt::format("graph output '{}' does not know that it is one", Output->name()));
    }
    return llvm::Error::success();
  }

private:
  llvm::Error fail(const std::string &Reason) const {
    return llvm::createStringError(fmt::format("invalid graph '{}': {}", G.name().str(), Reason));
  }
  llvm::Error fail(const Node &N, const std::string &Reason) const {
    return fail(llvm::toString(nodeError(N, Reason)));
  }

  bool isDefined(const Value &V) const { return Defined.contains(&V) || (Outer && Outer->isDefined(V)); }

  // The value that a reader of the file would find under a name here.
  const Value *lookup(llvm::StringRef Name) const {
    if (const Value *Found = Names.lookup(Name))
      return Found;
    return Outer ? Outer->lookup(Name) : nullptr;
  }

  llvm::Error define(const Value &V) {
    if (V.parent() != &G)
      return fail(fmt::format("value '{}' belongs to another graph", V.name().str()));
    if (V.name().empty()) {
      if (!V.isDead() || !V.producer())
        return fail("a value without a name is used, an input or an initialiser");
    } else if (!Names.try_emplace(V.name(), &V).second) {
      return fail(fmt::format("two values are named '{}'", V.name().str()));
    }
    Defined.insert(&V);
    for (const Use &U : V.uses())
      if (U.User->input(U.Index) != &V || !ListedUses.insert({U.User, U.Index}).second)
        return fail(*U.User, fmt::format("input {} is not the value '{}' that lists it as a use, or is listed twice",
                                         U.Index, V.name().str()));
    return llvm::Error::success();
  }

  llvm::Error checkInitializer(const Value &Init) {
    if (!Init.isInitializer())
      return fail(fmt::format("initialiser '{}' does not know that it is one", Init.name().str()));
    if (!Init.isGraphInput())
      if (llvm::Error E = define(Init))
        return E;
    if (const Tensor *T = Init.initializer())
      return checkTensor(*T, Init.name());
    return llvm::Error::success();
  }

  llvm::Error checkTensor(const Tensor &T, llvm::StringRef Name) const {
    std::optional<int64_t> Count = numElements(T.dims());
    if (!Count)
      return fail(fmt::format("tensor '{}' has impossible dimensions", Name.str()));
    size_t Expected = *Count;
    if (T.elementType() == ElementType::String) {
      if (T.strings().size() != Expected)
        return fail(fmt::format("tensor '{}': expected {} strings, got {}", Name.str(), Expected, T.strings().size()));
      return llvm::Error::success();
    }
    size_t Size = elementSize(T.elementType());
    if (Size && (T.bytes().size() % Size || T.bytes().size() / Size != Expected))
      return fail(fmt::format("tensor '{}': expected {} elements of {} bytes, got {} bytes", Name.str(), Expected, Size,
                              T.bytes().size()));
    return llvm::Error::success();
  }

  llvm::Error checkNode(const Node &N) {
    if (N.parent() != &G)
      return fail(N, "belongs to another graph");
    for (unsigned I = 0; I < N.numInputs(); ++I) {
      const Value *Input = N.input(I);
      if (!Input)
        continue;
      if (!isDefined(*Input))
        return fail(N, fmt::format("input {} ('{}') is not defined before the node", I, Input->name().str()));
      if (lookup(Input->name()) != Input)
        return fail(N, fmt::format("input {} ('{}') is hidden by another value of this name", I, Input->name().str()));
      if (!ListedUses.contains({&N, I}))
        return fail(N, fmt::format("input {} ('{}') does not list the node as a use", I, Input->name().str()));
    }
    for (const Attribute &A : N.attributes())
      if (llvm::Error E = checkAttribute(A))
        return E;
    for (const Graph *Subgraph : N.subgraphs())
      if (llvm::Error E = GraphVerifier(*Subgraph, &N, this, ListedUses).run())
        return E;
    for (unsigned I = 0; I < N.numOutputs(); ++I) {
      const Value &Output = *N.output(I);
      if (Output.producer() != &N || Output.outputIndex() != I)
        return fail(N, fmt::format("output {} names another producer", I));
      if (llvm::Error E = define(Output))
        return E;
    }
    return llvm::Error::success();
  }

  llvm::Error checkAttribute(const Attribute &A) const {
    if (const auto *T = std::get_if<Tensor>(&A.Value))
      return checkTensor(*T, A.Name);
    if (const auto *Many = std::get_if<std::vector<Tensor>>(&A.Value))
      for (const Tensor &T : *Many)
        if (llvm::Error E = checkTensor(T, A.Name))
          return E;
    return llvm::Error::success();
  }

  const Graph &G;
  const Node *ParentNode;
  const GraphVerifier *Outer;
  UseSet &ListedUses;
  llvm::DenseSet<const Value *> Defined;
  llvm::StringMap<const Value *> Names;
};
} // namespace

llvm::Error deepshare::verify(const Model &M) {
  UseSet ListedUses;
  if (llvm::Error E = GraphVerifier(M.graph(), nullptr, nullptr, ListedUses).run())
    return E;
  for (const Function &F : M.functions())
    if (llvm::Error E = GraphVerifier(*F.Body, nullptr, nullptr, ListedUses).run())
      return E;
  return llvm::Error::success();
}
