//===- Planner.cpp - decides which gates are computed ---------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Turns sites, statistics and prices into search problems, and what was found into a plan. Strategies differ in which
// pairs of channel and gate are offered, in the losses that they look at, and in whether the budget is one for all
// sites or a share for each; docs/planner.md describes them.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Analysis/Planner.h"
#include "PlanPrices.h"
#include "PlanSearch.h"

#include "deepshare/Support/Error.h"

#include "llvm/ADT/STLExtras.h"

#include <fmt/format.h>

#include <cmath>
#include <random>
#include <set>

using namespace deepshare;
using llvm::ArrayRef;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

//===----------------------------------------------------------------------===//
// From statistics to search problems
//===----------------------------------------------------------------------===//

namespace {

/// Slopes and what they lose.
struct Fit {
  float On, Off;
  double Loss;
};

/// A MaxPool that may become an average, and both prices.
struct PoolChoice {
  const GateSite *Site;
  AverageFit Average;
  double KeptPrice, AveragePrice;
};

/// Plans the shareable sites of a model.
class Planner {
public:
  Planner(ArrayRef<GateSite> All, const GateStatistics &Statistics, const PlannerOptions &Options)
      : Statistics(Statistics), Options(Options), Price(Options) {
    for (auto [I, Site] : llvm::enumerate(All))
      if (Site.isShareable()) {
        IndexOf.push_back(Sites.size());
        StatisticsOf.push_back(I);
        FirstChannel.push_back(NumChannels);
        Sites.push_back(&Site);
        Outcomes.Sites.emplace_back(Site.Channels);
        Weight.push_back(1);
        NumChannels += Site.Channels;
        double &Lost = Signal.emplace_back();
        for (int64_t C = 0; C < Site.Channels; ++C)
          Lost += fitsWithout(Sites.size() - 1, C)[1].Loss;
      } else {
        IndexOf.push_back(~0u);
        addPool(Site, Statistics.Sites[I].Pool);
      }
  }

  PlanResult unchanged() const;
  PlanResult plan(double Limit);
  double price(const SharePlan &Plan) const;
  ArrayRef<const GateSite *> sites() const { return Sites; }
  /// True if the plan decides what \p Site costs.
  bool decides(const GateSite &Site) const {
    return Site.isShareable() || llvm::any_of(Pools, [&](const PoolChoice &Pool) { return Pool.Site == &Site; });
  }
  PlanOutcomes outcomes(const SharePlan &Plan) const;

private:
  /// Hard sharing: a replicate keeps its own slopes.
  bool isHard() const { return Options.Search == Strategy::KMedoids || Options.Search == Strategy::Blocks; }
  bool isOffered(const PairMoments &Pair) const;
  bool isOfferedChannel(unsigned Replicate, unsigned Candidate) const;
  Fit fitGate(const PairMoments &Pair, unsigned R, unsigned P, bool Cheap) const;
  std::vector<Fit> fitsWithout(unsigned Site, unsigned Channel) const;
  double searchedLoss(const PairMoments &Pair, unsigned R, unsigned P, bool Cheap) const;
  void planSites(unsigned First, unsigned Count, double Limit, SharePlan &Plan);
  void addPool(const GateSite &Site, const std::optional<PoolMoments> &Moments);
  void offerPools(SearchProblem &Problem) const;
  void readPools(ArrayRef<SearchChoice> Choices, SharePlan &Plan);
  double lost(unsigned Site) const;
  double signalLeft(unsigned Site) const;
  double amplifiedLoss(unsigned Site) const;
  double totalLoss() const;
  PlanResult planOnce(double Limit);

