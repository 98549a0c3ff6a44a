//===- GateSite.cpp - names of gates, plans checked against them ---------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Analysis/GateSite.h"
#include "deepshare/Analysis/AveragePool.h"
#include "deepshare/Support/Error.h"

#include "llvm/ADT/StringMap.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

using namespace deepshare;
using llvm::ArrayRef;
using llvm::Error;
using llvm::StringRef;
using llvm::Twine;

StringRef deepshare::gateKindName(GateKind Kind) {
  switch (Kind) {
  case GateKind::Relu:
    return "Relu";
  case GateKind::LeakyRelu:
    return "LeakyRelu";
  case GateKind::PRelu:
    return "PRelu";
  case GateKind::ThresholdedRelu:
    return "ThresholdedRelu";
  case GateKind::Elu:
    return "Elu";
  case GateKind::Clip:
    return "Clip";
  case GateKind::Max:
    return "Max";
  case GateKind::Min:
    return "Min";
  case GateKind::Where:
    return "Where";
  case GateKind::Abs:
    return "Abs";
  case GateKind::Sign:
    return "Sign";
  case GateKind::HardSigmoid:
    return "HardSigmoid";
  case GateKind::HardSwish:
    return "HardSwish";
  case GateKind::MaxPool:
    return "MaxPool";
  case GateKind::GlobalMaxPool:
    return "GlobalMaxPool";
  case GateKind::ArgMax:
    return "ArgMax";
  case GateKind::TopK:
    return "TopK";
  case GateKind::Comparison:
    return "Comparison";
  case GateKind::DReLU:
    return "DReLU";
  case GateKind::DReLUShare:
    return "DReLUShare";
  case GateKind::Mux:
    return "Mux";
  }
  llvm_unreachable("unknown gate kind");
}

int64_t GateSite::positions() const {
  int64_t Product = 1;
  for (int64_t Size : Spatial)
    Product *= Size;
  return Product;
}

Error deepshare::checkPlan(const SharePlan &Plan, ArrayRef<GateSite> Sites, StringRef PlanName) {
  llvm::StringMap<size_t> Index;
  for (auto [I, Site] : llvm::enumerate(Sites))
    Index[Site.Name] = I;
  size_t Previous = 0;
  for (auto [I, Planned] : llvm::enumerate(Plan.Sites)) {
    std::string Where = fmt::format("{}: site {} '{}': ", PlanName.str(), I, Planned.Name);
    auto Found = Index.find(Planned.Name);
    if (Found == Index.end())
      return makeError(Where + "the model has no gate of this name; the plan is for another model");
    const GateSite &Site = Sites[Found->second];
    if (!Site.isShareable())
      return makeError(Where + "this " + gateKindName(Site.Kind) + " cannot share gates: it " + Site.Obstacle);
    if (int64_t(Planned.Channels.size()) != Site.Channels)
      return makeError(Where + fmt::format("expected {} channels, got {}", Site.Channels, Planned.Channels.size()));
    if (ArrayRef<int64_t>(Planned.Spatial) != ArrayRef<int64_t>(Site.Spatial))
      return makeError(Where + fmt::format("expected positions [{}], got [{}]", fmt::join(Site.Spatial, ", "),
                                           fmt::join(Planned.Spatial, ", ")));
    if (I > 0 && Found->second <= Previous)
      return makeError(Where + "it comes before site " + Twine(I - 1) + " in the model; sites must be in graph order");
    Previous = Found->second;
  }
  Previous = 0;
  for (auto [I, Planned] : llvm::enumerate(Plan.AveragePools)) {
    std::string Where = fmt::format("{}: average pool {} '{}': ", PlanName.str(), I, Planned.Name);
    auto Found = Index.find(Planned.Name);
    if (Found == Index.end())
      return makeError(Where + "the model has no pool of this name; the plan is for another model");
    const GateSite &Site = Sites[Found->second];
    if (!Site.CanAverage) {
      StringRef Obstacle = averagePoolObstacle(*Site.Gate);
      return makeError(Where + "this " + gateKindName(Site.Kind) +
                       " cannot become an average: " + (Obstacle.empty() ? "it is not in the main graph" : Obstacle));
    }
    if (int64_t(Planned.Scale.size()) != Site.Channels)
      return makeError(Where +
                       fmt::format("expected {} scales, one a channel, got {}", Site.Channels, Planned.Scale.size()));
    if (I > 0 && Found->second <= Previous)
      return makeError(Where + "it comes before average pool " + Twine(I - 1) +
                       " in the model; pools must be in graph order");
    Previous = Found->second;
  }
  return Error::success();
}
