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
// Every step reads gates row by row: gains of all gates together are one pass over the loss matrix.
//
//===----------------------------------------------------------------------===//

#include "PlanSearch.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <queue>
#include <random>

using namespace deepshare;

namespace {

constexpr int None = -1;

/// A set of open gates at one lambda, and what every channel pays with it.
class State {
public:
  State(const SearchProblem &P) : P(P), IsOpen(P.Gates.size()), SiteOpen(P.SitePrices.size()) {}

  void setLambda(double NewLambda);
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
  double price() const;
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
  double Lambda = 0;
  std::vector<char> IsOpen;
  std::vector<unsigned> SiteOpen;
  /// Of each channel: lambda times its prices.
  std::vector<float> CheapCost, DearCost;
  /// Of each channel: the least cost without a gate; the best open gate (None: without), the second best, their costs.
  std::vector<float> Without, Best, Second;
  std::vector<int> BestGate, SecondGate;
};

} // namespace

void State::setLambda(double NewLambda) {
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

void State::setOpen(const std::vector<char> &Open) {
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

void State::assign() {
  Best = Without;
  BestGate.assign(P.Channels.size(), None);
  Second.assign(P.Channels.size(), INFINITY);
  SecondGate = BestGate;
  for (size_t G = 0; G < P.Gates.size(); ++G)
    if (IsOpen[G])
      for (const Segment &S : P.Gates[G].Segments)
        for (unsigned C = S.FirstChannel; C < S.FirstChannel + S.Count; ++C)
          offer(cost(S, C), G, Best[C], BestGate[C], Second[C], SecondGate[C]);
}

void State::assignChannel(unsigned C) {
  Best[C] = Without[C];
  Second[C] = INFINITY;
  BestGate[C] = SecondGate[C] = None;
  for (size_t G = 0; G < P.Gates.size(); ++G)
    if (IsOpen[G])
      for (const Segment &S : P.Gates[G].Segments)
        if (C - S.FirstChannel < S.Count)
          offer(cost(S, C), G, Best[C], BestGate[C], Second[C], SecondGate[C]);
}

void State::openGate(unsigned Gate) {
  IsOpen[Gate] = true;
  ++SiteOpen[P.Gates[Gate].Site];
  for (const Segment &S : P.Gates[Gate].Segments)
    for (unsigned C = S.FirstChannel; C < S.FirstChannel + S.Count; ++C)
      offer(cost(S, C), Gate, Best[C], BestGate[C], Second[C], SecondGate[C]);
}

void State::closeGate(unsigned Gate) {
  IsOpen[Gate] = false;
  --SiteOpen[P.Gates[Gate].Site];
  for (const Segment &S : P.Gates[Gate].Segments)
    for (unsigned C = S.FirstChannel; C < S.FirstChannel + S.Count; ++C)
      if (BestGate[C] == int(Gate) || SecondGate[C] == int(Gate))
        assignChannel(C);
}

double State::gain(unsigned Gate) const {
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
bool State::add() {
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
bool State::drop() {
  bool Changed = false;
  for (bool Again = true; Again;) {
    Again = false;
    std::vector<double> Saved(P.Gates.size());
    for (size_t C = 0; C < P.Channels.size(); ++C)
      if (BestGate[C] != None)
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
bool State::dropSites() {
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

void State::settle() {
  // Each round lowers the objective; the bound only guards against rounding.
  for (unsigned Round = 0; Round < 10; ++Round) {
    bool Changed = add();
    Changed |= drop();
    bool Dropped = dropSites();
    if (!Changed || Dropped)
      return;
  }
}

void State::closeUnused() {
  std::vector<char> Used(P.Gates.size());
  for (int Gate : BestGate)
    if (Gate != None)
      Used[Gate] = true;
  if (Used != IsOpen)
    setOpen(Used);
}

void State::swap(double Limit, unsigned Passes) {
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
          else if (BestGate[C] != None)
            Lost[BestGate[C]] += std::min({New, Second[C], Without[C]}) - Best[C];
        }
      if (Gain <= 0)
        continue;
      // Channels out of In's reach lose in full.
      std::vector<char> Reached(P.Channels.size());
      for (const Segment &S : P.Gates[In].Segments)
        std::fill_n(Reached.begin() + S.FirstChannel, S.Count, 1);
      for (size_t C = 0; C < P.Channels.size(); ++C)
        if (!Reached[C] && BestGate[C] != None)
          Lost[BestGate[C]] += std::min(Second[C], Without[C]) - Best[C];
      int Out = None;
      double BestNet = 1e-9 * (std::abs(Gain) + 1e-30);
      for (size_t G = 0; G < P.Gates.size(); ++G)
        if (IsOpen[G])
          if (double Net = Gain - Lost[G] - Lambda * exchangePrice(In, G); Net > BestNet) {
            BestNet = Net;
            Out = G;
          }
      if (Out == None)
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

SearchChoice State::choice(unsigned C) const {
  const SearchProblem::Channel &Channel = P.Channels[C];
  if (BestGate[C] != None)
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
  return {None, Least, Channel.WithoutGate[Least].Loss, Channel.WithoutGate[Least].Price};
}

double State::price() const {
  double Price = 0;
  for (size_t G = 0; G < P.Gates.size(); ++G)
    Price += IsOpen[G] ? P.Gates[G].Price : 0;
  for (size_t Site = 0; Site < SiteOpen.size(); ++Site)
    Price += SiteOpen[Site] ? P.SitePrices[Site] : 0;
  for (unsigned C = 0; C < P.Channels.size(); ++C)
    Price += choice(C).Price;
  return Price;
}

double State::loss() const {
  double Loss = 0;
  for (unsigned C = 0; C < P.Channels.size(); ++C)
    Loss += choice(C).Loss;
  return Loss;
}

/// Opens gates of best gain a unit that fit; one pass ranks them, gains are looked at again before each.
void State::fill(double Limit) {
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

SearchResult State::result() const {
  SearchResult Result;
  for (unsigned C = 0; C < P.Channels.size(); ++C)
    Result.Choices.push_back(choice(C));
  Result.Loss = loss();
  Result.Price = price();
  return Result;
}

/// Better options of single channels that fit into what the budget leaves: gates that are open, or without one.
static void upgrade(const SearchProblem &P, SearchResult &Result) {
  struct Move {
    double Ratio;
    unsigned Channel;
    SearchChoice Choice;
  };
  std::vector<char> IsOpen(P.Gates.size());
  for (const SearchChoice &Choice : Result.Choices)
    if (Choice.Gate != None)
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
        Offer(C, {None, I, P.Channels[C].WithoutGate[I].Loss, P.Channels[C].WithoutGate[I].Price});
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
    if (Choice.Gate != None)
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
  State S(P);
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
  unsigned SwapPasses = Size < 4'000'000 ? 8 : Size < 40'000'000 ? 2 : 1;
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
