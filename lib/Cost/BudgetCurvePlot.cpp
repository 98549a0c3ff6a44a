//===- BudgetCurvePlot.cpp - the budget curve as an SVG image -------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// One panel for each unit of cost, side by side under one legend; all panels have the same axis of losses. Losses span
// decades, so that their axis is logarithmic; a loss of 0 (everything kept) has a strip of its own below a dashed line.
//
//===----------------------------------------------------------------------===//

#include "ReportParts.h"
#include "deepshare/Cost/BudgetCurve.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/STLExtras.h"

#include <fmt/format.h>

#include <cmath>

using namespace deepshare;
using llvm::ArrayRef;
using llvm::StringRef;

namespace {

constexpr double PanelWidth = 400, PanelHeight = 300, LeftMargin = 76, RightMargin = 18, TopMargin = 14,
                 BottomMargin = 52, ZeroStrip = 26, LegendRow = 22, TitleHeight = 56;

/// What the x axis of a panel counts.
struct Unit {
  std::string Name;
  double Scale; ///< of one in the axis' labels
  double (*Measure)(const BudgetCurve &, const CostTotals &);
};

/// Positions of the ticks of an axis, from low to high.
struct Axis {
  double Low = 0, High = 1;
  std::vector<double> Ticks;
  /// How far along the axis a number is, from 0 to 1.
  double part(double Number) const { return (Number - Low) / (High - Low); }
};

/// The colours of Okabe and Ito, which people with any kind of colour vision tell apart.
constexpr StringRef Colours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#444444"};

/// Draws a curve.
class Plot {
public:
  Plot(const BudgetCurve &Curve, StringRef Title);
  std::string draw();

private:
  void drawLegend(double Width, double Y);
  void drawPanel(const Unit &X, double Left, double Top);
  void drawAxes(const Unit &X, const Axis &Across, double Left, double Top);
  void drawLine(unsigned Strategy, ArrayRef<const CurvePoint *> Points, const Unit &X, const Axis &Across, double Left,
                double Top);
  std::string marker(unsigned Strategy, double X, double Y, StringRef Tip) const;
  void text(double X, double Y, StringRef Anchor, StringRef Text, StringRef More = "");
  /// Distance of a loss from the panel's top.
  double lossY(double Loss) const;
  double lossHeight() const { return PanelHeight - (HasZero ? ZeroStrip : 0); }

  const BudgetCurve &Curve;
  StringRef Title;
  std::string Out;
  llvm::MapVector<StringRef, std::vector<const CurvePoint *>> Strategies;
  Axis Losses;
  bool HasZero = false;
  bool HasLoss = false; ///< some loss is not 0
};

} // namespace

static std::string escaped(StringRef Text) {
  std::string Result;
  for (char C : Text)
    Result += C == '&' ? "&amp;" : C == '<' ? "&lt;" : C == '>' ? "&gt;" : C == '"' ? "&quot;" : std::string(1, C);
  return Result;
}

/// Three to six ticks at 1, 2 or 5 times a power of ten for numbers from \p Least to \p Most. The axis starts at 0
/// where that takes no more than half of it.
static Axis linearAxis(double Least, double Most) {
  if (!(Most > 0))
    return {0, 1, {0, 1}};
  if (Least < Most / 2)
    Least = 0;
  double Range = std::max(Most - Least, Most / 10);
  double Step = std::pow(10, std::floor(std::log10(Range / 4))), Steps = Range / Step;
  Step *= Steps > 25 ? 10 : Steps > 12 ? 5 : Steps > 6 ? 2 : 1;
  double First = std::floor(Least / Step);
  Axis Result{First * Step, Most + Range * 0.04, {}};
  for (double I = First; I * Step <= Result.High; ++I)
    Result.Ticks.push_back(I * Step);
  return Result;
}

