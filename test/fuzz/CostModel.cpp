//===- CostModel.cpp - fuzzes cost models ----------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// With any cost model that parses, a small network has a finite price and a report that is JSON.
//
//===----------------------------------------------------------------------===//

#include "Fuzz.h"

#include "deepshare/Cost/CostReport.h"
#include "deepshare/Support/Json.h"

#include <cmath>

using namespace deepshare;
using namespace deepshare::fuzz;

/// A convolution and its gate.
static std::vector<CostStep> steps() {
  CostStep Conv, Relu;
  Conv.Name = "conv";
  Conv.Kind = "Conv";
  Conv.IsLinear = true;
  Conv.Linear = {.Inputs = 3072, .Unrolled = 27648, .Weights = 432, .Outputs = 16384, .Products = 442368};
  Relu.Name = "relu";
  Relu.Kind = "Relu";
  Relu.Shape = {16, 32, 32};
  Relu.DReLUs = Relu.Muxes = Relu.Truncations = 16384;
  Relu.After = {0};
  return {Conv, Relu};
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *Data, size_t Size) {
  llvm::Expected<CostModel> Cost = parseCostModel(toText(Data, Size), "fuzz");
  if (refused(Cost.takeError()))
    return 0;
  CostReport Report = makeCostReport(steps(), nullptr, *Cost, Network{1e-3, 1e6});
  require(std::isfinite(Report.Before.bytes()) && Report.Before.bytes() >= 0, "a price that is none");
  requireSuccess(parseJson(costReportJson(Report), "report").takeError(), "the report is no JSON");
  std::string Table;
  llvm::raw_string_ostream Stream(Table);
  printCostReport(Report, Stream);
  return 0;
}
