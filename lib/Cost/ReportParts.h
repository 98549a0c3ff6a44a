//===- ReportParts.h - what reports of costs have in common -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_COST_REPORTPARTS_H
#define DEEPSHARE_LIB_COST_REPORTPARTS_H

#include "deepshare/Cost/CostReport.h"

#include "llvm/Support/JSON.h"

#include <optional>
#include <string>

namespace deepshare {

/// 1234567 as "1,234,567".
std::string groupedText(double Number);
/// Three digits of a time, all of its whole seconds.
std::string secondsText(double Seconds);
/// Writes a line without spaces at its end.
void writeLine(llvm::raw_ostream &OS, llvm::StringRef Text);

/// Attributes "cost_model" and, if there is one, "network".
void writePrices(llvm::json::OStream &Writer, const CostModel &Model, const std::optional<Network> &Connection);
/// Attributes of counts and bytes of gates.
void writeGates(llvm::json::OStream &Writer, const GateCost &Cost);
/// Attributes of totals; "seconds" with a network.
void writeTotals(llvm::json::OStream &Writer, const CostTotals &Totals, const std::optional<Network> &Connection);

} // namespace deepshare

#endif // DEEPSHARE_LIB_COST_REPORTPARTS_H
