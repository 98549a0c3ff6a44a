//===- RunModels.cpp - runs a pipeline on many models ---------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// passes-run-models IN OUT PIPELINE: runs the pipeline on every IN/*.onnx and writes it to the same name in OUT. Prints
// "name message" for each model that fails, and goes on. backend_equivalence.py compares the two.
//
//===----------------------------------------------------------------------===//

#include "deepshare/ONNX/ONNX.h"
#include "deepshare/passes/Pass.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

using namespace deepshare;

static llvm::Error runOn(llvm::StringRef From, llvm::StringRef To, Pipeline &Passes) {
  llvm::Expected<std::unique_ptr<Model>> M = readModel(From);
  if (!M)
    return M.takeError();
  PassContext Context;
  PipelineOptions Options;
  Options.VerifyEach = true;
  if (llvm::Expected<bool> Changed = Passes.run(**M, Context, Options); !Changed)
    return Changed.takeError();
  return writeModel(**M, To);
}

int main(int Argc, char **Argv) {
  if (Argc != 4) {
    llvm::errs() << "usage: passes-run-models IN OUT PIPELINE\n";
    return 1;
  }
  llvm::Expected<Pipeline> Passes = Pipeline::parse(Argv[3]);
  if (!Passes) {
    llvm::errs() << llvm::toString(Passes.takeError()) << '\n';
    return 1;
  }
  std::error_code Code;
  for (llvm::sys::fs::directory_iterator File(Argv[1], Code), End; !Code && File != End; File.increment(Code)) {
    if (!llvm::StringRef(File->path()).ends_with(".onnx"))
      continue;
    llvm::StringRef Name = llvm::sys::path::filename(File->path());
    llvm::SmallString<128> To(Argv[2]);
    llvm::sys::path::append(To, Name);
    if (llvm::Error E = runOn(File->path(), To, *Passes))
      llvm::outs() << Name << ' ' << llvm::toString(std::move(E)) << '\n';
  }
  if (Code)
    llvm::errs() << Argv[1] << ": " << Code.message() << '\n';
  return Code ? 1 : 0;
}
