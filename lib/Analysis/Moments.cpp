//===- Moments.cpp - pairwise moments of gates, batch by batch ------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Moments.h"

#include "deepshare/Plan/SharePlan.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <numeric>

using namespace deepshare;
using llvm::ArrayRef;

MomentAccumulator::MomentAccumulator(ArrayRef<GateSite> Sites, const ObservationOptions &Options, double Flops)
    : Sites(Sites) {
  for (auto [Index, Site] : llvm::enumerate(Sites)) {
    if (!Site.isShareable())
      continue;
    auto G = llvm::find_if(Groups, [&](const Group &Other) { return Other.Spatial == Site.Spatial; });
    if (G == Groups.end())
      G = Groups.insert(G, Group{Site.Spatial, Site.positions(), Site.positions(), {}, {}, 0});
    G->Members.push_back({unsigned(Index), 0, 0, 0, {}, {}, {}, {}, {}});
  }
  double Needed = 0;
  for (Group &G : Groups) {
    auto AddCandidates = [&](unsigned From) {
      std::vector<unsigned> Blocks{1};
      if (Sites[From].Spatial.size() == 2)
        llvm::append_range(Blocks, Options.Blocks);
      for (unsigned Block : Blocks) {
        G.Candidates.push_back({From, Block, G.Rows});
        G.Rows += Sites[From].Channels;
      }
    };
    unsigned Next = 0; // sites before it are candidates already
    for (Member &M : G.Members) {
      const GateSite &Site = Sites[M.Site];
      for (; Next < M.Site; ++Next) {
        bool IsMember = Sites[Next].isShareable() && Sites[Next].Spatial == G.Spatial;
        if (Options.EarlierSites && Options.OtherSizes && Sites[Next].isShareable() && !IsMember &&
            positionsMap(Sites[Next].Spatial, G.Spatial))
          AddCandidates(Next);
      }
      Next = M.Site + 1;
      M.OwnRow = G.Rows;
      AddCandidates(M.Site);
      M.UsedRows = G.Rows;
      M.UsedCandidates = G.Candidates.size();
      M.S.resize(Site.Channels);
      M.R.resize(Site.Channels);
      M.Open.resize(Site.Channels);
      unsigned Used = Options.EarlierSites ? M.UsedRows : M.UsedRows - M.OwnRow;
      M.Sums = at::zeros({2 * Site.Channels, Used}, at::kDouble);
      M.Both = at::zeros({Site.Channels, Site.Channels}, at::kDouble);
      Needed += 4.0 * Site.Channels * Used * G.Positions;
    }
  }
  // Too dear: use as many positions of each image as can be paid, but enough for many images to make sums of thousands.
  if (Needed > Flops)
    for (Group &G : Groups)
      G.Samples = std::clamp<int64_t>(G.Positions * (Flops / Needed), std::min<int64_t>(G.Positions, 16), G.Positions);
}

uint64_t MomentAccumulator::memory(unsigned Batch) const {
  uint64_t Moments = 0, Stacked = 0;
  for (const Group &G : Groups) {
    int64_t Widest = 0;
    for (const Member &M : G.Members) {
      // Sums in double, and the product of a batch and the result in float.
      Moments += (M.Sums.numel() + M.Both.numel()) * (8 + 4 + 4);
      Widest = std::max(Widest, Sites[M.Site].Channels);
    }
    Stacked = std::max<uint64_t>(Stacked, (G.Rows + 2 * Widest) * uint64_t(Batch) * G.Samples * 4);
  }
  return Moments + Stacked;
}

//===----------------------------------------------------------------------===//
// A batch
//===----------------------------------------------------------------------===//

