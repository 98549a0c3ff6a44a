//===- Model.h - a model: main graph, functions, opsets ---------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_IR_MODEL_H
#define DEEPSHARE_IR_MODEL_H

#include "deepshare/IR/Graph.h"

#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Error.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace deepshare {

/// Domain ("" is ONNX's own) and version of an operator set.
struct OpsetImport {
  std::string Domain;
  int64_t Version = 0;
};

/// Version of \p Domain among \p Imports; 0 if none imports it.
int64_t opsetVersion(llvm::ArrayRef<OpsetImport> Imports, llvm::StringRef Domain = "");

/// A model-local function: an operator defined by a graph.
struct Function {
  std::string Domain;
  std::string Name;
  std::string Overload;
  /// Attributes without a default.
  std::vector<std::string> AttributeNames;
  /// Attributes with a default.
  std::vector<Attribute> AttributeDefaults;
  std::vector<OpsetImport> Opsets;
  /// Inputs and outputs are those of the body; its values have names but often no types.
  std::unique_ptr<Graph> Body;
  /// Fields of the serialised form that we do not model, as lib/ONNX wrote them.
  std::string Unmodelled;
};

/// The files that a model was read from; empty if it was not.
struct ModelFiles {
  std::string Path;
  /// Files beside it that hold tensors.
  std::vector<std::string> Data;
};

/// A whole model.
class Model {
public:
  Model();
  Model(const Model &) = delete;
  Model &operator=(const Model &) = delete;
  ~Model();

  Graph &graph() { return *Main; }
  const Graph &graph() const { return *Main; }

  std::vector<Function> &functions() { return Functions; }
  const std::vector<Function> &functions() const { return Functions; }
  /// The function that \p Caller calls, or null.
  const Function *function(const Node &Caller) const;

  std::vector<OpsetImport> &opsets() { return Opsets; }
  llvm::ArrayRef<OpsetImport> opsets() const { return Opsets; }
  /// Version of \p Domain that the model imports; 0 if it does not.
  int64_t opsetVersion(llvm::StringRef Domain = "") const { return deepshare::opsetVersion(Opsets, Domain); }
  /// Imports \p Domain at \p Version unless it is imported already.
  void addOpset(llvm::StringRef Domain, int64_t Version);

  int64_t irVersion() const { return IRVersion; }
  void setIRVersion(int64_t Version) { IRVersion = Version; }

  /// Returns a name that no value of the model has, and takes it: \p Base itself or \p Base with a number. O(1).
  std::string uniqueName(const llvm::Twine &Base);
  /// Takes the name \p Taken, so that uniqueName never returns it.
  void reserveName(llvm::StringRef Taken);

  /// Where the model came from, so that writing it does not destroy what other files name.
  const ModelFiles &files() const { return Files; }
  void setFiles(ModelFiles NewFiles) { Files = std::move(NewFiles); }

  /// A deep copy; tensors are shared, since they never change.
  std::unique_ptr<Model> clone() const;

  /// Fields of the serialised form that we do not model, as lib/ONNX wrote them.
  llvm::StringRef unmodelled() const { return Unmodelled; }
  void setUnmodelled(std::string Bytes) { Unmodelled = std::move(Bytes); }

private:
  // Declared before the graphs, which use it while they are taken down.
  llvm::StringSet<> Names;
  llvm::StringMap<unsigned> NextSuffix;
  std::vector<OpsetImport> Opsets;
  std::vector<Function> Functions;
  std::unique_ptr<Graph> Main;
  int64_t IRVersion = 0;
  std::string Unmodelled;
  ModelFiles Files;
};

} // namespace deepshare

#endif // DEEPSHARE_IR_MODEL_H
