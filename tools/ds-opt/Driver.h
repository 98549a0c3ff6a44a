//===- Driver.h - what ds-opt does -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_TOOLS_DS_OPT_DRIVER_H
#define DEEPSHARE_TOOLS_DS_OPT_DRIVER_H

#include "Options.h"

#include "llvm/Support/raw_ostream.h"

namespace deepshare {

/// Does what \p Options ask for. Tables and models without a file go to \p Out, remarks to \p Log. On an error no file
/// has been written but the reproducer. Of processes that observe together (Communicator.h) the first does all the
/// rest.
llvm::Error runDriver(const DriverOptions &Options, llvm::raw_ostream &Out, llvm::raw_ostream &Log);

} // namespace deepshare

#endif // DEEPSHARE_TOOLS_DS_OPT_DRIVER_H
