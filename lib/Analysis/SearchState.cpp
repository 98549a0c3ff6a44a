//===- SearchState.cpp - open gates at one price of loss ------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Every step reads gates row by row: gains of all gates together are one pass over the loss matrix.
//
//===----------------------------------------------------------------------===//

#include "SearchState.h"

#include "llvm/ADT/DenseMap.h"

#include <cmath>
#include <numeric>
#include <queue>

using namespace deepshare;

SearchState::SearchState(const SearchProblem &P)
    : P(P), OffersTo(P.Channels.size()), IsOpen(P.Gates.size()), SiteOpen(P.SitePrices.size()) {
  llvm::DenseMap<std::pair<unsigned, unsigned>, unsigned> Places;
  for (unsigned Gate = 0; Gate < P.Gates.size(); ++Gate)
    for (const Segment &S : P.Gates[Gate].Segments) {
      auto [Place, IsNew] = Places.try_emplace({S.FirstChannel, S.Count}, Offers.size());
      if (IsNew) {
        Offers.emplace_back();
        for (unsigned C = S.FirstChannel; C < S.FirstChannel + S.Count; ++C)
          OffersTo[C].push_back(Place->second);
      }
      Offers[Place->second].push_back({Gate, &S});
    }
}

void SearchState::setLambda(double NewLambda) {
  Lambda = NewLambda;
  size_t N = P.Channels.size();
  CheapCost.resize(N);
  DearCost.resize(N);
  Without.resize(N);
  for (size_t C = 0; C < N; ++C) {
    CheapCost[C] = Lambda * P.Channels[C].CheapPrice;
    DearCost[C] = Lambda * P.Channels[C].DearPrice;
    float Least = INFINITY;
    for (const SearchProblem::Gateless &Option : P.Channels[C].WithoutGate)
      Least = std::min(Least, float(Option.Loss + Lambda * Option.Price));
    Without[C] = Least;
  }
  assign();
}

void SearchState::setOpen(const std::vector<char> &Open) {
  IsOpen = Open;
  std::fill(SiteOpen.begin(), SiteOpen.end(), 0);
  for (size_t G = 0; G < IsOpen.size(); ++G)
    SiteOpen[P.Gates[G].Site] += IsOpen[G];
  assign();
}

/// Offers \p Cost with \p Gate to a channel as best and second best.
static void offer(float Cost, int Gate, float &Best, int &BestGate, float &Second, int &SecondGate) {
  if (Cost < Best) {
    Second = Best;
    SecondGate = BestGate;
    Best = Cost;
    BestGate = Gate;
  } else if (Cost < Second) {
    Second = Cost;
    SecondGate = Gate;
  }
}

void SearchState::assign() {
  Best = Without;
  BestGate.assign(P.Channels.size(), NoGate);
  Second.assign(P.Channels.size(), INFINITY);
  SecondGate = BestGate;
  for (size_t G = 0; G < P.Gates.size(); ++G)
    if (IsOpen[G])
      for (const Segment &S : P.Gates[G].Segments)
        for (unsigned C = S.FirstChannel; C < S.FirstChannel + S.Count; ++C)
          offer(cost(S, C), G, Best[C], BestGate[C], Second[C], SecondGate[C]);
}

void SearchState::assignChannel(unsigned C) {
  Best[C] = Without[C];
  Second[C] = INFINITY;
  BestGate[C] = SecondGate[C] = NoGate;
  for (unsigned Place : OffersTo[C])
    for (const Offer &O : Offers[Place])
      if (IsOpen[O.Gate])
        offer(cost(*O.Losses, C), O.Gate, Best[C], BestGate[C], Second[C], SecondGate[C]);
}

void SearchState::openGate(unsigned Gate) {
  IsOpen[Gate] = true;
  ++SiteOpen[P.Gates[Gate].Site];
  for (const Segment &S : P.Gates[Gate].Segments)
    for (unsigned C = S.FirstChannel; C < S.FirstChannel + S.Count; ++C)
      offer(cost(S, C), Gate, Best[C], BestGate[C], Second[C], SecondGate[C]);
}

void SearchState::closeGate(unsigned Gate) {
  IsOpen[Gate] = false;
  --SiteOpen[P.Gates[Gate].Site];
  for (const Segment &S : P.Gates[Gate].Segments)
    for (unsigned C = S.FirstChannel; C < S.FirstChannel + S.Count; ++C)
      if (BestGate[C] == int(Gate) || SecondGate[C] == int(Gate))
        assignChannel(C);
}

