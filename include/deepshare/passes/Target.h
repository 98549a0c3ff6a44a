//===- Target.h - what the importers of frameworks take -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// A target is a table: the passes that bring a canonical model into the target's forms, and the operators, with their
// forms, that its importer takes. passes/targets has a file for each. `ds-opt --target=name` appends the passes and
// then `check-target`, which holds every node against the table.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_PASSES_TARGET_H
#define DEEPSHARE_PASSES_TARGET_H

#include "deepshare/IR/Model.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <string>

namespace deepshare {

/// An operator that a target takes.
struct AcceptedOperator {
  llvm::StringRef Type;
  /// Says why a node of this type is not taken all the same ("pads [0, 1, 0, 0] are not the same at both ends"); empty
  /// if it is. Null: every form is taken.
  std::string (*Refuse)(const Node &N) = nullptr;
  llvm::StringRef Domain = "";
};

/// A target. All of it is constant data.
struct Target {
  llvm::StringRef Name;
  /// What the target is, and in which versions it was tried.
  llvm::StringRef Description;
  /// The passes that bring a canonical model with inferred shapes into the target's forms.
  llvm::StringRef Pipeline;
  /// Sorted by domain and type; empty: whatever is an operator of ONNX.
  llvm::ArrayRef<AcceptedOperator> Operators;
  /// The newest opset that the importer knows; 0: whatever there is. ds-opt converts newer models.
  int64_t NewestOpset = 0;
  /// Says why the target does not take the model as a whole; empty if it does. May be null.
  std::string (*RefuseModel)(const Model &M) = nullptr;
};

Target onnxTarget();
Target cryptenTarget();
Target spuTarget();

/// Every target, sorted by name.
llvm::ArrayRef<Target> allTargets();
/// The target of this name, or null.
const Target *findTarget(llvm::StringRef Name);
/// Their names, with commas between them, for messages.
std::string targetNames();

} // namespace deepshare

#endif // DEEPSHARE_PASSES_TARGET_H
