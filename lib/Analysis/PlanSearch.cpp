//===- PlanSearch.cpp - facility location under a budget ------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// With a price of loss, lambda, on every unit of the budget, the problem is facility location without a budget: each
// channel takes the option of least loss + lambda * price, and a gate is worth opening if what its users save is more
// than lambda times its own price. Adding such gates, best first, is lazy greedy; dropping and swapping them is local
// search.
//
//   1. Lower lambda from where nothing is worth its price until the budget is passed, then bisect; each state is
//      improved by add and drop, starting from the one before.
//   2. Swap gates at the last lambda that fits.
//   3. Spend what is left of the budget on the moves of best loss a unit that still fit.
//   4. Small problems: perturb, repeat 2 and 3, keep the best.
//
//===----------------------------------------------------------------------===//

#include "SearchState.h"

#include <algorithm>
#include <cmath>
#include <random>

using namespace deepshare;

/// Better options of single channels that fit into what the budget leaves: gates that are open, or without one.
static void upgrade(const SearchProblem &P, SearchResult &Result) {
  struct Move {
    double Ratio;
    unsigned Channel;
    SearchChoice Choice;
  };
  std::vector<char> IsOpen(P.Gates.size());
  for (const SearchChoice &Choice : Result.Choices)
    if (Choice.Gate != NoGate)
      IsOpen[Choice.Gate] = true;
  for (bool Again = true; Again;) {
    Again = false;
    double Left = P.Budget - Result.Price;
    // Of each channel the move of best gain a unit.
    std::vector<Move> Moves(P.Channels.size(), Move{0, 0, {}});
    auto Offer = [&](unsigned C, SearchChoice New) {
      const SearchChoice &Old = Result.Choices[C];
      double Gain = Old.Loss - New.Loss, Price = New.Price - Old.Price;
      double Ratio = Price > 0 ? Gain / Price : INFINITY;
      if (Gain > 0 && Price <= Left && Ratio > Moves[C].Ratio)
        Moves[C] = {Ratio, C, New};
    };
    for (unsigned C = 0; C < P.Channels.size(); ++C)
      for (unsigned I = 0; I < P.Channels[C].WithoutGate.size(); ++I)
        Offer(C, {NoGate, I, P.Channels[C].WithoutGate[I].Loss, P.Channels[C].WithoutGate[I].Price});
    for (unsigned G = 0; G < P.Gates.size(); ++G)
      if (IsOpen[G])
        for (const SearchProblem::Segment &S : P.Gates[G].Segments)
          for (unsigned I = 0; I < S.Count; ++I) {
            unsigned C = S.FirstChannel + I;
            if (S.Cheap)
              Offer(C, {int(G), 0, S.Cheap[I], P.Channels[C].CheapPrice});
            Offer(C, {int(G), 1, S.Dear[I], P.Channels[C].DearPrice});
          }
    std::stable_sort(Moves.begin(), Moves.end(), [](const Move &A, const Move &B) { return A.Ratio > B.Ratio; });
    for (const Move &M : Moves) {
      SearchChoice &Old = Result.Choices[M.Channel];
      if (M.Ratio <= 0 || Result.Price + M.Choice.Price - Old.Price > P.Budget)
        continue;
      Result.Price += M.Choice.Price - Old.Price;
      Result.Loss += M.Choice.Loss - Old.Loss;
      Old = M.Choice;
      Again = true;
    }
  }
  // A gate may have lost its last user.
  std::vector<char> Used(P.Gates.size());
  std::vector<unsigned> SiteUsed(P.SitePrices.size()), SiteOpen(P.SitePrices.size());
  for (const SearchChoice &Choice : Result.Choices)
    if (Choice.Gate != NoGate)
      Used[Choice.Gate] = true;
  for (unsigned G = 0; G < P.Gates.size(); ++G) {
    SiteOpen[P.Gates[G].Site] += IsOpen[G];
    SiteUsed[P.Gates[G].Site] += Used[G];
    if (IsOpen[G] && !Used[G])
      Result.Price -= P.Gates[G].Price;
  }
  for (size_t Site = 0; Site < SiteOpen.size(); ++Site)
    if (SiteOpen[Site] && !SiteUsed[Site])
      Result.Price -= P.SitePrices[Site];
}