/// Ticks at 1, 2 and 5 times powers of ten from below \p Least to above \p Most; over four decades at powers only.
static Axis logAxis(double Least, double Most) {
  std::vector<double> Ticks;
  bool IsLong = Most / Least > 1e4;
  for (int Power = std::floor(std::log10(Least)) - 1; Power <= std::ceil(std::log10(Most)) + 1; ++Power)
    for (double Digit : {1, 2, 5})
      if (Digit == 1 || !IsLong)
        Ticks.push_back(Digit * std::pow(10, Power));
  auto First = std::upper_bound(Ticks.begin(), Ticks.end(), Least * 0.98) - 1;
  auto Last = std::lower_bound(Ticks.begin(), Ticks.end(), Most * 1.02) + 1;
  return {*First, *(Last - 1), {First, Last}};
}

/// "50k", "1.5M", "0.25".
static std::string tickText(double Number) {
  if (Number >= 1e6)
    return fmt::format("{:g}M", Number / 1e6);
  return Number >= 1e4 ? fmt::format("{:g}k", Number / 1e3) : fmt::format("{:g}", Number);
}

static std::vector<Unit> units(const BudgetCurve &Curve) {
  double Bytes = Curve.Unchanged.bytes();
  std::vector<Unit> Units;
  Units.push_back({"DReLUs", 1, [](const BudgetCurve &, const CostTotals &C) { return double(C.Gates.DReLUs); }});
  double Scale = Bytes >= 1e9 ? 1e9 : Bytes >= 1e6 ? 1e6 : 1e3;
  Units.push_back({fmt::format("{}B of the whole model, {}",
                               Scale == 1e9   ? "G"
                               : Scale == 1e6 ? "M"
                                              : "k",
                               Curve.Model.Name),
                   Scale, [](const BudgetCurve &, const CostTotals &C) { return C.bytes(); }});
  Units.push_back({"rounds", 1, [](const BudgetCurve &, const CostTotals &C) { return C.Rounds; }});
  if (Curve.Connection)
    Units.push_back({"seconds on " + networkText(*Curve.Connection), 1,
                     [](const BudgetCurve &Of, const CostTotals &C) { return C.seconds(*Of.Connection); }});
  return Units;
}

Plot::Plot(const BudgetCurve &Curve, StringRef Title) : Curve(Curve), Title(Title) {
  double Least = INFINITY, Most = 0;
  for (const CurvePoint &Point : Curve.Points) {
    if (!Point.Failure.empty())
      continue;
    Strategies[Point.Strategy].push_back(&Point);
    if (Point.Loss > 0) {
      Least = std::min(Least, Point.Loss);
      Most = std::max(Most, Point.Loss);
    } else {
      HasZero = true;
    }
  }
  HasLoss = Most > 0;
  if (HasLoss)
    Losses = logAxis(Least, Most);
}

double Plot::lossY(double Loss) const {
  if (Loss <= 0)
    return PanelHeight - ZeroStrip / 2;
  return lossHeight() * std::log(Losses.High / Loss) / std::log(Losses.High / Losses.Low);
}

void Plot::text(double X, double Y, StringRef Anchor, StringRef Text, StringRef More) {
  Out += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\"{}>{}</text>\n", X, Y, Anchor.str(), More.str(),
                     escaped(Text));
}

/// A strategy has its own colour and form.
std::string Plot::marker(unsigned Strategy, double X, double Y, StringRef Tip) const {
  static constexpr StringRef Forms[] = {
      "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
      "M-3.6 -3.6h7.2v7.2h-7.2z",
      "M0 -4.6L4.4 3.4H-4.4z",
      "M0 -5L5 0L0 5L-5 0z",
      "M0 4.6L4.4 -3.4H-4.4z",
      "M-4.6 -2.6l2 -2l2.6 2.6l2.6 -2.6l2 2l-2.6 2.6l2.6 2.6l-2 2l-2.6 -2.6l-2.6 2.6l-2 -2l2.6 -2.6z",
      "M-1.6 -5v3.4h-3.4v3.2h3.4v3.4h3.2v-3.4h3.4v-3.2h-3.4v-3.4z"};
  return fmt::format("<path d=\"{}\" transform=\"translate({:.1f} {:.1f})\" fill=\"{}\" stroke=\"#fff\">{}</path>\n",
                     Forms[Strategy % std::size(Forms)].str(), X, Y, Colours[Strategy % std::size(Colours)].str(),
                     Tip.empty() ? "" : "<title>" + escaped(Tip) + "</title>");
}

