//===- RingReport.h - what fixed point makes of a model ---------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_TOOLS_DS_RUN_RINGREPORT_H
#define DEEPSHARE_TOOLS_DS_RUN_RINGREPORT_H

#include "deepshare/Exec/RingExecutor.h"

#include "llvm/Support/JSON.h"

#include <optional>

namespace deepshare {

/// How far the first output of some images is from that of a run in floats.
struct OutputChange {
  uint64_t Images = 0;
  double Largest = 0;   ///< greatest difference of an element
  uint64_t Changed = 0; ///< images whose greatest logit is another one

  OutputChange &operator+=(const OutputChange &Other);
};

struct RingReport {
  RingOptions Options;
  std::vector<SiteComparisons> Sites;
  std::vector<NodeElements> Overflows, InFloats;
  /// Images none of whose comparisons flipped, and the others.
  OutputChange WithoutFlips, WithFlips;
  /// Whether the first output is logits: else Changed means nothing.
  bool IsClassifier = false;
  /// Images that get their label, in the ring and in floats; for classifiers on images with labels.
  std::optional<std::pair<uint64_t, uint64_t>> Correct;
};

/// "exact", "probabilistic" or "local".
llvm::StringRef truncationName(Truncation Kind);

/// The report for people.
std::string formatReport(const RingReport &R);
/// The report for programs; docs/fixed-point.md has the format.
llvm::json::Value reportAsJson(const RingReport &R);

/// What each site's comparison needs, a line a site in the form of ds-opt's remarks.
std::string formatRanges(llvm::ArrayRef<SiteComparisons> Sites, unsigned Frac);
llvm::json::Value rangesAsJson(llvm::ArrayRef<SiteComparisons> Sites, unsigned Frac);

} // namespace deepshare

#endif // DEEPSHARE_TOOLS_DS_RUN_RINGREPORT_H