  const GateStatistics &Statistics;
  const PlannerOptions &Options;
  PlanPrices Price;
  std::vector<const GateSite *> Sites;
  std::vector<unsigned> IndexOf;      ///< of all sites: the index among Sites
  std::vector<unsigned> StatisticsOf; ///< of Sites: the index among all sites
  std::vector<unsigned> FirstChannel;
  unsigned NumChannels = 0;
  std::vector<PoolChoice> Pools;
  std::vector<double> Signal; ///< of Sites: what is lost without the site
  std::vector<double> Weight; ///< of Sites: how much a loss there counts in the search
  PlanOutcomes Outcomes;      ///< losses only
};

} // namespace

static SitePlan emptyPlan(const GateSite &Site) {
  SitePlan Planned;
  Planned.Name = Site.Name;
  Planned.Spatial.assign(Site.Spatial.begin(), Site.Spatial.end());
  Planned.Channels.resize(Site.Channels);
  return Planned;
}

PlanResult Planner::unchanged() const {
  PlanResult Result;
  for (auto [I, Site] : llvm::enumerate(Sites)) {
    SitePlan Planned = emptyPlan(*Site);
    for (unsigned C = 0; C < Site->Channels; ++C)
      Planned.Channels[C] = {GateSource{unsigned(I), C}, Site->SlopeOn[C], Site->SlopeOff[C]};
    Result.Plan.Sites.push_back(std::move(Planned));
  }
  return Result;
}

/// Pools take part in global budgets: a share for each site would turn every one of them.
void Planner::addPool(const GateSite &Site, const std::optional<PoolMoments> &Moments) {
  if (!Moments || !hasGlobalBudget(Options.Search))
    return;
  AverageFit Fit = fitAverage(*Moments);
  bool HasScale = llvm::any_of(Fit.Scale, [](float Scale) { return Scale != 1; });
  // The division costs a truncation, and so does a scale that no weights can take.
  unsigned Products = HasScale && !Site.FoldsScale ? 2 : 1;
  uint64_t Truncations = Site.Channels * Site.positions() * Products;
  double Averaged = Truncations * Price.Truncation + Products * Price.TruncationRounds;
  double Kept = Price.unchanged(Site);
  if (std::isfinite(Fit.Loss) && Averaged < Kept)
    Pools.push_back({&Site, std::move(Fit), Kept, Averaged});
}

/// A pool is a channel that uses a gate of its own, the maximum, or does without.
void Planner::offerPools(SearchProblem &Problem) const {
  static constexpr float NoLoss = 0;
  for (const PoolChoice &Pool : Pools) {
    Problem.Budget -= Pool.AveragePrice;
    unsigned Channel = Problem.Channels.size(), Site = Problem.SitePrices.size();
    Problem.Channels.emplace_back().WithoutGate.push_back({float(Pool.Average.Loss), 0});
    Problem.SitePrices.push_back(0);
    Problem.Gates.push_back({Site, Pool.KeptPrice - Pool.AveragePrice, {}});
    Problem.Gates.back().Segments.push_back({Channel, 1, nullptr, &NoLoss});
  }
}

void Planner::readPools(ArrayRef<SearchChoice> Choices, SharePlan &Plan) {
  for (auto [Pool, Choice] : llvm::zip_equal(Pools, Choices))
    if (Choice.Gate == NoGate) {
      Plan.AveragePools.push_back({Pool.Site->Name, Pool.Average.Scale});
      Outcomes.AveragePools.push_back(Pool.Average.Loss);
    }
}

double Planner::price(const SharePlan &Plan) const {
  double Total = Price.plan(Plan, Sites);
  for (const PoolChoice &Pool : Pools) {
    bool IsAverage = llvm::any_of(Plan.AveragePools,
                                  [&](const AveragePoolPlan &Planned) { return Planned.Name == Pool.Site->Name; });
    Total += IsAverage ? Pool.AveragePrice : Pool.KeptPrice;
  }
  return Total;
}

