//===- GateTable.cpp - the table of --count -------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "GateTable.h"

#include "deepshare/Analysis/GateSite.h"
#include "deepshare/Analysis/UnpricedOperators.h"
#include "deepshare/ONNX/ONNX.h"

#include <fmt/format.h>

using namespace deepshare;

/// The shape of one image's activation, channels first: "16x32x32".
static std::string shapeText(const GateSite &Site) {
  std::string Text = fmt::format("{}", Site.Channels);
  for (int64_t Size : Site.Spatial)
    Text += fmt::format("x{}", Size);
  return Text;
}

/// A line for sites that count as if they had one row an image; empty if there are none.
static std::string unknownRowsText(llvm::ArrayRef<GateSite> Sites) {
  constexpr unsigned MostNames = 5;
  std::string Names;
  unsigned Found = 0;
  for (const GateSite &Site : Sites)
    if (Site.HasUnknownRows && Found++ < MostNames)
      Names += fmt::format("{}'{}'", Names.empty() ? "" : ", ", Site.Name);
  if (Found == 0)
    return "";
  std::string More = Found > MostNames ? fmt::format(" and {} more", Found - MostNames) : "";
  return fmt::format("rows not known, one an image counted: {}{}\n", Names, More);
}

llvm::Error deepshare::printGateTable(Model &M, llvm::raw_ostream &Out) {
  if (llvm::Error E = inferShapes(M))
    return E;
  llvm::Expected<std::vector<GateSite>> Sites = findGateSites(M);
  if (!Sites)
    return Sites.takeError();

  size_t NameWidth = 5;
  uint64_t DReLUs = 0, Muxes = 0;
  for (const GateSite &Site : *Sites) {
    NameWidth = std::max(NameWidth, Site.Name.size());
    DReLUs += Site.DReLUs;
    Muxes += Site.Muxes;
  }
  auto Row = [&](llvm::StringRef Name, llvm::StringRef Kind, llvm::StringRef Shape, const std::string &DReLUText,
                 const std::string &MuxText) {
    Out << fmt::format("{:{}}  {:15}  {:>15}  {:>12}  {:>12}\n", Name.str(), NameWidth, Kind.str(), Shape.str(),
                       DReLUText, MuxText);
  };
  Row("site", "kind", "shape", "DReLUs", "muxes");
  for (const GateSite &Site : *Sites)
    Row(Site.Name, gateKindName(Site.Kind), shapeText(Site), std::to_string(Site.DReLUs), std::to_string(Site.Muxes));
  Row("total", fmt::format("{} sites", Sites->size()), "", std::to_string(DReLUs), std::to_string(Muxes));
  Out << unknownRowsText(*Sites);
  Out << unpricedText(findUnpricedOperators(M, *Sites));
  return llvm::Error::success();
}