double SearchState::gain(unsigned Gate) const {
  double Gain = 0;
  for (const Segment &S : P.Gates[Gate].Segments) {
    const float *Now = Best.data() + S.FirstChannel, *DearPrice = DearCost.data() + S.FirstChannel;
    const float *CheapPrice = CheapCost.data() + S.FirstChannel, *Dear = S.Dear, *Cheap = S.Cheap;
    float Sum = 0;
    if (Cheap) {
#pragma omp simd reduction(+ : Sum)
      for (unsigned I = 0; I < S.Count; ++I)
        Sum += std::max(0.0f, Now[I] - std::min(Dear[I] + DearPrice[I], Cheap[I] + CheapPrice[I]));
    } else {
#pragma omp simd reduction(+ : Sum)
      for (unsigned I = 0; I < S.Count; ++I)
        Sum += std::max(0.0f, Now[I] - (Dear[I] + DearPrice[I]));
    }
    Gain += Sum;
  }
  return Gain;
}

/// Opens gates that are worth their price, best first. A site's own price is left to dropSites(), which sees all its
/// gates together.
bool SearchState::add() {
  std::priority_queue<std::pair<double, unsigned>> Queue;
  for (size_t G = 0; G < P.Gates.size(); ++G)
    if (!IsOpen[G])
      if (double Net = gain(G) - Lambda * P.Gates[G].Price; Net > 0)
        Queue.push({Net, G});
  bool Changed = false;
  while (!Queue.empty()) {
    unsigned G = Queue.top().second;
    Queue.pop();
    // Gains only shrink while gates are opened, so that a gate still ahead of the next one's old gain is the best.
    double Net = gain(G) - Lambda * P.Gates[G].Price;
    if (Net <= 0)
      continue;
    if (!Queue.empty() && Net < Queue.top().first) {
      Queue.push({Net, G});
      continue;
    }
    openGate(G);
    Changed = true;
  }
  return Changed;
}

/// Closes gates whose users would lose less than its price, the least useful first.
bool SearchState::drop() {
  bool Changed = false;
  for (bool Again = true; Again;) {
    Again = false;
    std::vector<double> Saved(P.Gates.size());
    for (size_t C = 0; C < P.Channels.size(); ++C)
      if (BestGate[C] != NoGate)
        Saved[BestGate[C]] += std::min(Second[C], Without[C]) - Best[C];
    std::vector<std::pair<double, unsigned>> Useless;
    for (size_t G = 0; G < P.Gates.size(); ++G)
      if (IsOpen[G])
        if (double Net = Saved[G] - Lambda * gatePrice(G); Net < 0 || Saved[G] <= 0)
          Useless.push_back({Net, G});
    std::sort(Useless.begin(), Useless.end());
    // Users of one move to others, which may then be worth keeping: a part at a time.
    size_t Part = std::max<size_t>(1, Useless.size() / 4);
    for (size_t I = 0; I < std::min(Part, Useless.size()); ++I) {
      unsigned G = Useless[I].second;
      double Still = 0;
      for (const Segment &S : P.Gates[G].Segments)
        for (unsigned C = S.FirstChannel; C < S.FirstChannel + S.Count; ++C)
          if (BestGate[C] == int(G))
            Still += std::min(Second[C], Without[C]) - Best[C];
      if (Still > 0 && Still >= Lambda * gatePrice(G))
        continue;
      closeGate(G);
      Changed = Again = true;
    }
  }
  return Changed;
}

/// Closes all gates of a site if together they are not worth their prices and the site's.
bool SearchState::dropSites() {
  bool Changed = false;
  for (size_t Site = 0; Site < P.SitePrices.size(); ++Site) {
    if (P.SitePrices[Site] <= 0 || SiteOpen[Site] == 0)
      continue;
    std::vector<char> Before = IsOpen;
    auto Objective = [&] { return std::accumulate(Best.begin(), Best.end(), 0.0); };
    double Old = Objective(), Freed = P.SitePrices[Site];
    for (size_t G = 0; G < P.Gates.size(); ++G)
      if (IsOpen[G] && P.Gates[G].Site == Site) {
        Freed += P.Gates[G].Price;
        closeGate(G);
      }
    if (Objective() - Old < Lambda * Freed)
      Changed = true;
    else
      setOpen(Before);
  }
  return Changed;
}

void SearchState::settle() {
  // Each round lowers the objective; the bound only guards against rounding.
  for (unsigned Round = 0; Round < 10; ++Round) {
    bool Changed = add();
    Changed |= drop();
    bool Dropped = dropSites();
    if (!Changed || Dropped)
      return;
  }
}

void SearchState::closeUnused() {
  std::vector<char> Used(P.Gates.size());
  for (int Gate : BestGate)
    if (Gate != NoGate)
      Used[Gate] = true;
  if (Used != IsOpen)
    setOpen(Used);
}