bool Planner::isOffered(const PairMoments &Pair) const {
  switch (Options.Search) {
  case Strategy::Full:
    return true;
  case Strategy::Blocks:
    return Pair.Candidate == Pair.Replicate;
  case Strategy::Own:
  case Strategy::Uniform:
  case Strategy::Linear:
  case Strategy::KMedoids:
  case Strategy::Random:
    return Pair.Candidate == Pair.Replicate && Pair.Block == 1;
  }
  llvm_unreachable("unknown strategy");
}

/// Linear and Blocks let a channel use gates of its own only.
bool Planner::isOfferedChannel(unsigned Replicate, unsigned Candidate) const {
  bool OwnOnly = Options.Search == Strategy::Linear || Options.Search == Strategy::Blocks;
  return !OwnOnly || Replicate == Candidate;
}

/// The slope of -1, 0 and 1 that is best for a half with moments \p Half and \p T (sum of w x y).
static float cheapSlope(double T, double Half) { return std::abs(T) > Half / 2 ? std::copysign(1.0f, T) : 0.0f; }

Fit Planner::fitGate(const PairMoments &Pair, unsigned R, unsigned P, bool Cheap) const {
  const SiteMoments &Own = Statistics.Sites[Pair.Replicate];
  const GateSite &Site = *Sites[IndexOf[Pair.Replicate]];
  double On = Site.SlopeOn[R], Off = Site.SlopeOff[R], S = Own.S[R], Open = Own.R[R];
  double M = std::clamp<double>(Pair.M(R, P), 0, S), A = Pair.A(R, P);
  bool IsOwn = Pair.Candidate == Pair.Replicate && Pair.Block == 1 && R == P;
  if (IsOwn && (!Cheap || !keepsTruncation(Site, R)))
    return {float(On), float(Off), 0};
  // Where noise flips the driving bit, the output jumps by the difference of the slopes.
  auto WithFlips = [&](double NewOn, double NewOff, double Loss) -> Fit {
    double Jump = NewOn - NewOff;
    return {float(NewOn), float(NewOff), Loss + Pair.Flips[P] * S * Jump * Jump};
  };
  if (isHard())
    return WithFlips(On, Off, gateLoss(S, Open, M, A, On, Off, On, Off));
  if (!Cheap) {
    AffineGate Gate = fitAffine(S, Open, M, A, On, Off);
    return WithFlips(Gate.On, Gate.Off, Gate.Loss);
  }
  if (Site.FoldsScale) {
    AffineGate Gate = fitScaled(S, Open, M, A, On, Off);
    return WithFlips(Gate.On, Gate.Off, Gate.Loss);
  }
  float NewOn = cheapSlope(Off * M + (On - Off) * A, M);
  float NewOff = cheapSlope(Off * (S - M) + (On - Off) * (Open - A), S - M);
  return WithFlips(NewOn, NewOff, gateLoss(S, Open, M, A, NewOn, NewOff, On, Off));
}

/// Ways to do without a gate: the best of 1 and -1, slope 0, the best slope. The last costs a truncation unless weights
/// can take it.
std::vector<Fit> Planner::fitsWithout(unsigned Site, unsigned Channel) const {
  const SiteMoments &Own = Statistics.Sites[StatisticsOf[Site]];
  double On = Sites[Site]->SlopeOn[Channel], Off = Sites[Site]->SlopeOff[Channel];
  double S = Own.S[Channel], R = Own.R[Channel];
  auto Lost = [&](double Slope) { return gateLoss(S, R, S, R, Slope, 0, On, Off); };
  AffineGate Best = fitLinear(S, R, On, Off);
  float Unit = Best.On < 0 ? -1 : 1;
  return {{Unit, Unit, Lost(Unit)}, {0, 0, Lost(0)}, {float(Best.On), float(Best.On), Best.Loss}};
}

/// What the strategy minimises.
double Planner::searchedLoss(const PairMoments &Pair, unsigned R, unsigned P, bool Cheap) const {
  if (Options.Search != Strategy::KMedoids)
    return fitGate(Pair, R, P, Cheap).Loss;
  // Fraction of positions where the two bits differ.
  const SiteMoments &Own = Statistics.Sites[Pair.Replicate];
  return R == P ? 0 : std::max(0.0, Own.Open[R] + Own.Open[P] - 2 * Pair.Both(R, P));
}