/// For every position of \p To, given in \p Samples, the gate of a site of positions \p From that drives it; the gates
/// are those of tiles of \p Block. Sizes may differ as positionsMap() says.
static std::vector<int64_t> gatePositions(ArrayRef<int64_t> From, ArrayRef<int64_t> To, unsigned Block,
                                          ArrayRef<int64_t> Samples) {
  std::vector<int64_t> Positions;
  Positions.reserve(Samples.size());
  for (int64_t Sample : Samples) {
    int64_t Rest = Sample, Position = 0, Scale = 1;
    for (int Axis = To.size() - 1; Axis >= 0; --Axis) {
      int64_t At = Rest % To[Axis];
      Rest /= To[Axis];
      Position += sourcePosition(At, To[Axis], From[Axis]) / Block * Scale;
      Scale *= llvm::divideCeil(From[Axis], Block);
    }
    Positions.push_back(Position);
  }
  return Positions;
}

/// Sums of each Block x Block tile of the image [Height, Width] at \p X; their signs are those of the means.
static void sumTiles(const float *X, int64_t Height, int64_t Width, int64_t Block, std::vector<float> &Tiles) {
  int64_t Columns = llvm::divideCeil(Width, Block);
  Tiles.assign(llvm::divideCeil(Height, Block) * Columns, 0);
  for (int64_t I = 0; I < Height; ++I)
    for (int64_t J = 0; J < Width; ++J)
      Tiles[I / Block * Columns + J / Block] += X[I * Width + J];
}

/// Fills rows of the stacked gates: D[c, b * samples + j] = 1 if the gate at Map[j] of channel c, image b is open.
static void fillGates(const at::Tensor &X, const GateSite &Site, unsigned Block, ArrayRef<int64_t> Map, bool IsIdentity,
                      at::Tensor Into) {
  int64_t Images = X.size(0), Channels = X.size(1), Positions = X.size(2), Samples = Map.size();
  const float *From = X.data_ptr<float>();
  float *To = Into.data_ptr<float>();
  at::parallel_for(0, Channels, 1, [&](int64_t Begin, int64_t End) {
    std::vector<float> Tiles;
    for (int64_t C = Begin; C < End; ++C)
      for (int64_t B = 0; B < Images; ++B) {
        const float *Source = From + (B * Channels + C) * Positions;
        float *Row = To + (C * Images + B) * Samples;
        if (Block > 1) {
          sumTiles(Source, Site.Spatial[0], Site.Spatial[1], Block, Tiles);
          Source = Tiles.data();
        }
        if (IsIdentity)
          for (int64_t J = 0; J < Samples; ++J)
            Row[J] = Source[J] > 0 ? 1.0f : 0.0f;
        else
          for (int64_t J = 0; J < Samples; ++J)
            Row[J] = Source[Map[J]] > 0 ? 1.0f : 0.0f;
      }
  });
}

