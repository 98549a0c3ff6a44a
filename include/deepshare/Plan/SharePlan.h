//===- SharePlan.h - the decision for every channel of every gate site -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_PLAN_SHAREPLAN_H
#define DEEPSHARE_PLAN_SHAREPLAN_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace deepshare {

/// Which DReLU a channel uses.
struct GateSource {
  unsigned Site;      ///< index into SharePlan::Sites; the channel's own site or an earlier one
  unsigned Channel;   ///< channel of that site
  unsigned Block = 1; ///< 1: a DReLU an element; 2, 4, ...: one for the mean of each Block x Block tile
  friend auto operator<=>(const GateSource &, const GateSource &) = default;
};

/// What becomes of one channel: y = x * (d ? On : Off), d the DReLU of Source; y = On * x without a source (On == Off).
/// A channel whose source is itself with Block 1 is a prototype.
struct ChannelPlan {
  std::optional<GateSource> Source;
  float On = 1;
  float Off = 0;
  friend bool operator==(const ChannelPlan &, const ChannelPlan &) = default;
};

/// The channels of one site.
struct SitePlan {
  std::string Name; ///< GateSite::Name
  std::vector<ChannelPlan> Channels;
  /// Positions of a channel (GateSite::Spatial), so that a plan prices itself.
  std::vector<int64_t> Spatial;

  friend bool operator==(const SitePlan &, const SitePlan &) = default;
};

/// A MaxPool (or GlobalMaxPool) that becomes an average: y = Scale[c] * mean of the same window.
struct AveragePoolPlan {
  std::string Name;         ///< GateSite::Name
  std::vector<float> Scale; ///< one a channel, not 0
  friend bool operator==(const AveragePoolPlan &, const AveragePoolPlan &) = default;
};

/// A share plan. The interface between analysis, rewriting, tuning and other people's code.
struct SharePlan {
  /// structureFingerprint() of the canonical model (deepshare/IR/Fingerprint.h); empty: not checked.
  std::string Model;
  /// How the plan was made, for people ("affine, 50 % of 188416 DReLUs, 512 images, seed 0").
  std::string Note;
  /// One entry for each site that takes part, in graph order.
  std::vector<SitePlan> Sites;
  /// The pools that become averages, in graph order.
  std::vector<AveragePoolPlan> AveragePools;
};

/// True if some scale is not 1, which costs a product and its truncation an element.
bool isScaled(const AveragePoolPlan &Pool);

/// The DReLUs of a plan: one for every distinct (site, channel, block) that some channel uses, times its positions
/// (tiles). Only the plan's sites are counted.
uint64_t countDReLUs(const SharePlan &Plan);

/// True if a product by \p Slope costs a truncation in fixed point: it is none of 0, 1 and -1.
inline bool needsTruncation(float Slope) { return Slope != 0 && Slope != 1 && Slope != -1; }
/// True if y = x * (d ? On : Off) costs a truncation: one of the slopes does. With \p FoldsScale (GateSite::FoldsScale)
/// a scale of the channel goes into weights, so that only slopes of two sizes, neither of them 0, cost one.
inline bool needsTruncation(const ChannelPlan &Channel, bool FoldsScale = false) {
  if (FoldsScale)
    return Channel.On != 0 && Channel.Off != 0 && std::abs(Channel.On) != std::abs(Channel.Off);
  return needsTruncation(Channel.On) || needsTruncation(Channel.Off);
}

/// Tiles of \p Block elements along each axis that cover \p Spatial; those at the border are cut.
uint64_t tileCount(llvm::ArrayRef<int64_t> Spatial, unsigned Block);

/// True if gates at positions \p Source drive elements at positions \p User: the ranks are equal and along every axis
/// the sizes are, or one is the other over a whole number, rounded up. A larger source gives every k-th gate (strided),
/// a smaller one gives each gate to k elements (coarser).
bool positionsMap(llvm::ArrayRef<int64_t> Source, llvm::ArrayRef<int64_t> User);
/// Along an axis: the position among \p SourceSize that drives position \p User of \p UserSize.
int64_t sourcePosition(int64_t User, int64_t UserSize, int64_t SourceSize);

/// Parses a plan's JSON. \p Name (a path) is for messages. Every constraint of the types above is checked: indices in
/// range, sources no later than users and at positions that map onto theirs, finite slopes, On == Off without a source.
llvm::Expected<SharePlan> parseSharePlan(llvm::StringRef Json, llvm::StringRef Name);
/// Reads a plan from a file.
llvm::Expected<SharePlan> readSharePlan(llvm::StringRef Path);
/// The plan as JSON, byte for byte the same for equal plans; parses back to an equal plan.
std::string printSharePlan(const SharePlan &Plan);
/// Writes a plan beside \p Path and renames it there.
llvm::Error writeSharePlan(const SharePlan &Plan, llvm::StringRef Path);

} // namespace deepshare

#endif // DEEPSHARE_PLAN_SHAREPLAN_H