/// Plans sites First.. of a model with a budget of their own; their gates come from themselves or earlier ones.
void Planner::planSites(unsigned First, unsigned Count, double Limit, SharePlan &Plan) {
  unsigned FirstC = Count ? FirstChannel[First] : 0;
  SearchProblem Problem;
  Problem.Budget = Limit;
  Problem.SitePrices.assign(Count, Price.DReLURounds);
  // Slopes that are kept cost what they cost: there is nothing to choose.
  bool HasDear = Price.Truncation > 0 && !isHard();
  std::vector<std::vector<Fit>> Without;
  for (unsigned I = First; I < First + Count; ++I) {
    double Positions = Sites[I]->positions();
    // Rounds of muxes and truncations are not traded, but kept free for every site.
    Problem.Budget -= Price.rounds(false, true, true, 1);
    for (unsigned C = 0; C < Sites[I]->Channels; ++C) {
      Without.push_back(fitsWithout(I, C));
      SearchProblem::Channel &Channel = Problem.Channels.emplace_back();
      Channel.CheapPrice = Positions * Price.Mux;
      Channel.DearPrice = Positions * (Price.Mux + (HasDear || keepsTruncation(*Sites[I], C) ? Price.Truncation : 0));
      for (const Fit &F : Without.back()) {
        bool IsDear = needsTruncation({std::nullopt, F.On, F.Off}, Sites[I]->FoldsScale);
        // Hard sharing by agreement of bits has no linear channels unless there is no gate at all.
        float Searched =
            Options.Search == Strategy::KMedoids ? 1e6f * (1 + Channel.WithoutGate.size()) : F.Loss * Weight[I];
        Channel.WithoutGate.push_back({Searched, IsDear ? Positions * Price.Truncation : 0});
      }
    }
  }

  // A gate for every channel and block of the candidates' sites; losses stored gate by gate.
  struct GateKey {
    unsigned Site, Block, First;
  };
  std::vector<GateKey> Keys;
  std::vector<GateSource> Sources;
  std::vector<std::vector<float>> Storage;
  std::mt19937_64 Random(Options.Seed + First);
  for (const PairMoments &Pair : Statistics.Pairs) {
    unsigned R = IndexOf[Pair.Replicate], From = IndexOf[Pair.Candidate];
    if (!isOffered(Pair) || R < First || R >= First + Count || From < First)
      continue;
    const GateSite &Site = *Sites[From];
    auto Key = llvm::find_if(Keys, [&](const GateKey &K) { return K.Site == From && K.Block == Pair.Block; });
    if (Key == Keys.end()) {
      Key = Keys.insert(Key, {From, Pair.Block, unsigned(Problem.Gates.size())});
      for (unsigned P = 0; P < Site.Channels; ++P) {
        Problem.Gates.push_back({From - First, tileCount(Site.Spatial, Pair.Block) * Price.DReLU, {}});
        Sources.push_back({From, P, Pair.Block});
      }
    }
    unsigned Channels = Sites[R]->Channels;
    bool OwnOnly = !isOfferedChannel(0, 1);
    for (bool Cheap : {true, false}) {
      // Where truncations cost nothing the best slopes cost no more than cheap ones.
      if (Cheap && !HasDear)
        continue;
      std::vector<float> &Losses = Storage.emplace_back();
      Losses.reserve(size_t(Channels) * Site.Channels);
      for (unsigned P = 0; P < Site.Channels; ++P)
        for (unsigned C = 0; C < Channels; ++C)
          if (isOfferedChannel(C, P))
            Losses.push_back(Weight[R] * searchedLoss(Pair, C, P, Cheap));
    }
    const float *Dear = Storage.back().data(), *CheapLosses = HasDear ? Storage[Storage.size() - 2].data() : nullptr;
    for (unsigned P = 0; P < Site.Channels; ++P) {
      size_t Row = OwnOnly ? P : size_t(P) * Channels;
      Problem.Gates[Key->First + P].Segments.push_back({FirstChannel[R] - FirstC + (OwnOnly ? P : 0),
                                                        OwnOnly ? 1 : Channels,
                                                        CheapLosses ? CheapLosses + Row : nullptr, Dear + Row});
    }
  }
  if (Options.Search == Strategy::Random) {
    // A random order of gates, as many as the budget pays: the search may use no others.
    std::vector<unsigned> Order(Problem.Gates.size());
    for (unsigned I = 0; I < Order.size(); ++I)
      Order[I] = I;
    for (unsigned I = Order.size(); I > 1; --I)
      std::swap(Order[I - 1], Order[Random() % I]);
    double Spent = 0;
    for (unsigned G : Order) {
      Spent += Problem.Gates[G].Price + Problem.Channels.front().CheapPrice;
      if (Spent > Problem.Budget)
        Problem.Gates[G].Segments.clear();
    }
  }

  size_t PlannedChannels = Problem.Channels.size();
  offerPools(Problem);
  SearchResult Found = searchPlan(Problem, Options.Seed);
  readPools(ArrayRef(Found.Choices).drop_front(PlannedChannels), Plan);
  for (unsigned I = First; I < First + Count; ++I) {
    for (unsigned C = 0; C < Sites[I]->Channels; ++C) {
      unsigned Flat = FirstChannel[I] - FirstC + C;
      const SearchChoice &Choice = Found.Choices[Flat];
      ChannelPlan &Channel = Plan.Sites[I].Channels[C];
      Fit Slopes;
      if (Choice.Gate == NoGate) {
        Slopes = Without[Flat][Choice.Option];
      } else {
        Channel.Source = Sources[Choice.Gate];
        auto Pair = llvm::find_if(Statistics.Pairs, [&](const PairMoments &Pair) {
          return Pair.Replicate == StatisticsOf[I] && Pair.Candidate == StatisticsOf[Channel.Source->Site] &&
                 Pair.Block == Channel.Source->Block;
        });
        Slopes = fitGate(*Pair, C, Channel.Source->Channel, Choice.Option == 0);
      }
      Channel.On = Slopes.On;
      Channel.Off = Slopes.Off;
      Outcomes.Sites[I][C].Loss = Slopes.Loss;
    }
  }
}

