//===- SearchState.h - open gates at one price of loss ----------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_ANALYSIS_SEARCHSTATE_H
#define DEEPSHARE_LIB_ANALYSIS_SEARCHSTATE_H

#include "PlanSearch.h"

#include <algorithm>
#include <vector>

namespace deepshare {

/// A set of open gates at one lambda, and what every channel pays with it.
class SearchState {
public:
  explicit SearchState(const SearchProblem &P);

  /// Has a unit of the budget cost \p NewLambda of loss; the open gates stay.
  void setLambda(double NewLambda);
  /// An entry a gate.
  const std::vector<char> &open() const { return IsOpen; }
  void setOpen(const std::vector<char> &Open);

  /// Adds and drops gates until neither helps.
  void settle();
  /// Exchanges gates as long as that helps and the price stays within \p Limit; at most \p Passes over all gates.
  void swap(double Limit, unsigned Passes);
  /// Spends what \p Limit leaves on what loses least a unit.
  void fill(double Limit);
  /// Closes gates without users.
  void closeUnused();
  /// Of the open gates, their sites and what every channel takes.
  double price() const;
  /// Of what every channel takes, without lambda.
  double loss() const;
  SearchResult result() const;

private:
  using Segment = SearchProblem::Segment;

  /// Cost of channel \p C with the gate of \p S.
  float cost(const Segment &S, unsigned C) const {
    unsigned I = C - S.FirstChannel;
    float Dear = S.Dear[I] + DearCost[C];
    return S.Cheap ? std::min(Dear, S.Cheap[I] + CheapCost[C]) : Dear;
  }
  double gain(unsigned Gate) const;
  /// What opening or keeping \p Gate costs; its site's price if no other gate of it is open.
  double gatePrice(unsigned Gate) const {
    unsigned Others = SiteOpen[P.Gates[Gate].Site] - IsOpen[Gate];
    return P.Gates[Gate].Price + (Others == 0 ? P.SitePrices[P.Gates[Gate].Site] : 0);
  }
  /// What opening \p In and closing \p Out costs. A site has the same price with either of its gates.
  double exchangePrice(unsigned In, unsigned Out) const {
    if (P.Gates[In].Site == P.Gates[Out].Site)
      return P.Gates[In].Price - P.Gates[Out].Price;
    return gatePrice(In) - gatePrice(Out);
  }
  void assign();
  void assignChannel(unsigned C);
  void openGate(unsigned Gate);
  void closeGate(unsigned Gate);
  bool add();
  bool drop();
  bool dropSites();
  SearchChoice choice(unsigned C) const;

  const SearchProblem &P;
  /// A gate that the channels of a segment may use.
  struct Offer {
    unsigned Gate;
    const Segment *Losses;
  };
  /// Offers to the same channels, gates in order; and of each channel, which of them. A channel has few of these, and
  /// a gate has many segments.
  std::vector<std::vector<Offer>> Offers;
  std::vector<llvm::SmallVector<unsigned, 2>> OffersTo;
  double Lambda = 0;
  std::vector<char> IsOpen;
  std::vector<unsigned> SiteOpen;
  /// Of each channel: lambda times its prices.
  std::vector<float> CheapCost, DearCost;
  /// Of each channel: the least cost without a gate; the best open gate (NoGate: without), the second best, their
  /// costs.
  std::vector<float> Without, Best, Second;
  std::vector<int> BestGate, SecondGate;
};

} // namespace deepshare

#endif // DEEPSHARE_LIB_ANALYSIS_SEARCHSTATE_H
