//===- Model.cpp - fuzzes the reading and rewriting of models -------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Bytes of a model, or ONNX text (so that seeds can be read), go through all that ds-opt does without images: import,
// checks, shape inference, the canonical form, gates found and shared by a plan, each target's forms, export. Each step
// may refuse. None may crash, leave a graph that is none, or lie about whether it changed anything.
//
//===----------------------------------------------------------------------===//

#include "Fuzz.h"

#include "deepshare/Analysis/CostSteps.h"
#include "deepshare/Analysis/GateSite.h"
#include "deepshare/IR/Verifier.h"
#include "deepshare/ONNX/ONNX.h"
#include "deepshare/passes/Pass.h"
#include "deepshare/passes/Target.h"

using namespace deepshare;
using namespace deepshare::fuzz;

/// Runs passes; returns whether they took the model.
static bool runPasses(llvm::StringRef Text, Model &M, PassContext &Context) {
  PipelineOptions Options;
  Options.VerifyEach = true;
  llvm::Expected<bool> Changed = llvm::cantFail(Pipeline::parse(Text)).run(M, Context, Options);
  if (Changed)
    return true;
  std::string Message = llvm::toString(Changed.takeError());
  for (llvm::StringRef Lie : {"broke the graph", "reported", "no fixed point"})
    require(!llvm::StringRef(Message).contains(Lie), Message);
  return false;
}

/// A plan that shares the first channel's gate among half of a site's channels, in every site that can, as long as they
/// have not too many elements for a fuzzer in all.
static SharePlan makePlan(llvm::ArrayRef<GateSite> Sites) {
  SharePlan Plan;
  int64_t Left = 1 << 20;
  for (const GateSite &Site : Sites) {
    if (!Site.isShareable() || Site.Channels * Site.positions() > Left)
      continue;
    Left -= Site.Channels * Site.positions();
    auto Index = static_cast<unsigned>(Plan.Sites.size());
    SitePlan Planned{Site.Name, std::vector<ChannelPlan>(Site.Channels), {Site.Spatial.begin(), Site.Spatial.end()}};
    for (unsigned C = 0; C < Planned.Channels.size(); ++C) {
      unsigned Block = C % 4 == 2 && Site.Spatial.size() == 2 ? 2 : 1;
      Planned.Channels[C] = {GateSource{Index, C % 2 ? 0 : C, Block}, 1, C % 3 == 1 ? 0.5f : 0.0f};
    }
    Plan.Sites.push_back(std::move(Planned));
  }
  return Plan;
}

static void rewrite(std::unique_ptr<Model> M) {
  PassContext Context;
  if (!runPasses("canonicalize,expand-gates,infer-shapes", *M, Context))
    return;
  // Loops written out say little that a few trips do not, and take a fuzzer's time in each pass of each target.
  if (M->graph().numNodes() > 500)
    return;
  llvm::Expected<std::vector<GateSite>> Sites = findGateSites(*M);
  if (refused(Sites.takeError()))
    return;
  makeCostReport(costSteps(*M, *Sites), nullptr, {});
  Context.Plan = makePlan(*Sites);
  if (!runPasses("share-gates,eliminate-identity,eliminate-dead-code,contract-gates,infer-shapes", *M, Context))
    return;
  for (const Target &T : allTargets()) {
    std::unique_ptr<Model> Copy = M->clone();
    runPasses(T.Pipeline, *Copy, Context);
  }
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *Data, size_t Size) {
  llvm::StringRef Bytes = toText(Data, Size);
  llvm::Expected<std::unique_ptr<Model>> Read =
      Bytes.starts_with("<") ? parseModelText(Bytes, "fuzz") : readModelFromBytes(Bytes, "fuzz");
  if (refused(Read.takeError()))
    return 0;
  Model &M = **Read;
  requireSuccess(verify(M), "the importer made no graph");
  std::string Written = llvm::cantFail(serializeModel(M));
  llvm::Expected<std::unique_ptr<Model>> Again = readModelFromBytes(Written, "fuzz");
  requireSuccess(Again.takeError(), "what was written does not read back");
  require(llvm::cantFail(serializeModel(**Again)) == Written, "a second writing differs from the first");
  refused(printModelText(M).takeError());
  refused(checkModel(M));
  rewrite(M.clone());
  if (!refused(inferShapes(M)))
    refused(findGateSites(M).takeError());
  return 0;
}