void SearchState::swap(double Limit, unsigned Passes) {
  std::vector<double> Lost(P.Gates.size());
  for (bool Changed = true; Changed && Passes > 0; --Passes) {
    Changed = false;
    for (size_t In = 0; In < P.Gates.size(); ++In) {
      if (IsOpen[In])
        continue;
      // With In open: what every channel saves, and what it would lose besides if its present gate were closed.
      std::fill(Lost.begin(), Lost.end(), 0);
      double Gain = 0;
      for (const Segment &S : P.Gates[In].Segments)
        for (unsigned C = S.FirstChannel; C < S.FirstChannel + S.Count; ++C) {
          float New = cost(S, C);
          if (New < Best[C])
            Gain += Best[C] - New;
          else if (BestGate[C] != NoGate)
            Lost[BestGate[C]] += std::min({New, Second[C], Without[C]}) - Best[C];
        }
      if (Gain <= 0)
        continue;
      // Channels out of In's reach lose in full.
      std::vector<char> Reached(P.Channels.size());
      for (const Segment &S : P.Gates[In].Segments)
        std::fill_n(Reached.begin() + S.FirstChannel, S.Count, 1);
      for (size_t C = 0; C < P.Channels.size(); ++C)
        if (!Reached[C] && BestGate[C] != NoGate)
          Lost[BestGate[C]] += std::min(Second[C], Without[C]) - Best[C];
      int Out = NoGate;
      double BestNet = 1e-9 * (std::abs(Gain) + 1e-30);
      for (size_t G = 0; G < P.Gates.size(); ++G)
        if (IsOpen[G])
          if (double Net = Gain - Lost[G] - Lambda * exchangePrice(In, G); Net > BestNet) {
            BestNet = Net;
            Out = G;
          }
      if (Out == NoGate)
        continue;
      std::vector<char> Before = IsOpen;
      closeGate(Out);
      openGate(In);
      if (price() > Limit)
        setOpen(Before);
      else
        Changed = true;
    }
  }
}

//===----------------------------------------------------------------------===//
// Within the budget
//===----------------------------------------------------------------------===//

SearchChoice SearchState::choice(unsigned C) const {
  const SearchProblem::Channel &Channel = P.Channels[C];
  if (BestGate[C] != NoGate)
    for (const Segment &S : P.Gates[BestGate[C]].Segments)
      if (unsigned I = C - S.FirstChannel; I < S.Count) {
        bool IsCheap = S.Cheap && S.Cheap[I] + CheapCost[C] <= S.Dear[I] + DearCost[C];
        return {BestGate[C], IsCheap ? 0u : 1u, IsCheap ? S.Cheap[I] : S.Dear[I],
                IsCheap ? Channel.CheapPrice : Channel.DearPrice};
      }
  unsigned Least = 0;
  for (unsigned I = 1; I < Channel.WithoutGate.size(); ++I)
    if (Channel.WithoutGate[I].Loss + Lambda * Channel.WithoutGate[I].Price <
        Channel.WithoutGate[Least].Loss + Lambda * Channel.WithoutGate[Least].Price)
      Least = I;
  return {NoGate, Least, Channel.WithoutGate[Least].Loss, Channel.WithoutGate[Least].Price};
}

double SearchState::price() const {
  double Price = 0;
  for (size_t G = 0; G < P.Gates.size(); ++G)
    Price += IsOpen[G] ? P.Gates[G].Price : 0;
  for (size_t Site = 0; Site < SiteOpen.size(); ++Site)
    Price += SiteOpen[Site] ? P.SitePrices[Site] : 0;
  for (unsigned C = 0; C < P.Channels.size(); ++C)
    Price += choice(C).Price;
  return Price;
}

double SearchState::loss() const {
  double Loss = 0;
  for (unsigned C = 0; C < P.Channels.size(); ++C)
    Loss += choice(C).Loss;
  return Loss;
}

/// Opens gates of best gain a unit that fit; one pass ranks them, gains are looked at again before each.
void SearchState::fill(double Limit) {
  for (bool Again = true; Again;) {
    Again = false;
    double Left = Limit - price();
    std::vector<std::pair<double, unsigned>> Ranked;
    for (size_t G = 0; G < P.Gates.size(); ++G)
      if (double Price = gatePrice(G); !IsOpen[G] && Price <= Left)
        if (double Gain = gain(G); Gain > 0)
          Ranked.push_back({Price > 0 ? Gain / Price : INFINITY, G});
    std::sort(Ranked.begin(), Ranked.end(),
              [](auto A, auto B) { return A.first > B.first || (A.first == B.first && A.second < B.second); });
    if (Ranked.size() > 64)
      Ranked.resize(64);
    for (auto [Ratio, G] : Ranked) {
      std::vector<char> Before = IsOpen;
      double OldLoss = loss();
      if (gain(G) <= 0)
        continue;
      openGate(G);
      if (price() > Limit || loss() >= OldLoss)
        setOpen(Before);
      else
        Again = true;
    }
  }
}

SearchResult SearchState::result() const {
  SearchResult Result;
  for (unsigned C = 0; C < P.Channels.size(); ++C)
    Result.Choices.push_back(choice(C));
  Result.Loss = loss();
  Result.Price = price();
  return Result;
}
