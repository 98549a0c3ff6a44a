//===- MainJob.h - from a budget or a plan to a pipeline --------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_TOOLS_DS_OPT_MAINJOB_H
#define DEEPSHARE_TOOLS_DS_OPT_MAINJOB_H

#include "Options.h"

#include "deepshare/Support/AtomicFile.h"
#include "deepshare/passes/Pass.h"

#include "llvm/Support/raw_ostream.h"

#include <memory>
#include <string>

namespace deepshare {

/// True if the options ask for a rewriting by --calibrate or --plan, and not for a pipeline of the user's own.
bool isMainJob(const DriverOptions &Options);

/// The pipeline that the options stand for: a main job's, that of a sweep, which ends in observed gates, or the user's
/// own; then the target's passes.
std::string pipelineFor(const DriverOptions &Options);

/// Checks, before any work is done, that every file that will be written can be, that no two are one, and that none is
/// the plan, the images or the cost model that are read. The error names the file.
llvm::Error checkOutputs(const DriverOptions &Options);

/// Fills a context from the options: cost model, network, plan, seed.
llvm::Error fillContext(const DriverOptions &Options, PassContext &Context);

/// Adds the images of --calibrate to a context: those for \p M in a file, or noise in the shapes of M's inputs, with a
/// warning on \p Log. They are left in \p Images, which the context refers to.
llvm::Error giveImages(const DriverOptions &Options, const Model &M, PassContext &Context,
                       std::unique_ptr<ImageSet> &Images, llvm::raw_ostream &Log);

/// Writes the plan (--save-plan), the report (--report) and the remarks (--remarks), where a run of passes on \p M left
/// something to write, as \p Files. Prints the report's table to \p Out, and remarks without a file to \p Log.
llvm::Error writeReports(const DriverOptions &Options, Model &M, const PassContext &Context, OutputFiles &Files,
                         llvm::raw_ostream &Out, llvm::raw_ostream &Log);

} // namespace deepshare

#endif // DEEPSHARE_TOOLS_DS_OPT_MAINJOB_H