void Plot::drawAxes(const Unit &X, const Axis &Across, double Left, double Top) {
  double Right = Left + PanelWidth, Bottom = Top + PanelHeight;
  auto Grid = [&](double X1, double Y1, double X2, double Y2, StringRef Style) {
    Out += fmt::format("<path d=\"M{:.1f} {:.1f}L{:.1f} {:.1f}\" {}/>\n", X1, Y1, X2, Y2, Style.str());
  };
  constexpr StringRef Light = "stroke=\"#e4e4e4\"", Dark = "stroke=\"#555\"";
  for (double Tick : Across.Ticks) {
    double At = Left + PanelWidth * Across.part(Tick);
    Grid(At, Top, At, Bottom, Light);
    Grid(At, Bottom, At, Bottom + 4, Dark);
    text(At, Bottom + 18, "middle", tickText(Tick));
  }
  auto LossTick = [&](double Loss, StringRef Label) {
    double At = Top + lossY(Loss);
    Grid(Left, At, Right, At, Light);
    Grid(Left - 4, At, Left, At, Dark);
    text(Left - 8, At + 4, "end", Label);
  };
  if (HasLoss)
    for (double Tick : Losses.Ticks)
      LossTick(Tick, fmt::format("{:g}", Tick));
  if (HasZero) {
    LossTick(0, "0");
    if (HasLoss)
      Grid(Left, Top + lossHeight(), Right, Top + lossHeight(), "stroke=\"#999\" stroke-dasharray=\"3 3\"");
  }
  Grid(Left, Top, Left, Bottom, Dark);
  Grid(Left, Bottom, Right, Bottom, Dark);
  text((Left + Right) / 2, Bottom + 38, "middle", X.Name, " font-size=\"13\"");
  double Middle = (Top + Bottom) / 2;
  text(Left - 58, Middle, "middle", "predicted loss",
       fmt::format(" font-size=\"13\" transform=\"rotate(-90 {:.1f} {:.1f})\"", Left - 58, Middle));
}

void Plot::drawLine(unsigned Strategy, ArrayRef<const CurvePoint *> Points, const Unit &X, const Axis &Across,
                    double Left, double Top) {
  struct Spot {
    double X, Y;
    const CurvePoint *Point;
  };
  std::vector<Spot> Spots;
  for (const CurvePoint *Point : Points)
    Spots.push_back(
        {Left + PanelWidth * Across.part(X.Measure(Curve, Point->Cost) / X.Scale), Top + lossY(Point->Loss), Point});
  // Along the losses: costs such as rounds need not grow with the budget.
  llvm::stable_sort(Spots, [](const Spot &A, const Spot &B) { return A.Y < B.Y; });
  std::string Path, Markers, Colour = Colours[Strategy % std::size(Colours)].str();
  auto Stroke = [&](StringRef Path, StringRef More) {
    Out += fmt::format("<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-linejoin=\"round\" {}/>\n", Path.str(),
                       Colour, More.str());
  };
  const Spot *Before = nullptr;
  for (const Spot &S : Spots) {
    if (S.Point->Loss > 0) {
      Path += fmt::format("{}{:.1f} {:.1f}", Path.empty() ? "M" : "L", S.X, S.Y);
    } else if (Before) {
      // Where the line would be on the way to 0 no logarithm says.
      Stroke(fmt::format("M{:.1f} {:.1f}L{:.1f} {:.1f}", Before->X, Before->Y, S.X, S.Y),
             "stroke-dasharray=\"2 4\" stroke-opacity=\"0.7\"");
    }
    Before = &S;
    const CostTotals &Cost = S.Point->Cost;
    std::string Tip =
        fmt::format("{} at {}: loss {:.4g}, {} DReLUs, {:.4g} MB, {} rounds", S.Point->Strategy, S.Point->Budget,
                    S.Point->Loss, groupedText(Cost.Gates.DReLUs), Cost.bytes() / 1e6, groupedText(Cost.Rounds));
    if (Curve.Connection)
      Tip += ", " + secondsText(Cost.seconds(*Curve.Connection)) + " s";
    Markers += marker(Strategy, S.X, S.Y, Tip);
  }
  if (!Path.empty())
    Stroke(Path, "stroke-width=\"1.8\"");
  Out += Markers;
}

