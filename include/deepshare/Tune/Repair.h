//===- Repair.h - closed-form repair of a rewritten model -------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Sharing gates changes every activation after the first replicate. Repair walks the rewritten model in order and
// re-fits each linear layer and each free slope by least squares, so that on calibration images it gives what the
// original model gives at the same place, from the inputs that it really gets: the repaired activations of the layers
// before it.
//
// For a layer z = A w (A: the unrolled inputs and a column of ones) with target t and weights w0 so far, the fit is
//   min ||A w - t||^2 + lambda * d * ||w - w0||^2,   d the mean of the diagonal of A'A, the bias not penalised,
// which stays at w0 where the images say nothing. lambda is the best of a grid on held-out images. Where the layer's
// output is added to a value s that is already known (a residual branch), t = z_original + s_original - s, so that the
// layer also makes good what went wrong on the other branch.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_TUNE_REPAIR_H
#define DEEPSHARE_TUNE_REPAIR_H

#include "deepshare/Data/ImageSet.h"
#include "deepshare/IR/Model.h"

#include "llvm/Support/Error.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace deepshare {

struct RepairOptions {
  uint64_t Images = 1024; ///< how many images to use, the first of the set after a seeded shuffle; 0: all
  uint64_t Seed = 0;
  unsigned Batch = 64;     ///< images a run, less where there are few; a model of a fixed batch takes its own
  double Measured = 0;     ///< fraction of the batches that has no part in any fit, to measure what is left
  double HeldOut = 0.125;  ///< fraction of the others that chooses lambda and decides whether a fit is kept
  uint64_t Rows = 1 << 17; ///< rows of A a layer at the most; positions are sampled beyond
  /// Bound of the memory for activations in bytes: fewer images are used where they would pass it. Also bounds the
  /// equations of a layer: one with too many inputs for it keeps its weights.
  uint64_t Memory = uint64_t(2) << 30;
  /// Called after each layer with the layers done and the layers in all; may be empty.
  std::function<void(uint64_t, uint64_t)> Progress;
};

/// What became of one layer.
struct RepairedLayer {
  std::string Name;   ///< of the output value
  double ErrorBefore; ///< squared error on held-out images over the target's variance, with the weights so far
  double ErrorAfter;  ///< with the weights kept
  double Ridge;       ///< lambda; 0 where the weights were kept
};

struct RepairResult {
  uint64_t Images = 0;
  /// Whether anything was re-fitted.
  bool Changed = false;
  std::vector<RepairedLayer> Layers;
  /// Layers whose equations did not fit the memory.
  uint64_t TooLarge = 0;
  /// By how much the outputs still differ from the original's on the images of Options.Measured, summed over the
  /// outputs that are floating-point: of [N,K,...] with K > 1 16 times the Kullback-Leibler divergence of the softmaxes
  /// over axis 1 at temperature 4, a mean over the rest (Hinton et al., arXiv 1503.02531); of others the squared error
  /// over the original's variance. Nothing without such images.
  std::optional<double> Divergence;
};

/// The images that repair takes of a set, in batches: as many as the set, Options.Images and Options.Memory allow.
struct RepairBatches {
  uint64_t Images;   ///< a batch
  uint64_t Fitted;   ///< batches for fits; repair needs two
  uint64_t Measured; ///< batches for Options.Measured
};

/// How \p Images would be used. \p M and \p Original as for repairModel(). Error: images of a wrong shape.
llvm::Expected<RepairBatches> repairBatches(const Model &M, const Model &Original, const ImageSet &Images,
                                            const RepairOptions &Options);

/// Repairs \p M, which `share-gates` made of \p Original. Re-fits Conv and ConvTranspose (1-D to 3-D, any groups), Gemm
/// and MatMul with constant weights, and the slopes of replicates and linear channels that are not 0, 1 or -1. Values
/// correspond by name. Deterministic for a seed. Errors: an operator that lib/Exec cannot run, images of a wrong shape,
/// fewer than two batches to fit.
llvm::Expected<RepairResult> repairModel(Model &M, const Model &Original, const ImageSet &Images,
                                         const RepairOptions &Options);

} // namespace deepshare

#endif // DEEPSHARE_TUNE_REPAIR_H
