//===- Fingerprint.cpp - identifies a model's structure -------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/IR/Fingerprint.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/SHA256.h"

using namespace deepshare;

namespace {
/// Feeds a description of a graph to a hash. Values are called by the order in which they are first met.
class Hasher {
public:
  std::string run(const Graph &G) {
    addGraph(G);
    return llvm::toHex(Hash.final(), /*LowerCase=*/true);
  }

private:
  // Each item ends in a byte that no text holds, so that neighbours cannot run into each other.
  void add(llvm::StringRef Text) {
    Hash.update(Text);
    Hash.update(llvm::StringRef("\0", 1));
  }
  void add(int64_t Number) { add(llvm::StringRef(std::to_string(Number))); }
  void add(float Number) { add(static_cast<int64_t>(llvm::bit_cast<uint32_t>(Number))); }
  void add(const std::string &Text) { add(llvm::StringRef(Text)); }
  template <typename T> void add(const std::vector<T> &Items) {
    add(static_cast<int64_t>(Items.size()));
    for (const T &Item : Items)
      add(Item);
  }
  void add(const Tensor &T) { add(T.type().str()); }
  void add(const std::unique_ptr<Graph> &G) { addGraph(*G); }
  void add(const OpaqueAttribute &A) { add(static_cast<int64_t>(A.Type)); }
  void add(const AttributeReference &A) { add(A.Name); }

  void addValue(const Value *V) {
    add(V ? static_cast<int64_t>(Numbers.try_emplace(V, Numbers.size()).first->second) : -1);
  }

  void addGraph(const Graph &G) {
    for (const Value *Input : G.inputs()) {
      addValue(Input);
      add(Input->type() ? Input->type()->str() : "");
    }
    for (const Node &N : G) {
      add(N.domain());
      add(N.opType());
      for (const Value *Input : N.inputs()) {
        addValue(Input);
        if (Input && Input->initializer())
          add(*Input->initializer());
      }
      for (const Value *Output : N.outputs())
        addValue(Output);
      for (const Attribute &A : N.attributes()) {
        add(A.Name);
        std::visit([&](const auto &Payload) { add(Payload); }, A.Value);
      }
    }
    for (const Value *Output : G.outputs())
      addValue(Output);
  }

  llvm::SHA256 Hash;
  llvm::DenseMap<const Value *, size_t> Numbers;
};
} // namespace

std::string deepshare::structureFingerprint(const Model &M) { return Hasher().run(M.graph()); }
