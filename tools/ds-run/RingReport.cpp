//===- RingReport.cpp - what fixed point makes of a model -----------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "RingReport.h"

#include <fmt/format.h>

#include <cmath>

using namespace deepshare;

OutputChange &OutputChange::operator+=(const OutputChange &Other) {
  Images += Other.Images;
  Largest = std::max(Largest, Other.Largest);
  Changed += Other.Changed;
  return *this;
}

llvm::StringRef deepshare::truncationName(Truncation Kind) {
  switch (Kind) {
  case Truncation::Exact:
    return "exact";
  case Truncation::Probabilistic:
    return "probabilistic";
  case Truncation::Local:
    return "local";
  }
  llvm_unreachable("a truncation without a name");
}

static double meanError(const SiteComparisons &Site) { return Site.Count ? Site.SumError / Site.Count : 0; }

/// The fraction \p Part of \p Whole, for columns of 9 characters.
static std::string rate(uint64_t Part, uint64_t Whole) {
  return Part ? fmt::format("{:.2e}", static_cast<double>(Part) / Whole) : "0";
}

/// An error as a number and in units of 2^-Frac.
static std::string error(double Error, unsigned Frac) {
  return fmt::format("{:.2g} {:>9}", Error, fmt::format("({:.3g})", std::ldexp(Error, static_cast<int>(Frac))));
}

/// Fractional bits that an error leaves: -log2 of it.
static std::string rightBits(double Error) { return Error > 0 ? fmt::format("{:.1f}", -std::log2(Error)) : "all"; }

/// The end of a name that is too long for its column.
static std::string shortened(llvm::StringRef Name) {
  constexpr size_t Width = 24;
  return Name.size() <= Width ? Name.str() : (".." + Name.take_back(Width - 2)).str();
}

static std::string formatSites(const RingReport &R) {
  std::string Text = fmt::format("{:<24} {:<10} {:>13} {:>9} {:>9} {:>18} {:>18} {:>5}\n", "site", "kind",
                                 "comparisons", "flips", "rate", "mean error", "max error", "bits");
  uint64_t Count = 0, Flips = 0;
  auto Line = [&](const std::string &Name, const std::string &Kind, uint64_t Count, uint64_t Flips) {
    return fmt::format("{:<24} {:<10} {:>13} {:>9} {:>9}", Name, Kind, Count, Flips, rate(Flips, Count));
  };
  for (const SiteComparisons &Site : R.Sites) {
    Text += Line(shortened(Site.Name), Site.Kind, Site.Count, Site.Flips) +
            fmt::format(" {:>18} {:>18} {:>5}\n", error(meanError(Site), R.Options.Frac),
                        error(Site.MaxError, R.Options.Frac), rightBits(meanError(Site)));
    Count += Site.Count;
    Flips += Site.Flips;
  }
  return Text + Line("all", "", Count, Flips) + "\n";
}

static std::string formatChange(llvm::StringRef Name, const OutputChange &Change, bool IsClassifier) {
  std::string Text = fmt::format("{}: {} images", Name.str(), Change.Images);
  if (Change.Images)
    Text += fmt::format(", largest difference {:.4g}", Change.Largest);
  if (Change.Images && IsClassifier)
    Text += fmt::format(", top-1 changes on {}", Change.Changed);
  return Text + "\n";
}