/// A lambda at which nothing is worth its price: more than the loss of everything for the least price. 0 if nothing
/// can be lost, or nothing costs anything.
static double highestLambda(const SearchProblem &P) {
  double Loss = 0, Least = INFINITY;
  auto Pay = [&](double Price) {
    if (Price > 0)
      Least = std::min(Least, Price);
  };
  for (const SearchProblem::Channel &Channel : P.Channels) {
    float Cheapest = INFINITY;
    for (const SearchProblem::Gateless &Option : Channel.WithoutGate) {
      if (Option.Price == 0)
        Cheapest = std::min(Cheapest, Option.Loss);
      Pay(Option.Price);
    }
    Loss += Cheapest;
    Pay(Channel.CheapPrice);
    Pay(Channel.DearPrice);
  }
  for (const SearchProblem::Gate &Gate : P.Gates)
    Pay(Gate.Price);
  for (double Price : P.SitePrices)
    Pay(Price);
  return 2 * Loss / Least;
}

SearchResult deepshare::searchPlan(const SearchProblem &P, uint64_t Seed) {
  SearchState S(P);
  double High = highestLambda(P);
  if (High == 0 || P.Gates.empty()) {
    S.setLambda(0);
    S.settle();
    if (S.price() > P.Budget)
      S.setLambda(1e30);
    SearchResult Result = S.result();
    upgrade(P, Result);
    return Result;
  }
  // Lower lambda until the budget is passed. At the highest only what is free is open.
  S.setLambda(High);
  S.settle();
  std::vector<char> Fits = S.open();
  double Low = 0, Floor = High * 1e-18;
  for (double Lambda = High / 2; Lambda > Floor; Lambda *= 0.6) {
    S.setLambda(Lambda);
    S.settle();
    if (S.price() > P.Budget) {
      Low = Lambda;
      break;
    }
    Fits = S.open();
    High = Lambda;
  }
  for (unsigned Step = 0; Step < 14 && Low > 0 && High / Low > 1 + 1e-4; ++Step) {
    double Lambda = std::sqrt(High * Low);
    S.setOpen(Fits);
    S.setLambda(Lambda);
    S.settle();
    if (S.price() > P.Budget) {
      Low = Lambda;
    } else {
      Fits = S.open();
      High = Lambda;
    }
  }

  // Large problems leave little to gain here, and a pass costs as much as all of it.
  uint64_t Size = uint64_t(P.Gates.size()) * P.Channels.size();
  unsigned SwapPasses = Size < 4'000'000 ? 8 : Size < 40'000'000 ? 2 : Size < 400'000'000 ? 1 : 0;
  auto Finish = [&](const std::vector<char> &Open, double Lambda, bool Swap) {
    S.setLambda(Lambda);
    S.setOpen(Open);
    if (Swap)
      S.swap(P.Budget, SwapPasses);
    S.fill(P.Budget);
    S.closeUnused();
    SearchResult Result = S.result();
    upgrade(P, Result);
    return Result;
  };
  SearchResult Found = Finish(Fits, High, true);
  std::vector<char> FoundOpen = S.open();

  unsigned Rounds = Size < 20'000 ? 300 : Size < 1'000'000 ? 40 : 0;
  std::mt19937_64 Random(Seed);
  for (unsigned Round = 0; Round < Rounds; ++Round) {
    std::vector<char> Open = FoundOpen;
    for (unsigned Change = 0, Changes = 1 + Random() % 4; Change < Changes; ++Change)
      Open[Random() % Open.size()] ^= 1;
    // A little more or less for a unit leads to neighbouring states.
    double Lambda = High * std::exp2((double(Random() % 2001) - 1000) / 1000);
    S.setLambda(Lambda);
    S.setOpen(Open);
    if (Round % 2)
      S.settle();
    while (S.price() > P.Budget) {
      std::vector<unsigned> Gates;
      for (unsigned G = 0; G < P.Gates.size(); ++G)
        if (S.open()[G])
          Gates.push_back(G);
      if (Gates.empty())
        break;
      Open = S.open();
      Open[Gates[Random() % Gates.size()]] = 0;
      S.setOpen(Open);
    }
    if (S.price() > P.Budget)
      continue;
    SearchResult Tried = Finish(std::vector<char>(S.open()), Lambda, Round % 3 != 0);
    if (Tried.Loss < Found.Loss && Tried.Price <= P.Budget) {
      Found = std::move(Tried);
      FoundOpen = S.open();
    }
  }
  return Found;
}
