//===- CostReport.h - what a model costs before and after -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_COST_COSTREPORT_H
#define DEEPSHARE_COST_COSTREPORT_H

#include "deepshare/Cost/CostModel.h"
#include "deepshare/Plan/SharePlan.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace deepshare {

/// Elements of one linear layer, for one image.
struct LinearSizes {
  uint64_t Inputs = 0;
  uint64_t Unrolled = 0; ///< input after im2col: output positions * kernel * channels in of a group, all groups
  uint64_t Weights = 0;
  uint64_t Outputs = 0;
  uint64_t Products = 0; ///< multiplications, which no party sends but which somebody computes
  uint64_t Averages = 0; ///< outputs of average pooling, which has none of the above: a truncation each
};

/// One place of a graph that costs communication: a gate site or a linear layer. Plain data: costSteps() in
/// deepshare/Analysis/CostSteps.h makes it from a graph.
struct CostStep {
  std::string Name;                     ///< of the output value
  std::string Kind;                     ///< "Relu", "Conv", ...
  bool IsLinear = false;                ///< Linear is filled, else the six fields below it
  LinearSizes Linear;                   ///< elements
  std::vector<int64_t> Shape;           ///< a site's channels, then its spatial sizes
  uint64_t DReLUs = 0;                  ///< comparisons an image
  uint64_t Muxes = 0;                   ///< an image
  uint64_t Truncations = 0;             ///< an image
  unsigned Depth = 1;                   ///< comparisons that wait for one another (a MaxPool's tree)
  bool FoldsScale = false;              ///< weights beside a site take scales of its channels (GateSite::FoldsScale)
  llvm::SmallVector<unsigned, 2> After; ///< steps (by index, all smaller) whose results this one needs directly
};

/// Counts and prices of gates, for one image.
struct GateCost {
  uint64_t DReLUs = 0;
  uint64_t Muxes = 0;
  uint64_t Truncations = 0;
  double Bytes = 0;
};

/// One row of the report.
struct SiteReport {
  std::string Name;
  std::string Kind;
  std::vector<int64_t> Shape;
  GateCost Before, After;
  uint64_t Prototypes = 0; ///< gates computed here (a gate for tiles counts as one)
  uint64_t Replicates = 0; ///< channels that use another channel's gate or one for tiles
  uint64_t Linear = 0;     ///< channels without a gate; those with slope 0 included
  bool IsAverage = false;  ///< a MaxPool that the plan makes an average
  /// Names of the other sites whose gates this one uses, with the number of channels that do, in graph order.
  std::vector<std::pair<std::string, uint64_t>> From;
};

/// Operators of one name that cost communication and that no cost model has a price for.
struct UnpricedOperator {
  std::string Name;
  uint64_t Nodes = 0;
  uint64_t Elements = 0; ///< that they make of one image, where shapes are known
};

/// Totals of one model for one image.
struct CostTotals {
  GateCost Gates;
  double LinearBytes = 0;
  double FixedBytes = 0;        ///< the cost model's set-up
  double ComparisonRounds = 0;  ///< of DReLUs, along the longest path
  double Rounds = 0;            ///< of everything, along the longest path
  uint64_t ComparisonSteps = 0; ///< comparisons that wait for one another, along the longest path
  double bytes() const { return Gates.Bytes + LinearBytes + FixedBytes; }
  /// All bytes over the bandwidth, and a round trip for each round; local computation is not counted.
  double seconds(const Network &N) const { return bytes() / N.BytesPerSecond + Rounds * N.RoundTrip; }
};

/// Before and after. Without a plan both are equal.
struct CostReport {
  CostModel Model;
  std::optional<Network> Connection; ///< for times, if there is one
  bool HasPlan = false;
  std::vector<SiteReport> Sites;
  CostTotals Before, After;
  /// What the totals leave out; makeCostReport() does not know it (deepshare/Analysis/UnpricedOperators.h).
  std::vector<UnpricedOperator> Unpriced;
};

/// "not priced: Softmax (2 nodes, 1,024 elements), Erf (1 node)", a line; empty if there is none.
std::string unpricedText(llvm::ArrayRef<UnpricedOperator> Operators);

/// Prices \p Steps under \p Cost, before and after \p Plan (may be null). Sites of the plan are found by name; a site
/// that the plan does not name stays as it is. With \p Connection the report has times.
CostReport makeCostReport(llvm::ArrayRef<CostStep> Steps, const SharePlan *Plan, const CostModel &Cost,
                          std::optional<Network> Connection = std::nullopt);

/// Prints the report as a table of at most 100 columns.
void printCostReport(const CostReport &Report, llvm::raw_ostream &OS);
/// The report as JSON, the same bytes for equal reports.
std::string costReportJson(const CostReport &Report);

} // namespace deepshare

#endif // DEEPSHARE_COST_COSTREPORT_H
