//===- EliminateCommonSubexpressions.cpp - computes nothing twice ---------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
//   a = Relu(x)
//   b = Relu(x)            =>      a = Relu(x)
//   y = Add(a, b)                  y = Add(a, a)
//
// A gate that is written twice is paid twice; here the second one goes.
//
// Two nodes are the same if
// 1. both are ONNX's own, without subgraphs and not random;
// 2. operator, inputs and attributes are equal;
// 3. the outputs of the later one are no outputs of a graph, whose names must stay;
// 4. the earlier one has every output that the later one's users need.
// The earlier one stays. So that operands can be equal, constants of one type, shape and content are made one first, if
// they have at most 4 KiB: shapes, axes, scalars and biases, but not weights, whose comparison would cost more than it
// finds.
//
// Scope: main graph and subgraphs, each for itself; in functions nodes only.
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/EliminateCommonSubexpressions.h"

#include "Purity.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/raw_ostream.h"

using namespace deepshare;

static constexpr size_t LargestCompared = 4096;

namespace {
/// Collects what two nodes or constants must agree in as a string of bytes. Every part is preceded by its length or has
/// a fixed one, so that different parts never give the same string.
class Key {
public:
  template <typename T> void add(T Number) {
    static_assert(std::is_trivially_copyable_v<T> && !std::is_class_v<T>);
    Bytes.append(reinterpret_cast<const char *>(&Number), sizeof(T));
  }
  void add(llvm::StringRef Text) {
    add(Text.size());
    Bytes.append(Text.begin(), Text.end());
  }
  void add(const std::string &Text) { add(llvm::StringRef(Text)); }
  template <typename T> void add(const std::vector<T> &Parts) {
    add(Parts.size());
    for (const T &Part : Parts)
      add(Part);
  }
  void add(const Tensor &T) {
    add(T.elementType());
    add(T.dims().vec());
    add(llvm::StringRef(T.bytes().data(), T.bytes().size()));
    add(T.strings().vec());
  }
  void add(const OpaqueAttribute &A) { add(A.Type); }
  void add(const AttributeReference &A) {
    add(A.Name);
    add(A.Type);
  }
  // Nodes with subgraphs are not pure and never get here.
  void add(const std::unique_ptr<Graph> &) { llvm_unreachable("a pure node has no subgraphs"); }

  void add(const Attribute &A) {
    add(A.Name);
    add(A.Value.index());
    std::visit([&](const auto &Payload) { add(Payload); }, A.Value);
    add(A.Unmodelled);
  }

  llvm::StringRef bytes() const { return Bytes; }

private:
  std::string Bytes;
};

class EliminateCommonSubexpressions : public Pass {
public:
  llvm::Expected<bool> run(Model &M, PassContext &) override {
    uint64_t Before = Nodes + Constants;
    runOnGraph(M.graph());
    for (Function &F : M.functions())
      runOnGraph(*F.Body);
    return Nodes + Constants != Before;
  }

  PassStatistics statistics() const override {
    return {{"nodes that were computed before", Nodes}, {"constants that were there before", Constants}};
  }

private:
  void runOnGraph(Graph &G) {
    mergeConstants(G);
    llvm::StringMap<Node *> Earlier;
    for (auto It = G.begin(); It != G.end();) {
      Node &N = *It++;
      for (Graph *Subgraph : N.subgraphs())
        runOnGraph(*Subgraph);
      if (!isPure(N))
        continue;
      auto [Entry, IsNew] = Earlier.try_emplace(keyOf(N).bytes(), &N);
      if (!IsNew && replace(N, *Entry->second))
        ++Nodes;
    }
  }

  void mergeConstants(Graph &G) {
    llvm::StringMap<Value *> Earlier;
    for (Value *Init : G.initializers().vec()) {
      const Tensor *T = Init->constant();
      if (!T || T->bytes().size() > LargestCompared || Init->isGraphOutput())
        continue;
      Key K;
      K.add(*T);
      auto [Entry, IsNew] = Earlier.try_emplace(K.bytes(), Init);
      if (IsNew || !Init->hasUses())
        continue;
      Init->replaceAllUsesWith(Entry->second);
      ++Constants;
    }
  }

  static Key keyOf(const Node &N) {
    Key K;
    K.add(N.opType());
    K.add(N.numInputs());
    for (const Value *Input : N.inputs())
      K.add(Input);
    K.add(N.attributes().size());
    llvm::SmallVector<const Attribute *> Sorted;
    for (const Attribute &A : N.attributes())
      Sorted.push_back(&A);
    llvm::sort(Sorted, [](const Attribute *A, const Attribute *B) { return A->Name < B->Name; });
    for (const Attribute *A : Sorted)
      K.add(*A);
    return K;
  }

  /// Hands the users of \p N over to \p Same and erases N, if that is legal.
  static bool replace(Node &N, Node &Same) {
    for (unsigned I = 0; I < N.numOutputs(); ++I) {
      const Value *Output = N.output(I);
      if (Output->isGraphOutput() || (Output->hasUses() && (I >= Same.numOutputs() || Same.output(I)->name().empty())))
        return false;
    }
    for (unsigned I = 0; I < N.numOutputs(); ++I)
      if (N.output(I)->hasUses())
        N.output(I)->replaceAllUsesWith(Same.output(I));
    N.parent()->erase(&N);
    return true;
  }

  uint64_t Nodes = 0;
  uint64_t Constants = 0;
};
} // namespace

PassInfo deepshare::eliminateCommonSubexpressionsPass() {
  return {.Name = "eliminate-common-subexpressions",
          .Contract = "Keeps one of several nodes, or of several small constants, that are the same.",
          .Options = {},
          .Create = createPass<EliminateCommonSubexpressions>,
          .Alias = {},
          .Effect = PassEffect::Exact};
}