void MomentAccumulator::addGroup(Group &G, ArrayRef<SiteBatch> Batch, std::mt19937_64 &Random) {
  int64_t Images = Batch[G.Members.front().Site].X.size(0), Samples = G.Samples;
  std::vector<int64_t> Chosen(G.Positions);
  std::iota(Chosen.begin(), Chosen.end(), 0);
  for (int64_t I = 0; I < Samples && Samples < G.Positions; ++I)
    std::swap(Chosen[I], Chosen[I + Random() % (G.Positions - I)]);
  Chosen.resize(Samples);
  llvm::sort(Chosen);
  bool IsWhole = Samples == G.Positions;

  at::Tensor Gates = at::empty({int64_t(G.Rows), Images * Samples}, at::kFloat);
  for (const Candidate &From : G.Candidates) {
    const GateSite &Site = Sites[From.Site];
    std::vector<int64_t> Map = gatePositions(Site.Spatial, G.Spatial, From.Block, Chosen);
    fillGates(Batch[From.Site].X, Site, From.Block, Map, IsWhole && From.Block == 1 && Site.Spatial == G.Spatial,
              Gates.narrow(0, From.FirstRow, Site.Channels));
  }

  double Scale = double(G.Positions) / Samples;
  for (Member &M : G.Members) {
    int64_t Channels = Sites[M.Site].Channels;
    const SiteBatch &Site = Batch[M.Site];
    // Rows c: w x^2; rows C + c: w x^2 d.
    at::Tensor Weighted = at::empty({2 * Channels, Images * Samples}, at::kFloat);
    const float *X = Site.X.data_ptr<float>();
    const float *Gradient = Site.Gradient.defined() ? Site.Gradient.data_ptr<float>() : nullptr;
    float *Into = Weighted.data_ptr<float>();
    at::parallel_for(0, Channels, 1, [&](int64_t Begin, int64_t End) {
      for (int64_t C = Begin; C < End; ++C) {
        double S = 0, R = 0, Open = 0;
        for (int64_t B = 0; B < Images; ++B) {
          int64_t At = (B * Channels + C) * G.Positions;
          float *All = Into + (C * Images + B) * Samples;
          float *Where = All + Channels * Images * Samples;
          // A sum of one image's positions in float loses nothing that matters; images add up in double.
          float ImageS = 0, ImageR = 0, ImageOpen = 0;
          for (int64_t J = 0; J < Samples; ++J) {
            int64_t P = At + (IsWhole ? J : Chosen[J]);
            float Value = X[P];
            float Slope = Gradient ? Gradient[P] : 1.0f;
            float Error = Value * Slope;
            float Weight = Error * Error;
            float Bit = Value > 0 ? 1.0f : 0.0f;
            All[J] = Weight;
            Where[J] = Weight * Bit;
            ImageS += Weight;
            ImageR += Weight * Bit;
            ImageOpen += Bit;
          }
          S += ImageS;
          R += ImageR;
          Open += ImageOpen;
        }
        M.S[C] += Scale * S;
        M.R[C] += Scale * R;
        M.Open[C] += Open / Samples;
      }
    });
    int64_t FirstRow = M.UsedRows - M.Sums.size(1);
    M.Sums.add_(at::mm(Weighted, Gates.narrow(0, FirstRow, M.Sums.size(1)).t()), Scale);
    at::Tensor Own = Gates.narrow(0, M.OwnRow, Channels);
    M.Both.add_(at::mm(Own, Own.t()), 1.0 / Samples);
  }
}

void MomentAccumulator::add(ArrayRef<SiteBatch> Batch, std::mt19937_64 &Random) {
  for (Group &G : Groups)
    addGroup(G, Batch, Random);
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

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

GateStatistics MomentAccumulator::finish(uint64_t Images) const {
  GateStatistics Statistics;
  Statistics.Images = Images;
  Statistics.Sites.resize(Sites.size());
  for (auto [Site, Result] : llvm::zip(Sites, Statistics.Sites))
    Result.Site = Site.Name;
  for (const Group &G : Groups)
    for (const Member &M : G.Members) {
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
      unsigned FirstRow = M.UsedRows - M.Sums.size(1);
      for (const Candidate &From : ArrayRef(G.Candidates).take_front(M.UsedCandidates)) {
        if (From.FirstRow < FirstRow)
          continue;
        int64_t Columns = Sites[From.Site].Channels, Column = From.FirstRow - FirstRow;
        PairMoments &Pair = Statistics.Pairs.emplace_back();
        Pair.Replicate = M.Site;
        Pair.Candidate = From.Site;
        Pair.Block = From.Block;
        Pair.M = slice(M.Sums, 0, Channels, Column, Columns, Images);
        Pair.A = slice(M.Sums, Channels, Channels, Column, Columns, Images);
        if (From.Site == M.Site && From.Block == 1)
          Pair.Both = slice(M.Both, 0, Channels, 0, Channels, Images);
      }
    }
  llvm::stable_sort(Statistics.Pairs, [](const PairMoments &A, const PairMoments &B) {
    return std::tuple(A.Replicate, A.Candidate, A.Block) < std::tuple(B.Replicate, B.Candidate, B.Block);
  });
  return Statistics;
}
