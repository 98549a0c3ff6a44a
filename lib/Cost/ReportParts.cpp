//===- ReportParts.cpp - what reports of costs have in common -------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "ReportParts.h"

#include <fmt/format.h>

using namespace deepshare;

std::string deepshare::groupedText(double Number) {
  std::string Digits = fmt::format("{:.0f}", Number), Text;
  for (size_t I = 0; I < Digits.size(); ++I) {
    if (I > 0 && (Digits.size() - I) % 3 == 0)
      Text += ',';
    Text += Digits[I];
  }
  return Text;
}

std::string deepshare::secondsText(double Seconds) {
  return Seconds < 100 ? fmt::format("{:.3g}", Seconds) : groupedText(Seconds);
}

void deepshare::writeLine(llvm::raw_ostream &OS, llvm::StringRef Text) { OS << Text.rtrim() << "\n"; }

void deepshare::writePrices(llvm::json::OStream &Writer, const CostModel &Model,
                            const std::optional<Network> &Connection) {
  Writer.attributeObject("cost_model", [&] {
    Writer.attribute("name", llvm::json::fixUTF8(Model.Name));
    Writer.attribute("source", llvm::json::fixUTF8(Model.Source));
    Writer.attribute("ring_bits", int64_t(Model.RingBits));
  });
  if (Connection)
    Writer.attributeObject("network", [&] {
      Writer.attribute("round_trip_s", Connection->RoundTrip);
      Writer.attribute("bytes_per_s", Connection->BytesPerSecond);
    });
}

void deepshare::writeGates(llvm::json::OStream &Writer, const GateCost &Cost) {
  Writer.attribute("drelus", int64_t(Cost.DReLUs));
  Writer.attribute("muxes", int64_t(Cost.Muxes));
  Writer.attribute("truncations", int64_t(Cost.Truncations));
  Writer.attribute("gate_bytes", Cost.Bytes);
}

void deepshare::writeTotals(llvm::json::OStream &Writer, const CostTotals &Totals,
                            const std::optional<Network> &Connection) {
  writeGates(Writer, Totals.Gates);
  Writer.attribute("linear_bytes", Totals.LinearBytes);
  Writer.attribute("fixed_bytes", Totals.FixedBytes);
  Writer.attribute("bytes", Totals.bytes());
  Writer.attribute("comparison_steps", int64_t(Totals.ComparisonSteps));
  Writer.attribute("comparison_rounds", Totals.ComparisonRounds);
  Writer.attribute("rounds", Totals.Rounds);
  if (Connection)
    Writer.attribute("seconds", Totals.seconds(*Connection));
}
