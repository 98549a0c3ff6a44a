//===- Moments.cpp - pairwise moments of gates, batch by batch ------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Moments.h"

#include "deepshare/Exec/Communicator.h"
#include "deepshare/Plan/SharePlan.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

using namespace deepshare;
using llvm::ArrayRef;
using llvm::MutableArrayRef;

/// For each position of \p To that of the gate which drives it, of a site of sizes \p From and tiles of \p Block.
/// Strided and coarser sizes as sourcePosition() has them.
static std::vector<int64_t> gatePositions(ArrayRef<int64_t> From, ArrayRef<int64_t> To, unsigned Block,
                                          int64_t Positions) {
  std::vector<int64_t> Map;
  for (int64_t P = 0; P < Positions; ++P) {
    int64_t Rest = P, Position = 0, Scale = 1;
    for (int Axis = To.size() - 1; Axis >= 0; --Axis) {
      Position += sourcePosition(Rest % To[Axis], To[Axis], From[Axis]) / Block * Scale;
      Rest /= To[Axis];
      Scale *= llvm::divideCeil(From[Axis], Block);
    }
    Map.push_back(Position);
  }
  return Map;
}

/// The density of a gate's input at zero is taken from as many standard deviations of the noise around it, far more
/// than the noise moves it, so that few samples suffice.
static constexpr double WindowOfNoise = 64;

MomentAccumulator::MomentAccumulator(ArrayRef<GateSite> Sites, const ObservationOptions &Options, double Flops)
    : Sites(Sites), Window(WindowOfNoise * Options.Noise), Flops(Flops) {
  for (auto [Index, Site] : llvm::enumerate(Sites)) {
    if (!Site.isShareable())
      continue;
    auto G = llvm::find_if(Groups, [&](const Group &Other) { return Other.Spatial == Site.Spatial; });
    if (G == Groups.end())
      G = Groups.insert(G, Group{Site.Spatial, Site.positions(), Site.positions(), {}, {}, 0});
    Member &M = G->Members.emplace_back(Member{unsigned(Index)});
    M.S.resize(Site.Channels);
    M.R.resize(Site.Channels);
    M.Open.resize(Site.Channels);
  }
  for (Group &G : Groups) {
    auto AddCandidates = [&](unsigned From) {
      std::vector<unsigned> Blocks{1};
      if (Sites[From].Spatial.size() == 2)
        llvm::append_range(Blocks, Options.Blocks);
      for (unsigned Block : Blocks) {
        G.Candidates.push_back({From, Block, G.Rows, gatePositions(Sites[From].Spatial, G.Spatial, Block, G.Positions),
                                std::vector<double>(Sites[From].Channels)});
        G.Rows += Sites[From].Channels;
      }
    };
    unsigned Next = 0; // sites before it are candidates already
    for (Member &M : G.Members) {
      for (; Next < M.Site; ++Next) {
        bool IsMember = Sites[Next].isShareable() && Sites[Next].Spatial == G.Spatial;
        if (Options.EarlierSites && Options.OtherSizes && Sites[Next].isShareable() && !IsMember &&
            positionsMap(Sites[Next].Spatial, G.Spatial))
          AddCandidates(Next);
      }
      Next = M.Site + 1;
      M.Own = G.Candidates.size();
      AddCandidates(M.Site);
      M.First = Options.EarlierSites ? 0 : M.Own;
      M.End = G.Candidates.size();
    }
  }
  chooseSamples();
}

ArrayRef<MomentAccumulator::Candidate> MomentAccumulator::candidates(const Group &G, const Member &M) {
  return ArrayRef(G.Candidates).slice(M.First, M.End - M.First);
}

unsigned MomentAccumulator::rows(const Group &G, const Member &M) {
  return (M.End < G.Candidates.size() ? G.Candidates[M.End].FirstRow : G.Rows) - G.Candidates[M.First].FirstRow;
}

void MomentAccumulator::makeSums(const Group &G, Member &M) const {
  if (M.Sums.defined())
    return;
  int64_t Channels = Sites[M.Site].Channels;
  M.Sums = at::zeros({2 * Channels, rows(G, M)}, at::kDouble);
  M.Both = at::zeros({Channels, Channels}, at::kDouble);
}

/// As many positions of each image as can be paid, but enough for many images to make sums of thousands.
void MomentAccumulator::chooseSamples() {
  double Needed = 0;
  for (const Group &G : Groups)
    for (const Member &M : G.Members)
      Needed += 4.0 * Sites[M.Site].Channels * rows(G, M) * G.Positions;
  double Share = Needed > Flops ? Flops / Needed : 1;
  for (Group &G : Groups)
    G.Samples = std::clamp<int64_t>(G.Positions * Share, std::min<int64_t>(G.Positions, 16), G.Positions);
}

