//===- CostReportText.cpp - the cost report as tables and as JSON ---------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "ReportParts.h"
#include "deepshare/Cost/CostReport.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

using namespace deepshare;
using llvm::ArrayRef;
using llvm::StringRef;

/// The end of a name that is longer than \p Width: exporters put the telling part last.
static std::string shortened(StringRef Name, size_t Width) {
  if (Name.size() <= Width)
    return Name.str();
  return ".." + Name.take_back(Width - 2).str();
}

static std::string shapeText(ArrayRef<int64_t> Shape) { return fmt::format("{}", fmt::join(Shape, "x")); }

/// "relu_1:12, relu_2:3", cut to \p Width.
static std::string sourcesText(const SiteReport &Site, size_t Width) {
  if (Site.IsAverage)
    return "(average)";
  std::string Text;
  for (size_t I = 0; I < Site.From.size(); ++I) {
    std::string Entry = fmt::format("{}{}:{}", I ? ", " : "", shortened(Site.From[I].first, 14), Site.From[I].second);
    std::string Rest = fmt::format(" +{}", Site.From.size() - I);
    if (Text.size() + Entry.size() + (I + 1 < Site.From.size() ? Rest.size() : 0) > Width)
      return Text + Rest;
    Text += Entry;
  }
  return Text;
}

static void totalLine(llvm::raw_ostream &OS, StringRef What, double Before, double After, bool HasPlan,
                      std::string (*Print)(double) = groupedText) {
  std::string Text = fmt::format("{:<26} {:>15}", What.str(), Print(Before));
  if (HasPlan) {
    Text += fmt::format(" {:>15}", Print(After));
    if (Before > 0)
      Text += fmt::format(" {:>8.1f} %", 100 * (1 - After / Before));
  }
  writeLine(OS, Text);
}

std::string deepshare::unpricedText(ArrayRef<UnpricedOperator> Operators) {
  std::string Text;
  for (const UnpricedOperator &Operator : Operators) {
    Text += fmt::format("{}{} ({} {}", Text.empty() ? "not priced: " : ", ", Operator.Name, Operator.Nodes,
                        Operator.Nodes == 1 ? "node" : "nodes");
    Text += Operator.Elements ? ", " + groupedText(Operator.Elements) + " elements)" : ")";
  }
  return Text.empty() ? Text : Text + "\n";
}

