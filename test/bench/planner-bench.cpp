//===- planner-bench.cpp - times and checks observation and planning ------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
//   planner-bench observe MODEL IMAGES COUNT       observation beside plain forward and backward passes
//   planner-bench plans MODEL IMAGES COUNT FOLDER  plans of many strategies and budgets, with their predicted losses
//   planner-bench instances MODEL IMAGES COUNT small problems cut from real statistics, with our solutions
//   planner-bench scale CHANNELS SITES             a large problem of random statistics
//
// Images are CIFAR-10's, normalised as the models of ../shared want them. Prints JSON.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Analysis/Observation.h"
#include "deepshare/Analysis/Planner.h"
#include "deepshare/Exec/Exec.h"
#include "deepshare/ONNX/ONNX.h"
#include "deepshare/Support/TextFile.h"
#include "deepshare/passes/Pass.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include <array>
#include <chrono>
#include <cmath>
#include <numeric>
#include <random>

#include <sys/resource.h>

using namespace deepshare;
using llvm::cantFail;
using llvm::StringRef;
namespace json = llvm::json;

namespace {

class Timer {
public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - Start).count(); }

private:
  std::chrono::steady_clock::time_point Start = std::chrono::steady_clock::now();
};

/// A canonical model with its sites and images.
struct Subject {
  std::unique_ptr<Model> M;
  std::vector<GateSite> Sites;
  std::unique_ptr<ImageSet> Images;
};

} // namespace

static double peakMegabytes() {
  rusage Usage;
  getrusage(RUSAGE_SELF, &Usage);
  return Usage.ru_maxrss / 1024.0;
}

static Subject load(StringRef Path, StringRef Images) {
  Subject S;
  S.M = cantFail(readModel(Path));
  PassContext Context;
  Pipeline Canonical = cantFail(Pipeline::parse("canonicalize"));
  (void)cantFail(Canonical.run(*S.M, Context));
  S.Sites = cantFail(findGateSites(*S.M));
  S.Images = cantFail(openImageSet(Images, {{0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}}));
  return S;
}

/// Seconds of forward and backward passes (gradients of all weights) over \p Count images, as training does them.
static double plainSeconds(const Subject &S, uint64_t Count, unsigned Batch) {
  std::unique_ptr<Executor> Exec = cantFail(Executor::create(*S.M));
  std::vector<at::Tensor> Weights;
  for (const Value *V : S.M->graph().initializers())
    if (Exec->constant(V).scalar_type() == at::kFloat) {
      at::Tensor Weight = Exec->constant(V).detach().clone().requires_grad_(true);
      Exec->setConstant(V, Weight);
      Weights.push_back(Weight);
    }
  Timer Clock;
  for (uint64_t Done = 0; Done < Count; Done += Batch) {
    std::vector<uint64_t> Indices;
    for (uint64_t I = Done; I < std::min(Count, Done + Batch); ++I)
      Indices.push_back(I);
    std::vector<int64_t> Shape{int64_t(Indices.size())};
    llvm::append_range(Shape, S.Images->shape());
    at::Tensor Input = at::empty(Shape, at::kFloat);
    cantFail(S.Images->batch(Indices, {Input.data_ptr<float>(), size_t(Input.numel())}));
    std::vector<at::Tensor> Outputs = cantFail(Exec->run(Input));
    at::Tensor Loss = -at::log_softmax(Outputs.front(), 1).select(1, 0).sum();
    (void)torch::autograd::grad({Loss}, Weights, {}, false, false, /*allow_unused=*/true);
  }
  return Clock.seconds();
}

static GateStatistics observe(const Subject &S, uint64_t Count, double *Seconds = nullptr, bool AllKinds = false) {
  ObservationOptions Options;
  Options.Images = Count;
  if (AllKinds) {
    Options.OtherSizes = true;
    Options.Blocks = {2, 4};
  }
  Timer Clock;
  GateStatistics Statistics = cantFail(collectStatistics(*S.M, S.Sites, *S.Images, Options));
  if (Seconds)
    *Seconds = Clock.seconds();
  return Statistics;
}

