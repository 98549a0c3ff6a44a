//===- Kernels.cpp - the table of operators -------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"

#include "deepshare/Exec/Exec.h"

#include "llvm/ADT/StringMap.h"

using namespace deepshare;
using namespace deepshare::exec;

static std::string qualifiedName(llvm::StringRef Domain, llvm::StringRef Name) {
  return Domain.empty() ? Name.str() : (Domain + "." + Name).str();
}

static const llvm::StringMap<const Operator *> &table() {
  static const llvm::StringMap<const Operator *> Table = [] {
    llvm::StringMap<const Operator *> Built;
    for (llvm::ArrayRef<Operator> Family :
         {activationOperators(), arithmeticOperators(), comparisonOperators(), constantOperators(),
          controlFlowOperators(), convolutionOperators(), gateOperators(), indexingOperators(), linearOperators(),
          normalizationOperators(), poolingOperators(), quantizationOperators(), reductionOperators(),
          resizeOperators(), shapeOperators(), slicingOperators()})
      for (const Operator &Op : Family) {
        [[maybe_unused]] bool IsNew = Built.try_emplace(qualifiedName(Op.Domain, Op.Name), &Op).second;
        assert(IsNew && "two kernels for one operator");
      }
    return Built;
  }();
  return Table;
}

const Operator *exec::findOperator(llvm::StringRef Domain, llvm::StringRef Name) {
  return table().lookup(qualifiedName(Domain, Name));
}

std::vector<std::string> deepshare::executableOperators() {
  std::vector<std::string> Names;
  for (const auto &Entry : table())
    Names.push_back(Entry.first().str());
  llvm::sort(Names);
  return Names;
}