void Plot::drawPanel(const Unit &X, double Left, double Top) {
  double Least = X.Measure(Curve, Curve.Unchanged) / X.Scale, Most = Least;
  for (const auto &[Strategy, Points] : Strategies)
    for (const CurvePoint *Point : Points) {
      Least = std::min(Least, X.Measure(Curve, Point->Cost) / X.Scale);
      Most = std::max(Most, X.Measure(Curve, Point->Cost) / X.Scale);
    }
  Axis Across = linearAxis(Least, Most);
  drawAxes(X, Across, Left, Top);
  for (auto [I, Entry] : llvm::enumerate(Strategies))
    drawLine(I, Entry.second, X, Across, Left, Top);
}

void Plot::drawLegend(double Width, double Y) {
  // Text of this size is about 7 wide a letter.
  auto Wide = [](StringRef Name) { return 54 + 7.0 * Name.size(); };
  double X = Width / 2;
  for (const auto &Entry : Strategies)
    X -= Wide(Entry.first) / 2;
  for (auto [I, Entry] : llvm::enumerate(Strategies)) {
    Out += fmt::format("<path d=\"M{:.1f} {:.1f}h24\" stroke=\"{}\" stroke-width=\"1.8\"/>\n", X, Y,
                       Colours[I % std::size(Colours)].str());
    Out += marker(I, X + 12, Y, "");
    text(X + 30, Y + 4, "start", Entry.first, " font-size=\"13\"");
    X += Wide(Entry.first);
  }
}

std::string Plot::draw() {
  std::vector<Unit> Units = units(Curve);
  unsigned Columns = Units.size() == 4 ? 2 : Units.size(), Rows = Units.size() / Columns;
  constexpr double Wide = LeftMargin + PanelWidth + RightMargin, High = TopMargin + PanelHeight + BottomMargin;
  double Width = Columns * Wide, Head = TitleHeight + LegendRow, Height = Head + Rows * High;
  Out = fmt::format("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" "
                    "viewBox=\"0 0 {0:.0f} {1:.0f}\" font-family=\"Helvetica, Arial, sans-serif\" font-size=\"12\" "
                    "fill=\"#222\">\n<title>{2}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
                    Width, Height, escaped(Title));
  text(Width / 2, 24, "middle", Title, " font-size=\"17\" font-weight=\"bold\"");
  text(Width / 2, 44, "middle", "for one image; " + Curve.Note, " fill=\"#666\"");
  drawLegend(Width, TitleHeight + LegendRow / 2);
  for (auto [I, X] : llvm::enumerate(Units)) {
    size_t Row = I / Columns, Column = I % Columns;
    drawPanel(X, LeftMargin + Column * Wide, Head + Row * High + TopMargin);
  }
  return Out + "</svg>\n";
}

std::string deepshare::budgetCurveSvg(const BudgetCurve &Curve, StringRef Title) { return Plot(Curve, Title).draw(); }
