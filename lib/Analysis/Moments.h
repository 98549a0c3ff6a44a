//===- Moments.h - pairwise moments of gates, batch by batch -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Sites of one spatial size form a group. For a batch the gates of all candidates of a group are stacked to one matrix
// D of bits (candidate channels x samples), a sample being a position of an image. A site's M and A with every
// candidate before it are then one product: [w x^2; w x^2 d] D'. Where that would cost too much, samples are drawn with
// probabilities in proportion to what they add to the group's sums of w x^2 (importance sampling), so that few samples
// keep nearly all of the sums.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_ANALYSIS_MOMENTS_H
#define DEEPSHARE_LIB_ANALYSIS_MOMENTS_H

#include "deepshare/Analysis/Observation.h"

#include <ATen/core/Tensor.h>

#include <map>
#include <random>
#include <vector>

namespace deepshare {

class Communicator;

/// What a batch gives for one site: contiguous [B, C, positions].
struct SiteBatch {
  at::Tensor X;
  at::Tensor Gradient; ///< undefined: weight 1
};

/// Accumulates the moments of all shareable sites.
class MomentAccumulator {
public:
  /// \p Flops is what an image's products may cost; positions are sampled until they do.
  MomentAccumulator(llvm::ArrayRef<GateSite> Sites, const ObservationOptions &Options, double Flops);

  /// Bytes for moments and for the stacked gates of a batch.
  uint64_t memory(unsigned Batch) const;
  /// Before the first batch: pairs each channel with three quarters at most of the gates that any has now, leaving out
  /// the farthest sites. False if only gates of a channel's own site are left.
  bool fewerCandidates();
  /// Adds a batch; \p Sites as given to the constructor, entries of sites that cannot share are empty.
  void add(llvm::ArrayRef<SiteBatch> Batch, std::mt19937_64 &Random);
  /// Leaves out a batch that another process adds: later batches are sampled as if it had been added here.
  void skip(std::mt19937_64 &Random) const;
  /// After the last batch: adds what the other processes have summed, in all of them.
  llvm::Error sum(Communicator &Processes);
  /// The moments for each of \p Images images. Call it once: the sums are given up.
  GateStatistics finish(uint64_t Images);

private:
  /// Gates that a group's sites may use: those of one site, element by element or tile by tile.
  struct Candidate {
    unsigned Site;
    unsigned Block;
    unsigned FirstRow; ///< its rows in the stacked gates
    /// For each position of the group's sites that of the gate which drives it.
    std::vector<int64_t> Map;
    /// Of each channel, at how many positions it compares a value within Window of zero.
    std::vector<double> Near;
  };
  /// A site that replicates: it may use the candidates from First on before End.
  struct Member {
    unsigned Site;
    unsigned First = 0; ///< the candidate that the earliest site gives
    unsigned Own = 0;   ///< that of its own elements
    unsigned End = 0;
    at::Tensor Sums = {}; ///< [2C, rows of its candidates], double: M above A; undefined before the first batch
    at::Tensor Both = {}; ///< [C, C], double
    std::vector<double> S = {}, R = {}, Open = {};
  };
  struct Group {
    llvm::SmallVector<int64_t, 3> Spatial;
    int64_t Positions;
    int64_t Samples; ///< positions used of an image, on average
    std::vector<Candidate> Candidates;
    std::vector<Member> Members;
    unsigned Rows = 0;
  };

  /// Positions of a batch's images that are used, image after image.
  struct Samples {
    std::vector<int64_t> Position;
    std::vector<float> Factor;    ///< one over the number of times that the sample is expected to be drawn
    std::vector<int64_t> FirstOf; ///< of each image its first sample, and their number at the end
  };

  /// Candidates of \p M, and their rows in the stacked gates.
  static llvm::ArrayRef<Candidate> candidates(const Group &G, const Member &M);
  static unsigned rows(const Group &G, const Member &M);
  /// Makes room for the sums of \p M, where there is none.
  void makeSums(const Group &G, Member &M) const;
  void chooseSamples();

  Samples choose(const Group &G, llvm::ArrayRef<SiteBatch> Batch, std::mt19937_64 &Random) const;
  /// What the gates of a site compare, by site and block: [B, C, tiles].
  using Compared = std::map<std::pair<unsigned, unsigned>, at::Tensor>;

  void fillGates(Candidate &From, const at::Tensor &X, const Samples &Chosen, at::Tensor Into) const;
  void addGroup(Group &G, const Compared &Inputs, llvm::ArrayRef<SiteBatch> Batch, std::mt19937_64 &Random);

  llvm::ArrayRef<GateSite> Sites;
  double Window; ///< what counts as near zero
  double Flops;
  uint64_t LeftOut = 0;
  std::vector<Group> Groups;
};

} // namespace deepshare

#endif // DEEPSHARE_LIB_ANALYSIS_MOMENTS_H