static json::Value measureObservation(const Subject &S, uint64_t Count) {
  (void)plainSeconds(S, 64, 64); // threads and caches
  json::Array Rounds;
  for (int Round = 0; Round < 3; ++Round) {
    double Plain = plainSeconds(S, Count, 64), Observed;
    (void)observe(S, Count, &Observed, /*AllKinds=*/true);
    Rounds.push_back(json::Object{{"plain_s", Plain}, {"observe_s", Observed}, {"ratio", Observed / Plain}});
  }
  return json::Object{{"images", int64_t(Count)}, {"rounds", std::move(Rounds)}, {"peak_mb", peakMegabytes()}};
}

static json::Value writePlans(const Subject &S, uint64_t Count, StringRef Folder) {
  GateStatistics Statistics = observe(S, Count, nullptr, /*AllKinds=*/true);
  std::mt19937 Random(0);
  json::Array Rows;
  for (unsigned Index = 0; Index < 35; ++Index) {
    PlannerOptions Options;
    Options.Search = std::array{Strategy::Full,     Strategy::Own,    Strategy::Uniform, Strategy::Linear,
                                Strategy::KMedoids, Strategy::Blocks, Strategy::Random}[Index % 7];
    Options.Seed = Index;
    Options.Limit = {BudgetUnit::DReLUs, true, 0.03 + 0.9 * (Random() % 1000) / 1000};
    PlanResult Result = cantFail(planSharing(S.Sites, Statistics, Options));
    std::string Path = fmt::format("{}/{}.json", Folder.str(), Index);
    cantFail(writeSharePlan(Result.Plan, Path));
    Rows.push_back(json::Object{{"plan", Path},
                                {"strategy", strategyName(Options.Search)},
                                {"budget", Options.Limit.Amount},
                                {"loss", Result.Loss}});
  }
  return Rows;
}

//===----------------------------------------------------------------------===//
// Instances for an exact solver
//===----------------------------------------------------------------------===//

/// A few channels of a few consecutive sites, with their statistics.
static std::pair<std::vector<GateSite>, GateStatistics> cut(const Subject &S, const GateStatistics &Whole,
                                                            std::mt19937 &Random, unsigned Channels) {
  std::vector<GateSite> Sites;
  GateStatistics Part;
  Part.Images = Whole.Images;
  unsigned First = Random() % (S.Sites.size() - 3);
  std::vector<std::vector<unsigned>> Chosen;
  for (unsigned I = First; I < First + 3; ++I) {
    std::vector<unsigned> Order(S.Sites[I].Channels);
    std::iota(Order.begin(), Order.end(), 0);
    std::shuffle(Order.begin(), Order.end(), Random);
    Order.resize(std::min<size_t>(Order.size(), Channels));
    GateSite Site = S.Sites[I];
    Site.Channels = Order.size();
    Site.FoldsScale = false; // of one channel's scale the exact problem knows nothing
    Site.DReLUs = Site.Muxes = Site.Channels * Site.positions();
    Site.SlopeOn.resize(Site.Channels);
    Site.SlopeOff.resize(Site.Channels);
    SiteMoments Moments{Site.Name, {}, {}, {}};
    for (unsigned C : Order) {
      Moments.S.push_back(Whole.Sites[I].S[C]);
      Moments.R.push_back(Whole.Sites[I].R[C]);
      Moments.Open.push_back(Whole.Sites[I].Open[C]);
    }
    Sites.push_back(std::move(Site));
    Part.Sites.push_back(std::move(Moments));
    Chosen.push_back(std::move(Order));
  }
  for (const PairMoments &Pair : Whole.Pairs) {
    if (Pair.Candidate < First || Pair.Replicate >= First + 3)
      continue;
    PairMoments &Small = Part.Pairs.emplace_back();
    Small.Replicate = Pair.Replicate - First;
    Small.Candidate = Pair.Candidate - First;
    Small.Block = Pair.Block;
    Small.Flips.assign(Chosen[Small.Candidate].size(), 0); // the exact solver's losses are without
    const auto &Rows = Chosen[Small.Replicate], &Columns = Chosen[Small.Candidate];
    Small.M = Small.A = Matrix(Rows.size(), Columns.size());
    for (unsigned I = 0; I < Rows.size(); ++I)
      for (unsigned J = 0; J < Columns.size(); ++J) {
        Small.M(I, J) = Pair.M(Rows[I], Columns[J]);
        Small.A(I, J) = Pair.A(Rows[I], Columns[J]);
      }
  }
  return {std::move(Sites), std::move(Part)};
}

