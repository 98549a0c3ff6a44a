//===- Plan.cpp - fuzzes share plans ---------------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// A plan that parses prints as what parses to it, prices itself, and fits the small network below or is refused.
//
//===----------------------------------------------------------------------===//

#include "Fuzz.h"

#include "deepshare/Analysis/CostSteps.h"
#include "deepshare/Analysis/GateSite.h"
#include "deepshare/ONNX/ONNX.h"
#include "deepshare/Plan/SharePlan.h"
#include "deepshare/passes/Pass.h"

using namespace deepshare;
using namespace deepshare::fuzz;

/// Sites `a` (4 channels of 4x4) and `b` (4 of 2x2), and pool `p`.
static constexpr llvm::StringLiteral NetworkText = R"(<ir_version: 10, opset_import: ["" : 18]>
g (float[N,4,4,4] x) => (float[N,4,1,1] y) {
  a = Relu(x)
  s = AveragePool<kernel_shape = [2, 2], strides = [2, 2]>(a)
  b = LeakyRelu<alpha = 0.25>(s)
  p = MaxPool<kernel_shape = [2, 2]>(b)
  y = Relu(p)
})";

/// The network, read once.
static Model &network() {
  static std::unique_ptr<Model> M = [] {
    std::unique_ptr<Model> Read = llvm::cantFail(parseModelText(NetworkText, "network"));
    llvm::cantFail(inferShapes(*Read));
    return Read;
  }();
  return *M;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *Data, size_t Size) {
  llvm::Expected<SharePlan> Plan = parseSharePlan(toText(Data, Size), "fuzz");
  if (refused(Plan.takeError()))
    return 0;
  std::string Printed = printSharePlan(*Plan);
  llvm::Expected<SharePlan> Again = parseSharePlan(Printed, "printed");
  requireSuccess(Again.takeError(), "a printed plan does not parse");
  require(printSharePlan(*Again) == Printed, "a printed plan parses to another");
  countDReLUs(*Plan);

  std::unique_ptr<Model> M = network().clone();
  std::vector<GateSite> Sites = llvm::cantFail(findGateSites(*M));
  if (refused(checkPlan(*Plan, Sites, "fuzz")))
    return 0;
  makeCostReport(costSteps(*M, Sites), &*Plan, {});
  PassContext Context;
  Context.Plan = std::move(*Plan);
  PipelineOptions Options;
  Options.VerifyEach = true;
  bool IsOfNetwork = Context.Plan->Model.empty();
  llvm::Error Failed =
      llvm::cantFail(Pipeline::parse("share-gates,lower-share-ops,infer-shapes")).run(*M, Context, Options).takeError();
  if (IsOfNetwork)
    requireSuccess(std::move(Failed), "a plan that fits cannot be applied");
  else
    refused(std::move(Failed));
  return 0;
}
