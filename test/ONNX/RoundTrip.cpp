//===- RoundTrip.cpp - imports and exports models -------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// onnx-round-trip IN OUT: reads every IN/*.onnx, verifies it, and writes it, by way of a clone, to the same name in
// OUT. round_trip.py compares the two.
//
//===----------------------------------------------------------------------===//

#include "deepshare/IR/Verifier.h"
#include "deepshare/ONNX/ONNX.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

using namespace deepshare;

static llvm::Error roundTrip(llvm::StringRef From, llvm::StringRef To) {
  llvm::Expected<std::unique_ptr<Model>> M = readModel(From);
  if (!M)
    return M.takeError();
  if (llvm::Error E = verify(**M))
    return E;
  std::unique_ptr<Model> Clone = (*M)->clone();
  M->reset();
  if (llvm::Error E = verify(*Clone))
    return E;
  return writeModel(*Clone, To);
}

int main(int Argc, char **Argv) {
  if (Argc != 3) {
    llvm::errs() << "usage: onnx-round-trip IN OUT\n";
    return 1;
  }
  int Failures = 0;
  std::error_code Code;
  for (llvm::sys::fs::directory_iterator File(Argv[1], Code), End; !Code && File != End; File.increment(Code)) {
    if (!llvm::StringRef(File->path()).ends_with(".onnx"))
      continue;
    llvm::SmallString<128> To(Argv[2]);
    llvm::sys::path::append(To, llvm::sys::path::filename(File->path()));
    if (llvm::Error E = roundTrip(File->path(), To)) {
      llvm::errs() << llvm::toString(std::move(E)) << '\n';
      ++Failures;
    }
  }
  if (Code)
    llvm::errs() << Argv[1] << ": " << Code.message() << '\n';
  return Failures || Code ? 1 : 0;
}
