//===- RunNodes.cpp - runs many models in one process ---------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// exec-run-nodes FOLDER: runs each model FOLDER/<case>/model.onnx on each FOLDER/<case>/in<k>.onnx, whose initialisers
// are the inputs in order, and writes the outputs in the same form to FOLDER/<case>/out<k>.onnx. Prints a line
// "<case> refused <reason>", "<case> failed <reason>" or "<case> done" for each case. node_tests.py compares.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Exec/Exec.h"
#include "deepshare/ONNX/ONNX.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include <ATen/ATen.h>
#include <algorithm>

using namespace deepshare;

static llvm::Error runOn(Executor &E, llvm::StringRef In, llvm::StringRef Out) {
  // A model of initialisers alone: readModel() asks for outputs.
  llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>> Bytes = llvm::errorOrToExpected(llvm::MemoryBuffer::getFile(In));
  if (!Bytes)
    return Bytes.takeError();
  llvm::Expected<std::unique_ptr<Model>> Data = readModelFromBytes((*Bytes)->getBuffer(), In);
  if (!Data)
    return Data.takeError();
  std::vector<at::Tensor> Inputs;
  for (const Value *Init : (*Data)->graph().initializers()) {
    llvm::Expected<at::Tensor> T = toATen(*Init->initializer());
    if (!T)
      return T.takeError();
    Inputs.push_back(*T);
  }
  llvm::Expected<std::vector<at::Tensor>> Outputs = E.run(Inputs);
  if (!Outputs)
    return Outputs.takeError();
  Model Result;
  Result.setIRVersion((*Data)->irVersion());
  Result.opsets().assign((*Data)->opsets().begin(), (*Data)->opsets().end());
  for (const at::Tensor &Output : *Outputs) {
    llvm::Expected<Tensor> T = fromATen(Output);
    if (!T)
      return T.takeError();
    Result.graph().addInitializer("output", *T);
  }
  return writeModel(Result, Out);
}

/// Returns the line to print.
static std::string runCase(llvm::StringRef Folder) {
  llvm::Expected<std::unique_ptr<Model>> M = readModel((Folder + "/model.onnx").str());
  if (!M)
    return "refused " + llvm::toString(M.takeError());
  llvm::Expected<std::unique_ptr<Executor>> E = Executor::create(**M);
  if (!E)
    return "refused " + llvm::toString(E.takeError());
  for (unsigned Set = 0;; ++Set) {
    std::string In = (Folder + "/in" + llvm::Twine(Set) + ".onnx").str();
    if (!llvm::sys::fs::exists(In))
      return "done";
    if (llvm::Error Failure = runOn(**E, In, (Folder + "/out" + llvm::Twine(Set) + ".onnx").str()))
      return "failed " + llvm::toString(std::move(Failure));
  }
}

int main(int Argc, char **Argv) {
  if (Argc != 2) {
    llvm::errs() << "usage: exec-run-nodes FOLDER\n";
    return 1;
  }
  c10::InferenceMode NoGradients;
  std::error_code Code;
  for (llvm::sys::fs::directory_iterator Case(Argv[1], Code), End; !Code && Case != End; Case.increment(Code)) {
    std::string Line = runCase(Case->path());
    std::replace(Line.begin(), Line.end(), '\n', ' ');
    llvm::outs() << llvm::sys::path::filename(Case->path()) << ' ' << Line << '\n';
    llvm::outs().flush();
  }
  if (Code)
    llvm::errs() << Argv[1] << ": " << Code.message() << '\n';
  return Code ? 1 : 0;
}
