//===- Model.cpp - a model: main graph, functions, opsets -----------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/IR/Model.h"

#include "deepshare/IR/Cloner.h"

using namespace deepshare;

int64_t deepshare::opsetVersion(llvm::ArrayRef<OpsetImport> Imports, llvm::StringRef Domain) {
  const auto *Import = llvm::find_if(Imports, [&](const OpsetImport &I) { return I.Domain == Domain; });
  return Import == Imports.end() ? 0 : Import->Version;
}

Model::Model() : Main(std::make_unique<Graph>(*this)) {}
Model::~Model() = default;

const Function *Model::function(const Node &Caller) const {
  for (const Function &F : Functions)
    if (F.Name == Caller.opType() && F.Domain == Caller.domain() && F.Overload == Caller.overload())
      return &F;
  return nullptr;
}

void Model::addOpset(llvm::StringRef Domain, int64_t Version) {
  if (!opsetVersion(Domain))
    Opsets.push_back({Domain.str(), Version});
}

void Model::reserveName(llvm::StringRef Taken) {
  if (!Taken.empty())
    Names.insert(Taken);
}

std::string Model::uniqueName(const llvm::Twine &Base) {
  std::string Stem = Base.str();
  std::string Candidate = Stem;
  // Each stem remembers the last number it got, so that n names of one stem take n steps in all.
  while (Candidate.empty() || !Names.insert(Candidate).second)
    Candidate = Stem + "_" + std::to_string(++NextSuffix[Stem]);
  return Candidate;
}

std::unique_ptr<Model> Model::clone() const {
  auto Copy = std::make_unique<Model>();
  Copy->Opsets = Opsets;
  Copy->IRVersion = IRVersion;
  Copy->Unmodelled = Unmodelled;
  Copy->Files = Files;
  Copy->Names = Names;
  Copy->NextSuffix = NextSuffix;
  Cloner(*Copy).cloneGraph(*Main, *Copy->Main);
  for (const Function &F : Functions) {
    Function G{F.Domain,    F.Name, F.Overload, F.AttributeNames, {}, F.Opsets, std::make_unique<Graph>(*Copy),
               F.Unmodelled};
    Cloner C(*Copy);
    for (const Attribute &A : F.AttributeDefaults)
      G.AttributeDefaults.push_back(C.cloneAttribute(A, nullptr));
    C.cloneGraph(*F.Body, *G.Body);
    Copy->Functions.push_back(std::move(G));
  }
  return Copy;
}
