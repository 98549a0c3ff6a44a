//===- Moments.h - pairwise moments of gates, batch by batch -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Sites of one spatial size form a group. For a batch the gates of all candidates of a group are stacked to one matrix
// D of bits (candidate channels x samples), a sample being a position of an image. A site's M and A with every
// candidate before it are then one product: [w x^2; w x^2 d] D'.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_ANALYSIS_MOMENTS_H
#define DEEPSHARE_LIB_ANALYSIS_MOMENTS_H

#include "deepshare/Analysis/Observation.h"

#include <ATen/core/Tensor.h>

#include <random>
#include <vector>

namespace deepshare {

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
  /// Adds a batch; \p Sites as given to the constructor, entries of sites that cannot share are empty.
  void add(llvm::ArrayRef<SiteBatch> Batch, std::mt19937_64 &Random);
  /// The moments for each of \p Images images.
  GateStatistics finish(uint64_t Images) const;

private:
  /// Gates that a group's sites may use: those of one site, element by element or tile by tile.
  struct Candidate {
    unsigned Site;
    unsigned Block;
    unsigned FirstRow; ///< its rows in the stacked gates
  };
  /// A site that replicates: it may use the candidates before UsedRows.
  struct Member {
    unsigned Site;
    unsigned UsedCandidates;
    unsigned UsedRows;
    unsigned OwnRow; ///< first row of its own element gates
    at::Tensor Sums; ///< [2C, UsedRows], double: M above A
    at::Tensor Both; ///< [C, C], double
    std::vector<double> S, R, Open;
  };
  struct Group {
    llvm::SmallVector<int64_t, 3> Spatial;
    int64_t Positions;
    int64_t Samples; ///< positions used of each image
    std::vector<Candidate> Candidates;
    std::vector<Member> Members;
    unsigned Rows = 0;
  };

  void addGroup(Group &G, llvm::ArrayRef<SiteBatch> Batch, std::mt19937_64 &Random);

  llvm::ArrayRef<GateSite> Sites;
  std::vector<Group> Groups;
};

} // namespace deepshare

#endif // DEEPSHARE_LIB_ANALYSIS_MOMENTS_H
