//===- BudgetCurve.cpp - the budget curve as a table and as JSON ----------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Cost/BudgetCurve.h"
#include "ReportParts.h"

#include <fmt/format.h>

using namespace deepshare;

/// The figures of one line, from the third column on.
static std::string figures(const std::string &Loss, const CostTotals &Cost, const BudgetCurve &Curve) {
  double All = Curve.Unchanged.Gates.DReLUs;
  std::string Text = fmt::format("{:>10} {:>12} {:>7} {:>10} {:>10} {:>8}", Loss, groupedText(Cost.Gates.DReLUs),
                                 All > 0 ? fmt::format("{:.1f} %", 100 * Cost.Gates.DReLUs / All) : "",
                                 fmt::format("{:.4g}", Cost.Gates.Bytes / 1e6),
                                 fmt::format("{:.4g}", Cost.bytes() / 1e6), groupedText(Cost.Rounds));
  if (Curve.Connection)
    Text += fmt::format(" {:>8}", secondsText(Cost.seconds(*Curve.Connection)));
  return Text;
}

void deepshare::printBudgetCurve(const BudgetCurve &Curve, llvm::raw_ostream &OS) {
  writeLine(OS, fmt::format("per image, {}{}; {}", Curve.Model.Name,
                            Curve.Connection ? " on " + networkText(*Curve.Connection) : "", Curve.Note));
  auto Row = [&](llvm::StringRef Strategy, llvm::StringRef Budget, const std::string &Rest) {
    writeLine(OS, fmt::format("{:<9} {:>10} {}", Strategy.str(), Budget.str(), Rest));
  };
  Row("strategy", "budget",
      fmt::format("{:>10} {:>12} {:>7} {:>10} {:>10} {:>8}{}", "loss", "DReLUs", "", "MB gates", "MB all", "rounds",
                  Curve.Connection ? fmt::format(" {:>8}", "s") : ""));
  Row("unchanged", "", figures("", Curve.Unchanged, Curve));
  for (const CurvePoint &Point : Curve.Points)
    Row(Point.Strategy, Point.Budget,
        Point.Failure.empty() ? figures(fmt::format("{:.4g}", Point.Loss), Point.Cost, Curve)
                              : "no plan: " + Point.Failure);
}

std::string deepshare::budgetCurveJson(const BudgetCurve &Curve) {
  std::string Text;
  llvm::raw_string_ostream Stream(Text);
  llvm::json::OStream Writer(Stream, 1);
  Writer.object([&] {
    Writer.attribute("format", "deepshare-budget-curve");
    Writer.attribute("version", 1);
    Writer.attribute("note", llvm::json::fixUTF8(Curve.Note));
    writePrices(Writer, Curve.Model, Curve.Connection);
    Writer.attributeObject("unchanged", [&] { writeTotals(Writer, Curve.Unchanged, Curve.Connection); });
    Writer.attributeArray("points", [&] {
      for (const CurvePoint &Point : Curve.Points)
        Writer.object([&] {
          Writer.attribute("strategy", Point.Strategy);
          Writer.attribute("budget", Point.Budget);
          if (!Point.Failure.empty()) {
            Writer.attribute("failure", llvm::json::fixUTF8(Point.Failure));
            return;
          }
          Writer.attribute("loss", Point.Loss);
          writeTotals(Writer, Point.Cost, Curve.Connection);
        });
    });
  });
  Stream << "\n";
  return Text;
}