bool MomentAccumulator::fewerCandidates() {
  unsigned Most = 0;
  for (const Group &G : Groups)
    for (const Member &M : G.Members)
      if (M.First < M.Own)
        Most = std::max(Most, rows(G, M));
  for (Group &G : Groups)
    for (Member &M : G.Members)
      for (; M.First < M.Own && rows(G, M) > Most / 4 * 3; ++M.First)
        LeftOut += Sites[G.Candidates[M.First].Site].Channels * Sites[M.Site].Channels;
  chooseSamples();
  return Most > 0;
}

uint64_t MomentAccumulator::memory(unsigned Batch) const {
  uint64_t Moments = 0, Largest = 0, Stacked = 0;
  for (const Group &G : Groups) {
    int64_t Widest = 0;
    for (const Member &M : G.Members) {
      uint64_t Channels = Sites[M.Site].Channels;
      uint64_t Sums = 2 * Channels * rows(G, M) + Channels * Channels;
      Moments += Sums * sizeof(double);
      Largest = std::max(Largest, Sums);
      Widest = std::max(Widest, Sites[M.Site].Channels);
    }
    Stacked = std::max<uint64_t>(Stacked, (G.Rows + 2 * Widest) * uint64_t(Batch) * G.Samples * 4);
  }
  // Beside all sums those of one site are there a second time: the products of a batch, or the result at the end.
  return Moments + Largest * sizeof(double) + Stacked;
}

//===----------------------------------------------------------------------===//
// A batch
//===----------------------------------------------------------------------===//

/// The means of each Block x Block tile of the sites' inputs.
static at::Tensor tileMeans(const at::Tensor &X, const GateSite &Site, int64_t Block) {
  at::Tensor Images = X.view({X.size(0), X.size(1), Site.Spatial[0], Site.Spatial[1]});
  return at::avg_pool2d(Images, {Block, Block}, {Block, Block}, /*padding=*/0, /*ceil_mode=*/true)
      .flatten(2)
      .contiguous();
}

/// Adds the channels' w x^2 of every position of one image to \p Into.
static void addWeights(const SiteBatch &Site, int64_t Image, MutableArrayRef<float> Into) {
  int64_t Channels = Site.X.size(1), Positions = Into.size();
  const float *X = Site.X.data_ptr<float>() + Image * Channels * Positions;
  const float *Gradient =
      Site.Gradient.defined() ? Site.Gradient.data_ptr<float>() + Image * Channels * Positions : nullptr;
  for (int64_t C = 0; C < Channels; ++C)
    for (int64_t P = 0; P < Positions; ++P) {
      float Error = X[C * Positions + P] * (Gradient ? Gradient[C * Positions + P] : 1.0f);
      Into[P] += Error * Error;
    }
}

/// Where systematic sampling starts: the one draw of a group's batch.
static double drawStart(std::mt19937_64 &Random) { return std::uniform_real_distribution<double>(0, 1)(Random); }

/// All positions, or G.Samples an image by importance. A tenth of the probability is even, which bounds the factors.
MomentAccumulator::Samples MomentAccumulator::choose(const Group &G, ArrayRef<SiteBatch> Batch,
                                                     std::mt19937_64 &Random) const {
  int64_t Images = Batch[G.Members.front().Site].X.size(0), All = Images * G.Positions;
  Samples Chosen;
  if (G.Samples == G.Positions) {
    for (int64_t I = 0; I < All; ++I)
      Chosen.Position.push_back(I % G.Positions);
    Chosen.Factor.assign(All, 1);
    for (int64_t B = 0; B <= Images; ++B)
      Chosen.FirstOf.push_back(B * G.Positions);
    return Chosen;
  }
  std::vector<float> Weights(All);
  at::parallel_for(0, Images, 1, [&](int64_t Begin, int64_t End) {
    for (int64_t B = Begin; B < End; ++B)
      for (const Member &M : G.Members)
        addWeights(Batch[M.Site], B, MutableArrayRef(Weights).slice(B * G.Positions, G.Positions));
  });
  double Total = 0;
  for (float Weight : Weights)
    Total += Weight;
  if (!std::isfinite(Total))
    Total = 0; // sampled evenly: the sums show what is not finite
  // Systematic sampling: one draw for all, then equal steps through the cumulated expectations.
  double Count = double(Images) * G.Samples, Cumulated = 0;
  double Next = drawStart(Random);
  for (int64_t I = 0; I < All; ++I) {
    if (I % G.Positions == 0)
      Chosen.FirstOf.push_back(Chosen.Position.size());
    double Expected = Count * (Total > 0 ? 0.9 * Weights[I] / Total + 0.1 / All : 1.0 / All);
    for (Cumulated += Expected; Next < Cumulated; Next += 1) {
      Chosen.Position.push_back(I % G.Positions);
      Chosen.Factor.push_back(1 / Expected);
    }
  }
  Chosen.FirstOf.push_back(Chosen.Position.size());
  return Chosen;
}