/// The options of every channel as an exact solver wants them: gate (-1: none), loss, price.
static json::Array options(const std::vector<GateSite> &Sites, const GateStatistics &Statistics, const CostModel &Cost,
                           bool Bytes, json::Array &Gates) {
  std::vector<unsigned> FirstGate;
  for (const GateSite &Site : Sites) {
    FirstGate.push_back(Gates.size());
    for (unsigned C = 0; C < Site.Channels; ++C)
      Gates.push_back(Site.positions() * (Bytes ? Cost.DReLU.Bytes : 1));
  }
  double Mux = Bytes ? Cost.Mux.Bytes : 0, Truncation = Bytes ? Cost.Truncation.Bytes : 0;
  json::Array Channels;
  for (unsigned Site = 0; Site < Sites.size(); ++Site)
    for (unsigned C = 0; C < Sites[Site].Channels; ++C) {
      json::Array Options;
      double Positions = Sites[Site].positions();
      auto Add = [&](int64_t Gate, double Loss, double Price) { Options.push_back(json::Array{Gate, Loss, Price}); };
      double Sum = Statistics.Sites[Site].S[C], Open = Statistics.Sites[Site].R[C];
      for (double Slope : {0.0, 1.0, -1.0})
        Add(-1, gateLoss(Sum, Open, Sum, Open, Slope, 0), 0);
      Add(-1, fitLinear(Sum, Open).Loss, Positions * Truncation);
      for (const PairMoments &Pair : Statistics.Pairs)
        for (unsigned P = 0; Pair.Replicate == Site && P < Sites[Pair.Candidate].Channels; ++P) {
          int64_t Gate = FirstGate[Pair.Candidate] + P;
          if (Pair.Candidate == Site && P == C) {
            Add(Gate, 0, Positions * Mux);
            continue;
          }
          double M = std::clamp<double>(Pair.M(C, P), 0, Sum), A = Pair.A(C, P);
          Add(Gate, fitAffine(Sum, Open, M, A).Loss, Positions * (Mux + Truncation));
          for (double On : {-1.0, 0.0, 1.0})
            for (double Off : {-1.0, 0.0, 1.0})
              Add(Gate, gateLoss(Sum, Open, M, A, On, Off), Positions * Mux);
        }
      Channels.push_back(std::move(Options));
    }
  return Channels;
}

static json::Value instances(const Subject &S, uint64_t Count) {
  GateStatistics Whole = observe(S, Count);
  std::mt19937 Random(0);
  json::Array All;
  for (unsigned Index = 0; Index < 24; ++Index) {
    unsigned Channels = 8 + Index % 4 * 8;
    auto [Sites, Statistics] = cut(S, Whole, Random, Channels);
    PlannerOptions Options;
    Options.Amplify = 0; // HiGHS minimises a sum
    bool Bytes = Index % 2;
    double Amount = std::array{0.5, 0.25, 0.12}[Index % 3];
    Options.Limit = {Bytes ? BudgetUnit::Bytes : BudgetUnit::DReLUs, true, Amount};
    Options.Cost = cantFail(loadCostModel(Index % 4 == 1 ? "crypten-64" : "semi2k-64"));
    PlanResult Result = cantFail(planSharing(Sites, Statistics, Options));
    json::Array Gates;
    json::Array Choices = options(Sites, Statistics, Options.Cost, Bytes, Gates);
    All.push_back(json::Object{{"unit", Bytes ? Options.Cost.Name : "drelus"},
                               {"fraction", Amount},
                               {"budget", Amount * Result.FullPrice},
                               {"gates", std::move(Gates)},
                               {"channels", std::move(Choices)},
                               {"loss", Result.Loss},
                               {"price", Result.Price}});
  }
  return All;
}

//===----------------------------------------------------------------------===//
// Scale
//===----------------------------------------------------------------------===//