/// The losses of \p Plan, which is the one that was found, and what else its channels could do.
PlanOutcomes Planner::outcomes(const SharePlan &Plan) const {
  PlanOutcomes Result = Outcomes;
  if (!Options.Explain)
    return Result;
  auto Offer = [](ChannelOutcome &Outcome, std::optional<GateSource> Source, const auto &Slopes) {
    if (!Outcome.Next || Slopes.Loss < Outcome.NextLoss) {
      Outcome.Next = {Source, float(Slopes.On), float(Slopes.Off)};
      Outcome.NextLoss = Slopes.Loss;
    }
  };
  std::set<GateSource> Gates;
  for (unsigned I = 0; I < Sites.size(); ++I)
    for (auto [C, Channel] : llvm::enumerate(Plan.Sites[I].Channels))
      if (Channel.Source) {
        Gates.insert(*Channel.Source);
        for (const auto &Slopes : fitsWithout(I, C))
          Offer(Result.Sites[I][C], std::nullopt, Slopes);
      }
  for (const PairMoments &Pair : Statistics.Pairs) {
    unsigned R = IndexOf[Pair.Replicate], From = IndexOf[Pair.Candidate];
    if (!isOffered(Pair))
      continue;
    std::vector<GateSource> Offered;
    for (auto Gate = Gates.lower_bound({From, 0, 0}); Gate != Gates.end() && Gate->Site == From; ++Gate)
      if (Gate->Block == Pair.Block)
        Offered.push_back(*Gate);
    for (unsigned C = 0; C < Sites[R]->Channels; ++C)
      for (const GateSource &Gate : Offered)
        if (isOfferedChannel(C, Gate.Channel) && Plan.Sites[R].Channels[C].Source != Gate)
          Offer(Result.Sites[R][C], Gate, fitGate(Pair, C, Gate.Channel, /*Cheap=*/false));
  }
  return Result;
}