/// Fills rows of the stacked gates: 1 where a candidate's gate is open at a sample. \p X: [B, C, tiles].
void MomentAccumulator::fillGates(Candidate &From, const at::Tensor &X, const Samples &Chosen, at::Tensor Into) const {
  std::vector<int64_t> Map;
  Map.reserve(Chosen.Position.size());
  for (int64_t Position : Chosen.Position)
    Map.push_back(From.Map[Position]);
  int64_t Images = X.size(0), Channels = X.size(1), Tiles = X.size(2), NumSamples = Map.size();
  const float *Values = X.data_ptr<float>();
  float *To = Into.data_ptr<float>();
  float Bound = Window;
  at::parallel_for(0, Channels, 1, [&](int64_t Begin, int64_t End) {
    for (int64_t C = Begin; C < End; ++C)
      for (int64_t B = 0; B < Images; ++B) {
        const float *Source = Values + (B * Channels + C) * Tiles;
        float Near = 0;
        for (int64_t J = Chosen.FirstOf[B]; J < Chosen.FirstOf[B + 1]; ++J) {
          float Value = Source[Map[J]];
          To[C * NumSamples + J] = Value > 0 ? 1.0f : 0.0f;
          Near += std::abs(Value) < Bound ? Chosen.Factor[J] : 0.0f;
        }
        From.Near[C] += Near;
      }
  });
}

void MomentAccumulator::addGroup(Group &G, const Compared &Inputs, ArrayRef<SiteBatch> Batch, std::mt19937_64 &Random) {
  Samples Chosen = choose(G, Batch, Random);
  int64_t NumSamples = Chosen.Position.size(), Images = Chosen.FirstOf.size() - 1;
  at::Tensor Gates = at::empty({int64_t(G.Rows), NumSamples}, at::kFloat);
  for (Candidate &From : G.Candidates)
    fillGates(From, Inputs.at({From.Site, From.Block}), Chosen,
              Gates.narrow(0, From.FirstRow, Sites[From.Site].Channels));
  at::Tensor Factors = at::from_blob(Chosen.Factor.data(), {NumSamples}, at::kFloat);

  for (Member &M : G.Members) {
    int64_t Channels = Sites[M.Site].Channels;
    const SiteBatch &Site = Batch[M.Site];
    // Rows c: w x^2; rows C + c: w x^2 d.
    at::Tensor Weighted = at::empty({2 * Channels, NumSamples}, at::kFloat);
    const float *X = Site.X.data_ptr<float>();
    const float *Gradient = Site.Gradient.defined() ? Site.Gradient.data_ptr<float>() : nullptr;
    float *Into = Weighted.data_ptr<float>();
    at::parallel_for(0, Channels, 1, [&](int64_t Begin, int64_t End) {
      for (int64_t C = Begin; C < End; ++C) {
        double S = 0, R = 0, Open = 0;
        float *All = Into + C * NumSamples, *Where = All + Channels * NumSamples;
        for (int64_t B = 0; B < Images; ++B) {
          int64_t At = (B * Channels + C) * G.Positions;
          // A sum of one image's positions in float loses nothing that matters; images add up in double.
          float ImageS = 0, ImageR = 0, ImageOpen = 0;
          for (int64_t J = Chosen.FirstOf[B]; J < Chosen.FirstOf[B + 1]; ++J) {
            int64_t P = At + Chosen.Position[J];
            float Value = X[P];
            float Error = Value * (Gradient ? Gradient[P] : 1.0f);
            float Weight = Error * Error * Chosen.Factor[J];
            float Bit = Value > 0 ? 1.0f : 0.0f;
            All[J] = Weight;
            Where[J] = Weight * Bit;
            ImageS += Weight;
            ImageR += Weight * Bit;
            ImageOpen += Bit * Chosen.Factor[J];
          }
          S += ImageS;
          R += ImageR;
          Open += ImageOpen;
        }
        M.S[C] += S;
        M.R[C] += R;
        M.Open[C] += Open / G.Positions;
      }
    });
    makeSums(G, M);
    M.Sums.add_(at::mm(Weighted, Gates.narrow(0, G.Candidates[M.First].FirstRow, M.Sums.size(1)).t()));
    at::Tensor Own = Gates.narrow(0, G.Candidates[M.Own].FirstRow, Channels);
    M.Both.add_(at::mm(Own * Factors, Own.t()), 1.0 / G.Positions);
  }
}