/// Channels that mix a few hidden signals: gates of the same mixture agree, as those of trained networks do.
static json::Value scale(unsigned Channels, unsigned NumSites) {
  std::mt19937 Random(0);
  std::normal_distribution<float> Normal;
  constexpr unsigned Hidden = 48, Samples = 256;
  at::Tensor Signals = at::empty({Hidden, Samples}, at::kFloat), Mixture = at::empty({Channels, Hidden}, at::kFloat);
  for (int64_t I = 0; I < Signals.numel(); ++I)
    Signals.data_ptr<float>()[I] = Normal(Random);
  for (int64_t I = 0; I < Mixture.numel(); ++I)
    Mixture.data_ptr<float>()[I] = std::pow(Normal(Random), 3);
  at::Tensor X = at::mm(Mixture, Signals) + 0.5, D = (X > 0).to(at::kFloat), W = X * X;
  at::Tensor M = at::mm(W, D.t()).contiguous(), A = at::mm(W * D, D.t()).contiguous();

  std::vector<GateSite> Sites;
  GateStatistics Statistics;
  Statistics.Images = 1;
  unsigned Each = Channels / NumSites;
  for (unsigned I = 0; I < NumSites; ++I) {
    GateSite Site{};
    Site.Name = fmt::format("s{}", I);
    Site.Kind = GateKind::Relu;
    Site.Channels = Each;
    Site.Spatial = {14, 14};
    Site.DReLUs = Site.Muxes = Each * 196;
    Site.SlopeOn.assign(Each, 1);
    Site.SlopeOff.assign(Each, 0);
    Sites.push_back(Site);
    SiteMoments Own{Site.Name, {}, {}, {}};
    for (unsigned C = I * Each; C < (I + 1) * Each; ++C) {
      Own.S.push_back(W[C].sum().item<double>());
      Own.R.push_back((W[C] * D[C]).sum().item<double>());
      Own.Open.push_back(D[C].mean().item<double>());
    }
    Statistics.Sites.push_back(std::move(Own));
    for (unsigned J = 0; J <= I; ++J) {
      PairMoments &Pair = Statistics.Pairs.emplace_back();
      Pair.Replicate = I;
      Pair.Candidate = J;
      Pair.M = Pair.A = Matrix(Each, Each);
      Pair.Flips.assign(Each, 0);
      for (unsigned R = 0; R < Each; ++R)
        for (unsigned P = 0; P < Each; ++P) {
          Pair.M(R, P) = M.data_ptr<float>()[int64_t(I * Each + R) * Channels + J * Each + P];
          Pair.A(R, P) = A.data_ptr<float>()[int64_t(I * Each + R) * Channels + J * Each + P];
        }
    }
  }
  M.reset();
  A.reset();
  json::Array Rows;
  for (BudgetUnit Unit : {BudgetUnit::DReLUs, BudgetUnit::Bytes})
    for (double Amount : {0.5, 0.1}) {
      PlannerOptions Options;
      Options.Limit = {Unit, true, Amount};
      Options.Cost = cantFail(loadCostModel("semi2k-64"));
      Timer Clock;
      PlanResult Result = cantFail(planSharing(Sites, Statistics, Options));
      Rows.push_back(json::Object{{"channels", int64_t(Channels)},
                                  {"sites", int64_t(NumSites)},
                                  {"unit", Unit == BudgetUnit::Bytes ? "bytes" : "drelus"},
                                  {"budget", Amount},
                                  {"seconds", Clock.seconds()},
                                  {"loss", Result.Loss},
                                  {"spent", Result.Price / Result.FullPrice},
                                  {"peak_mb", peakMegabytes()}});
    }
  return Rows;
}

int main(int Argc, char **Argv) {
  std::vector<std::string> Arguments(Argv + 1, Argv + Argc);
  if (Arguments.size() < 3) {
    llvm::errs()
        << "usage: planner-bench observe|plans|instances MODEL IMAGES COUNT [FOLDER], or scale CHANNELS SITES\n";
    return 1;
  }
  json::Value Result = nullptr;
  if (Arguments[0] == "scale") {
    Result = scale(std::stoi(Arguments[1]), std::stoi(Arguments[2]));
  } else {
    Subject S = load(Arguments[1], Arguments[2]);
    uint64_t Count = Arguments.size() > 3 ? std::stoull(Arguments[3]) : 512;
    Result = Arguments[0] == "observe" ? measureObservation(S, Count)
             : Arguments[0] == "plans" ? writePlans(S, Count, Arguments.back())
                                       : instances(S, Count);
  }
  llvm::outs() << llvm::formatv("{0:1}", Result) << "\n";
  return 0;
}