std::string deepshare::formatReport(const RingReport &R) {
  const RingOptions &O = R.Options;
  uint64_t Images = R.WithFlips.Images + R.WithoutFlips.Images;
  std::string Text = fmt::format("ring of {} bits, {} of them fractional, {} truncation, seed {}; {} images\n\n",
                                 O.Bits, O.Frac, truncationName(O.Kind).str(), O.Seed, Images);
  Text += formatSites(R) +
          fmt::format("errors of what is compared, in units of 2^-{} in brackets; bits: -log2 of the mean\n\n", O.Frac);
  if (R.Overflows.empty())
    Text += "overflow: none\n";
  for (const NodeElements &N : R.Overflows)
    Text += fmt::format("overflow: '{}' ({}): {} of {} values leave the ring\n", N.Name, N.Kind, N.Outside, N.Count);
  for (const NodeElements &N : R.InFloats)
    Text += fmt::format("computed in floats: '{}' ({})\n", N.Name, N.Kind);
  Text += formatChange("without flips", R.WithoutFlips, R.IsClassifier);
  Text += formatChange("with flips", R.WithFlips, R.IsClassifier);
  if (R.Correct)
    Text += fmt::format("top-1 {:.2f} % ({} of {} images) in the ring, {:.2f} % ({}) in floats\n",
                        100.0 * R.Correct->first / Images, R.Correct->first, Images, 100.0 * R.Correct->second / Images,
                        R.Correct->second);
  return Text;
}

//===----------------------------------------------------------------------===//
// JSON
//===----------------------------------------------------------------------===//

static llvm::json::Value changeAsJson(const OutputChange &Change, bool IsClassifier) {
  llvm::json::Object Result{{"images", Change.Images}, {"largest_difference", Change.Largest}};
  if (IsClassifier)
    Result["top1_changed"] = Change.Changed;
  return Result;
}

llvm::json::Value deepshare::reportAsJson(const RingReport &R) {
  llvm::json::Array Sites, Overflows, InFloats;
  for (const SiteComparisons &Site : R.Sites)
    Sites.push_back(llvm::json::Object{{"name", Site.Name},
                                       {"kind", Site.Kind},
                                       {"comparisons", Site.Count},
                                       {"flips", Site.Flips},
                                       {"mean_error", meanError(Site)},
                                       {"max_error", Site.MaxError},
                                       {"largest", Site.Largest}});
  for (const NodeElements &N : R.Overflows)
    Overflows.push_back(
        llvm::json::Object{{"node", N.Name}, {"kind", N.Kind}, {"values", N.Count}, {"outside", N.Outside}});
  for (const NodeElements &N : R.InFloats)
    InFloats.push_back(llvm::json::Object{{"node", N.Name}, {"kind", N.Kind}});
  llvm::json::Object Result{{"bits", R.Options.Bits},
                            {"frac", R.Options.Frac},
                            {"truncation", truncationName(R.Options.Kind)},
                            {"seed", R.Options.Seed},
                            {"sites", std::move(Sites)},
                            {"overflows", std::move(Overflows)},
                            {"in_floats", std::move(InFloats)},
                            {"without_flips", changeAsJson(R.WithoutFlips, R.IsClassifier)},
                            {"with_flips", changeAsJson(R.WithFlips, R.IsClassifier)}};
  if (R.Correct) {
    Result["correct"] = R.Correct->first;
    Result["correct_in_floats"] = R.Correct->second;
  }
  return Result;
}

//===----------------------------------------------------------------------===//
// Ranges
//===----------------------------------------------------------------------===//

std::string deepshare::formatRanges(llvm::ArrayRef<SiteComparisons> Sites, unsigned Frac) {
  std::string Text;
  for (const SiteComparisons &Site : Sites)
    Text += fmt::format("{}: {}: needs {} bits; compares values up to {:.4g}, {} fractional bits\n", Site.Name,
                        Site.Kind, bitsToCompare(Site.Largest, Frac), Site.Largest, Frac);
  return Text;
}

llvm::json::Value deepshare::rangesAsJson(llvm::ArrayRef<SiteComparisons> Sites, unsigned Frac) {
  llvm::json::Array Result;
  for (const SiteComparisons &Site : Sites)
    Result.push_back(llvm::json::Object{{"name", Site.Name},
                                        {"kind", Site.Kind},
                                        {"bits", bitsToCompare(Site.Largest, Frac)},
                                        {"largest", Site.Largest},
                                        {"frac", Frac}});
  return Result;
}