void MomentAccumulator::add(ArrayRef<SiteBatch> Batch, std::mt19937_64 &Random) {
  Compared Inputs;
  for (const Group &G : Groups)
    for (const Candidate &From : G.Candidates) {
      at::Tensor &Input = Inputs[{From.Site, From.Block}];
      if (!Input.defined())
        Input = From.Block == 1 ? Batch[From.Site].X : tileMeans(Batch[From.Site].X, Sites[From.Site], From.Block);
    }
  for (Group &G : Groups)
    addGroup(G, Inputs, Batch, Random);
}

void MomentAccumulator::skip(std::mt19937_64 &Random) const {
  for (const Group &G : Groups)
    if (G.Samples < G.Positions)
      drawStart(Random);
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

llvm::Error MomentAccumulator::sum(Communicator &Processes) {
  auto Add = [&](std::vector<double> &Values) {
    at::Tensor T = at::from_blob(Values.data(), {int64_t(Values.size())}, at::kDouble);
    return Processes.sum(T);
  };
  for (Group &G : Groups) {
    for (Candidate &From : G.Candidates)
      if (llvm::Error E = Add(From.Near))
        return E;
    for (Member &M : G.Members) {
      makeSums(G, M);
      for (at::Tensor *T : {&M.Sums, &M.Both})
        if (llvm::Error E = Processes.sum(*T))
          return E;
      for (std::vector<double> *Values : {&M.S, &M.R, &M.Open})
        if (llvm::Error E = Add(*Values))
          return E;
    }
  }
  return llvm::Error::success();
}

/// Rows \p Row on and columns \p Column on of \p From, over the number of images.
static Matrix slice(const at::Tensor &From, int64_t Row, int64_t Rows, int64_t Column, int64_t Columns, double Images) {
  Matrix Result(Rows, Columns);
  for (int64_t I = 0; I < Rows; ++I) {
    const double *Source = From.data_ptr<double>() + (Row + I) * From.size(1) + Column;
    for (int64_t J = 0; J < Columns; ++J)
      Result(I, J) = Source[J] / Images;
  }
  return Result;
}

GateStatistics MomentAccumulator::finish(uint64_t Images) {
  GateStatistics Statistics;
  Statistics.Images = Images;
  Statistics.LeftOut = LeftOut;
  Statistics.Sites.resize(Sites.size());
  for (auto [Site, Result] : llvm::zip(Sites, Statistics.Sites))
    Result.Site = Site.Name;
  for (Group &G : Groups)
    for (Member &M : G.Members) {
      SiteMoments &Own = Statistics.Sites[M.Site];
      auto Mean = [&](const std::vector<double> &Sums) {
        std::vector<double> Means = Sums;
        for (double &Value : Means)
          Value /= Images;
        return Means;
      };
      Own.S = Mean(M.S);
      Own.R = Mean(M.R);
      Own.Open = Mean(M.Open);
      int64_t Channels = Sites[M.Site].Channels;
      for (const Candidate &From : candidates(G, M)) {
        int64_t Columns = Sites[From.Site].Channels, Column = From.FirstRow - G.Candidates[M.First].FirstRow;
        PairMoments &Pair = Statistics.Pairs.emplace_back();
        Pair.Replicate = M.Site;
        Pair.Candidate = From.Site;
        Pair.Block = From.Block;
        Pair.M = slice(M.Sums, 0, Channels, Column, Columns, Images);
        Pair.A = slice(M.Sums, Channels, Channels, Column, Columns, Images);
        // Normal noise moves by 0.8 of its standard deviation; half of the moves are towards zero.
        for (double Near : From.Near)
          Pair.Flips.push_back(0.4 / WindowOfNoise * Near / (double(Images) * G.Positions));
        if (From.Site == M.Site && From.Block == 1)
          Pair.Both = slice(M.Both, 0, Channels, 0, Channels, Images);
      }
      M.Sums.reset();
      M.Both.reset();
    }
  llvm::stable_sort(Statistics.Pairs, [](const PairMoments &A, const PairMoments &B) {
    return std::tuple(A.Replicate, A.Candidate, A.Block) < std::tuple(B.Replicate, B.Candidate, B.Block);
  });
  return Statistics;
}