/// What the channels of a site lose.
double Planner::lost(unsigned Site) const {
  double Lost = 0;
  for (const ChannelOutcome &Outcome : Outcomes.Sites[Site])
    Lost += Outcome.Loss;
  return Lost;
}

/// What is left of a site's signal, as a fraction. Not 0, where nothing is left to set noise against.
double Planner::signalLeft(unsigned Site) const {
  return Signal[Site] > 0 ? std::max(1 - lost(Site) / Signal[Site], 0.05) : 1;
}

/// The integral of (1 - l / E)^-p for l from 0 to the site's loss: the loss itself for p = 0, -E log(1 - L / E) for 1,
/// L / (1 - L / E) for 2.
double Planner::amplifiedLoss(unsigned Site) const {
  double P = Options.Amplify, Left = signalLeft(Site);
  if (P == 0 || Signal[Site] == 0)
    return lost(Site);
  return Signal[Site] * (P == 1 ? -std::log(Left) : (std::pow(Left, 1 - P) - 1) / (P - 1));
}

double Planner::totalLoss() const {
  double Total = 0;
  for (unsigned I = 0; I < Sites.size(); ++I)
    Total += amplifiedLoss(I);
  for (double Lost : Outcomes.AveragePools)
    Total += Lost;
  return Total;
}

PlanResult Planner::planOnce(double Limit) {
  PlanResult Result;
  Outcomes.AveragePools.clear();
  for (const GateSite *Site : Sites)
    Result.Plan.Sites.push_back(emptyPlan(*Site));
  if (hasGlobalBudget(Options.Search)) {
    planSites(0, Sites.size(), Limit, Result.Plan);
  } else {
    // Each site gets its share of the budget; what one cannot spend goes to those after it.
    double All = 0, Before = 0, Left = Limit;
    for (const GateSite *Site : Sites)
      All += Price.unchanged(*Site);
    for (unsigned I = 0; I < Sites.size(); ++I) {
      double Own = Price.unchanged(*Sites[I]);
      planSites(I, 1, Left * Own / (All - Before), Result.Plan);
      Before += Own;
      Left = Limit - price(Result.Plan);
    }
  }
  Result.Loss = totalLoss();
  Result.Outcomes = Outcomes;
  return Result;
}

/// An amplified loss is not a sum over channels: around a plan it has the slope (1 - L / E)^-p in the site's loss, by
/// which the next plan weighs the site, halfway from the last weight (in logarithms), or it would go to and fro.
PlanResult Planner::plan(double Limit) {
  PlanResult Best = planOnce(Limit);
  for (unsigned Round = 0; Round < 3 && Options.Amplify > 0 && hasGlobalBudget(Options.Search); ++Round) {
    double Least = std::numeric_limits<double>::infinity(), Most = 0;
    for (unsigned I = 0; I < Sites.size(); ++I) {
      double Change = std::sqrt(std::pow(signalLeft(I), -Options.Amplify) / Weight[I]);
      Weight[I] *= Change;
      Least = std::min(Least, Change);
      Most = std::max(Most, Change);
    }
    if (Most < 1.1 * Least) // sites changed alike, and so would the plan
      break;
    if (PlanResult Next = planOnce(Limit); Next.Loss < Best.Loss)
      Best = std::move(Next);
  }
  Outcomes = Best.Outcomes;
  return Best;
}

//===----------------------------------------------------------------------===//
// Entry
//===----------------------------------------------------------------------===//

