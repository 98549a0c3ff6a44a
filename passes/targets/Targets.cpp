//===- Targets.cpp - the registry of all targets --------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/Target.h"

#include "llvm/ADT/STLExtras.h"

using namespace deepshare;

llvm::ArrayRef<Target> deepshare::allTargets() {
  static const Target Table[] = {cryptenTarget(), onnxTarget(), spuTarget()};
  return Table;
}

const Target *deepshare::findTarget(llvm::StringRef Name) {
  const auto *Found = llvm::find_if(allTargets(), [&](const Target &T) { return T.Name == Name; });
  return Found == allTargets().end() ? nullptr : Found;
}

std::string deepshare::targetNames() {
  std::string Names;
  for (const Target &T : allTargets())
    Names += (Names.empty() ? "" : ", ") + T.Name.str();
  return Names;
}
