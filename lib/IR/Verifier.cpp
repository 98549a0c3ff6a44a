//===- Verifier.cpp - checks the invariants of the IR ---------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/IR/Verifier.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/StringSet.h"

#include <fmt/format.h>

using namespace deepshare;

namespace {
/// Walks a graph in order and keeps what is defined so far; a subgraph sees what its surroundings defined before it.
class GraphVerifier {
public:
  GraphVerifier(const Graph &G, const Node *ParentNode, const llvm::DenseSet<const Value *> &Outer,
                const llvm::StringSet<> &OuterNames)
      : G(G), ParentNode(ParentNode), Defined(Outer), Names(OuterNames) {}

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
      if (!Output || !Defined.contains(Output))
        return fail(fmt::format("graph output '{}' is not defined", Output ? Output->name() : ""));
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
    return llvm::createStringError(fmt::format("invalid graph '{}': node '{}' ({}): {}", G.name().str(),
                                               N.displayName().str(), N.opType().str(), Reason));
  }

  llvm::Error define(const Value &V) {
    if (V.parent() != &G)
      return fail(fmt::format("value '{}' belongs to another graph", V.name().str()));
    if (!V.name().empty() && !Names.insert(V.name()).second)
      return fail(fmt::format("two values are named '{}'", V.name().str()));
    if (V.name().empty() && !V.isDead())
      return fail("a value without a name is used");
    Defined.insert(&V);
    for (const Use &U : V.uses())
      if (U.User->input(U.Index) != &V)
        return fail(*U.User,
                    fmt::format("input {} is not the value '{}' that lists it as a use", U.Index, V.name().str()));
    return llvm::Error::success();
  }

  llvm::Error checkInitializer(const Value &Init) {
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
    if (T.elementType() == ElementType::String) {
      if (T.strings().size() != static_cast<size_t>(*Count))
        return fail(fmt::format("tensor '{}': expected {} strings, got {}", Name.str(), *Count, T.strings().size()));
      return llvm::Error::success();
    }
    unsigned Size = elementSize(T.elementType());
    if (Size && T.bytes().size() / Size != static_cast<size_t>(*Count))
      return fail(
          fmt::format("tensor '{}': expected {} elements, got {}", Name.str(), *Count, T.bytes().size() / Size));
    return llvm::Error::success();
  }

  llvm::Error checkNode(const Node &N) {
    if (N.parent() != &G)
      return fail(N, "belongs to another graph");
    for (unsigned I = 0; I < N.numInputs(); ++I) {
      const Value *Input = N.input(I);
      if (!Input)
        continue;
      if (!Defined.contains(Input))
        return fail(N, fmt::format("input {} ('{}') is not defined before the node", I, Input->name().str()));
      if (!llvm::is_contained(Input->uses(), Use{const_cast<Node *>(&N), I}))
        return fail(N, fmt::format("input {} ('{}') does not list the node as a use", I, Input->name().str()));
    }
    for (const Attribute &A : N.attributes())
      if (const auto *T = std::get_if<Tensor>(&A.Value))
        if (llvm::Error E = checkTensor(*T, A.Name))
          return E;
    for (const Graph *Subgraph : N.subgraphs())
      if (llvm::Error E = GraphVerifier(*Subgraph, &N, Defined, Names).run())
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

  const Graph &G;
  const Node *ParentNode;
  llvm::DenseSet<const Value *> Defined;
  llvm::StringSet<> Names;
};
} // namespace

llvm::Error deepshare::verify(const Model &M) {
  if (llvm::Error E = GraphVerifier(M.graph(), nullptr, {}, {}).run())
    return E;
  for (const Function &F : M.functions())
    if (llvm::Error E = GraphVerifier(*F.Body, nullptr, {}, {}).run())
      return E;
  return llvm::Error::success();
}
