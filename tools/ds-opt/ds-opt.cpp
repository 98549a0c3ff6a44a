//===- ds-opt.cpp - DeepShare's optimiser ---------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Driver.h"

#include "deepshare/Exec/Exec.h"

#include "llvm/Support/InitLLVM.h"

using namespace deepshare;

int main(int Argc, char **Argv) {
  llvm::InitLLVM Init(Argc, Argv);
  llvm::ExitOnError ExitOnErr("ds-opt: error: ");
  DriverOptions Options = ExitOnErr(parseCommandLine(Argc, Argv));
  useOneBlasThread();
  ExitOnErr(runDriver(Options, llvm::outs(), llvm::errs()));
  llvm::outs().flush();
  if (std::error_code Failure = llvm::outs().error()) {
    llvm::outs().clear_error();
    ExitOnErr(llvm::createStringError("standard output: " + Failure.message()));
  }
  return 0;
}