void deepshare::printCostReport(const CostReport &Report, llvm::raw_ostream &OS) {
  bool HasPlan = Report.HasPlan;
  if (HasPlan) {
    writeLine(OS, fmt::format("{:<18} {:>11} {:>17} {:>17} {:>5} {:>5} {:>5} {}", "site", "shape", "DReLUs", "muxes",
                              "proto", "repl", "lin", "gates from"));
    for (const SiteReport &Site : Report.Sites)
      writeLine(OS,
                fmt::format("{:<18} {:>11} {:>8} {:>8} {:>8} {:>8} {:>5} {:>5} {:>5} {}", shortened(Site.Name, 18),
                            shapeText(Site.Shape), Site.Before.DReLUs, Site.After.DReLUs, Site.Before.Muxes,
                            Site.After.Muxes, Site.Prototypes, Site.Replicates, Site.Linear, sourcesText(Site, 15)));
  } else {
    writeLine(
        OS, fmt::format("{:<36} {:<12} {:>12} {:>12} {:>12} {:>10}", "site", "kind", "shape", "DReLUs", "muxes", "kB"));
    for (const SiteReport &Site : Report.Sites)
      writeLine(OS, fmt::format("{:<36} {:<12} {:>12} {:>12} {:>12} {:>10}", shortened(Site.Name, 36), Site.Kind,
                                shapeText(Site.Shape), Site.Before.DReLUs, Site.Before.Muxes,
                                groupedText(Site.Before.Bytes / 1000)));
  }
  writeLine(OS, "");
  const CostTotals &Before = Report.Before, &After = Report.After;
  writeLine(OS, fmt::format("{:<26} {:>15}{}", "per image, " + Report.Model.Name, HasPlan ? "before" : "total",
                            HasPlan ? fmt::format(" {:>15} {:>10}", "after", "saved") : std::string()));
  totalLine(OS, "DReLUs", Before.Gates.DReLUs, After.Gates.DReLUs, HasPlan);
  totalLine(OS, "muxes", Before.Gates.Muxes, After.Gates.Muxes, HasPlan);
  totalLine(OS, "truncations of gates", Before.Gates.Truncations, After.Gates.Truncations, HasPlan);
  totalLine(OS, "bytes of gates", Before.Gates.Bytes, After.Gates.Bytes, HasPlan);
  totalLine(OS, "bytes of linear layers", Before.LinearBytes, After.LinearBytes, HasPlan);
  if (Before.FixedBytes > 0)
    totalLine(OS, "bytes of set-up", Before.FixedBytes, After.FixedBytes, HasPlan);
  totalLine(OS, "bytes", Before.bytes(), After.bytes(), HasPlan);
  totalLine(OS, "comparisons in a row", Before.ComparisonSteps, After.ComparisonSteps, HasPlan);
  totalLine(OS, "rounds of comparisons", Before.ComparisonRounds, After.ComparisonRounds, HasPlan);
  totalLine(OS, "rounds", Before.Rounds, After.Rounds, HasPlan);
  if (const std::optional<Network> &N = Report.Connection)
    totalLine(OS, "s on " + networkText(*N), Before.seconds(*N), After.seconds(*N), HasPlan, secondsText);
  OS << unpricedText(Report.Unpriced);
}

//===----------------------------------------------------------------------===//
// JSON
//===----------------------------------------------------------------------===//

std::string deepshare::costReportJson(const CostReport &Report) {
  std::string Text;
  llvm::raw_string_ostream Stream(Text);
  llvm::json::OStream Writer(Stream, 1);
  Writer.object([&] {
    Writer.attribute("format", "deepshare-cost-report");
    Writer.attribute("version", 1);
    writePrices(Writer, Report.Model, Report.Connection);
    Writer.attribute("planned", Report.HasPlan);
    Writer.attributeArray("sites", [&] {
      for (const SiteReport &Site : Report.Sites)
        Writer.object([&] {
          Writer.attribute("name", llvm::json::fixUTF8(Site.Name));
          Writer.attribute("kind", Site.Kind);
          Writer.attribute("shape", llvm::json::Array(Site.Shape));
          Writer.attributeObject("before", [&] { writeGates(Writer, Site.Before); });
          if (!Report.HasPlan)
            return;
          Writer.attributeObject("after", [&] { writeGates(Writer, Site.After); });
          Writer.attribute("prototypes", int64_t(Site.Prototypes));
          Writer.attribute("replicates", int64_t(Site.Replicates));
          Writer.attribute("linear", int64_t(Site.Linear));
          if (Site.IsAverage)
            Writer.attribute("average", true);
          Writer.attributeArray("from", [&] {
            for (const auto &[Name, Channels] : Site.From)
              Writer.object([&] {
                Writer.attribute("site", llvm::json::fixUTF8(Name));
                Writer.attribute("channels", int64_t(Channels));
              });
          });
        });
    });
    if (!Report.Unpriced.empty())
      Writer.attributeArray("unpriced", [&] {
        for (const UnpricedOperator &Operator : Report.Unpriced)
          Writer.object([&] {
            Writer.attribute("operator", Operator.Name);
            Writer.attribute("nodes", int64_t(Operator.Nodes));
            Writer.attribute("elements", int64_t(Operator.Elements));
          });
      });
    Writer.attributeObject("before", [&] { writeTotals(Writer, Report.Before, Report.Connection); });
    if (Report.HasPlan)
      Writer.attributeObject("after", [&] { writeTotals(Writer, Report.After, Report.Connection); });
  });
  Stream << "\n";
  return Text;
}