static StringRef unitName(BudgetUnit Unit) {
  switch (Unit) {
  case BudgetUnit::DReLUs:
    return "DReLUs";
  case BudgetUnit::Bytes:
    return "bytes";
  case BudgetUnit::Seconds:
    return "s";
  }
  llvm_unreachable("unknown unit");
}

static Error checkStatistics(ArrayRef<GateSite> Sites, const GateStatistics &Statistics) {
  if (Statistics.Sites.size() != Sites.size())
    return makeError(fmt::format("the statistics are of another model: {} sites, expected {}", Statistics.Sites.size(),
                                 Sites.size()));
  for (auto [Site, Moments] : llvm::zip(Sites, Statistics.Sites))
    if (Site.Name != Moments.Site || (Site.isShareable() && int64_t(Moments.S.size()) != Site.Channels))
      return makeError("the statistics are of another model: site '" + Moments.Site + "' stands where '" + Site.Name +
                       "' is expected");
  for (const SiteMoments &Moments : Statistics.Sites)
    for (double Sum : Moments.S)
      if (!std::isfinite(Sum))
        return makeError("site '" + Moments.Site + "' has values that are not finite on the calibration images");
  return Error::success();
}

Expected<PlanResult> deepshare::planSharing(ArrayRef<GateSite> Sites, const GateStatistics &Statistics,
                                            const PlannerOptions &Options) {
  if (Error Failed = checkStatistics(Sites, Statistics))
    return Failed;
  const Budget &Limit = Options.Limit;
  if (!(Limit.Amount >= 0))
    return makeError(fmt::format("a budget of {} {} is negative", Limit.Amount, unitName(Limit.Unit).str()));
  if (Limit.Unit == BudgetUnit::Seconds && !(Options.Connection.BytesPerSecond > 0))
    return makeError("a budget in seconds needs a network");

  PlanPrices Price(Options);
  Planner P(Sites, Statistics, Options);
  double Full = 0, Fixed = 0;
  std::string FixedNames, Hint;
  const GateSite *Largest = nullptr;
  for (const GateSite &Site : Sites) {
    double Own = Price.unchanged(Site);
    Full += Own;
    if (P.decides(Site) || Own == 0)
      continue;
    Fixed += Own;
    if (!Largest || Own > Price.unchanged(*Largest))
      Largest = &Site;
    if (Site.CanAverage)
      Hint = "; --allow-average-pool and a strategy with one budget for all let maxima become averages";
    if (FixedNames.size() < 200)
      FixedNames += (FixedNames.empty() ? "'" : ", '") + Site.Name + "'";
  }
  double Absolute = Limit.IsFraction ? Limit.Amount * Full : Limit.Amount;
  if (Fixed > Absolute) {
    std::string Why = Largest && !Largest->Obstacle.empty()
                          ? fmt::format("; '{}', the largest, {}", Largest->Name, Largest->Obstacle.str())
                          : "";
    return makeError(fmt::format("the budget is {:.10g} {}, but gates that cannot be shared need {:.10g} ({}){}{}",
                                 Absolute, unitName(Limit.Unit).str(), Fixed, FixedNames, Why, Hint));
  }
  PlanResult Result = Absolute >= Full ? P.unchanged() : P.plan(Absolute - Fixed);
  Result.Price = P.price(Result.Plan) + Fixed;
  Result.FullPrice = Full;
  Result.Outcomes = P.outcomes(Result.Plan);
  Result.Plan.Note = fmt::format("strategy {}, budget {}, {}", strategyName(Options.Search).str(), budgetText(Limit),
                                 describe(Statistics, Options.Seed));
  if (Result.Price > Absolute * (1 + 1e-9))
    return makeError(fmt::format("no plan keeps the budget of {:.10g} {}: the cheapest found costs {:.10g}", Absolute,
                                 unitName(Limit.Unit).str(), Result.Price));
  return Result;
}
