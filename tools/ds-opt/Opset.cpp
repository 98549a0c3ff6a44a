//===- Opset.cpp - an opset that passes and target know -------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Opset.h"

#include "deepshare/IR/ShareOps.h"
#include "deepshare/ONNX/ONNX.h"
#include "deepshare/Support/Error.h"
#include "deepshare/passes/Target.h"

#include <fmt/format.h>

using namespace deepshare;

/// The opset that \p M is to have; its own if it may stay.
static int64_t wantedOpset(const Model &M, const Target *T) {
  int64_t Opset = M.opsetVersion();
  if (Opset && Opset < ShareOpsMinOpset)
    return ShareOpsMinOpset;
  return T && T->NewestOpset && Opset > T->NewestOpset ? T->NewestOpset : Opset;
}

llvm::Error deepshare::fitOpset(const DriverOptions &Options, std::unique_ptr<Model> &M,
                                const PipelineOptions &RunOptions, llvm::raw_ostream &Log) {
  Job Asked = jobOf(Options);
  if (!(Asked & (PlanJob | ApplyJob | SweepJob | TargetJob)))
    return llvm::Error::success();
  int64_t Opset = M->opsetVersion(), Wanted = wantedOpset(*M, findTarget(Options.Target));
  if (Wanted == Opset)
    return llvm::Error::success();
  auto Fail = [&](llvm::Error E) {
    return makeError(fmt::format("{}: {}", Options.inputName(), llvm::toString(std::move(E))));
  };
  // The converter sees the main graph only; functions are written for the opset that the model has now.
  llvm::Expected<Pipeline> Inline = Pipeline::parse("inline-functions,eliminate-dead-code");
  if (!Inline)
    return Inline.takeError();
  PassContext Context;
  if (llvm::Expected<bool> Changed = Inline->run(*M, Context, RunOptions); !Changed)
    return Fail(Changed.takeError());
  llvm::Expected<std::unique_ptr<Model>> Converted = convertOpset(*M, Wanted);
  if (!Converted)
    return Fail(Converted.takeError());
  if (RunOptions.Validate)
    if (llvm::Error E = RunOptions.Validate({"convert", PassEffect::Reassociates, *M, **Converted, Context}))
      return Fail(
          makeError(fmt::format("the conversion from opset {} to {} {}", Opset, Wanted, llvm::toString(std::move(E)))));
  M = std::move(*Converted);
  Log << fmt::format("ds-opt: note: {}: converted from opset {} to {}, {}\n", Options.inputName(), Opset, Wanted,
                     Wanted > Opset ? "which the share operators need" : "the newest that the target knows");
  return llvm::Error::success();
}
