//===- Sweep.h - the job of --sweep -----------------------------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_TOOLS_DS_OPT_SWEEP_H
#define DEEPSHARE_TOOLS_DS_OPT_SWEEP_H

#include "Options.h"

#include "deepshare/Analysis/BudgetSweep.h"
#include "deepshare/passes/Pass.h"

#include "llvm/Support/raw_ostream.h"

namespace deepshare {

/// Reads the budgets of --sweep and the strategies of --strategy.
llvm::Expected<SweepOptions> parseSweep(const DriverOptions &Options);

/// Plans \p M, whose gates \p Context has observed, at every budget. Prints the table to \p Out and writes what was
/// asked for: JSON (--report), an image (--plot), the plans (--save-plan, a folder).
llvm::Error runSweep(const DriverOptions &Options, Model &M, const PassContext &Context, llvm::raw_ostream &Out);

} // namespace deepshare

#endif // DEEPSHARE_TOOLS_DS_OPT_SWEEP_H
