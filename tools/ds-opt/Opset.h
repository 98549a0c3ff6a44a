//===- Opset.h - an opset that passes and target know -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_TOOLS_DS_OPT_OPSET_H
#define DEEPSHARE_TOOLS_DS_OPT_OPSET_H

#include "Options.h"

#include "deepshare/IR/Model.h"
#include "deepshare/passes/Pass.h"

#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"

#include <memory>

namespace deepshare {

/// For a job that plans, applies a plan or legalises: converts \p M if its opset is older than the share operators need
/// or newer than the target's importer knows, and notes that in \p Log. Models of other jobs stay as they are. \p
/// RunOptions: the conversion is validated as a pass that re-associates. The error names the file.
llvm::Error fitOpset(const DriverOptions &Options, std::unique_ptr<Model> &M, const PipelineOptions &RunOptions,
                     llvm::raw_ostream &Log);

} // namespace deepshare

#endif // DEEPSHARE_TOOLS_DS_OPT_OPSET_H
