//===- Observation.h - measures gates on calibration images -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_ANALYSIS_OBSERVATION_H
#define DEEPSHARE_ANALYSIS_OBSERVATION_H

#include "deepshare/Analysis/GateSite.h"
#include "deepshare/Analysis/GateStatistics.h"
#include "deepshare/Data/ImageSet.h"
#include "deepshare/IR/Model.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <functional>
#include <vector>

namespace deepshare {

class Communicator;

/// What the weight w of the moments is: how much an error at one element of a gate's output matters.
enum class Weighting {
  /// Classification for outputs [N,K], Pixels for [N,K,H,W] (K > 1), Regression for others, and for all where the
  /// softmax is so saturated that labels weigh nothing at all; None where that weighs nothing either.
  Auto,
  None,           ///< w = 1
  Classification, ///< Fisher information: w = (d log p(label) / dy)^2, one label an image drawn from the softmax
  Pixels,         ///< the same, one label a pixel drawn from the softmax over axis 1
  Regression,     ///< Fisher information of a Gaussian around the output: w = (d <output, noise> / dy)^2
};

/// The weighting of a name ("auto", "none", "classification", "pixels", "regression"); an error lists the names.
llvm::Expected<Weighting> parseWeighting(llvm::StringRef Name);

struct ObservationOptions {
  uint64_t Images = 512; ///< how many images to use, drawn without replacement; all if the set has fewer or if 0
  uint64_t Seed = 0;     ///< chooses the images, the sampled labels and the sampled positions
  unsigned Batch = 64;   ///< images a run
  Weighting Weight = Weighting::Auto;
  /// Labels are drawn from softmax(logits / Temperature), whose log-likelihood's gradient gives the weights. At 1
  /// nearly all weight lies on the few images of which the model is unsure; but a plan changes logits by far more than
  /// what the Fisher information at 1 describes, and then the images that it is sure of matter as well. Infinite: the
  /// spread of the logits, whatever they are. Classification and Pixels only.
  double Temperature = 4;
  bool EarlierSites = true;          ///< also pair channels with gates of earlier sites, not only of their own
  bool OtherSizes = false;           ///< also with those of another size: strided or coarser
  std::vector<unsigned> Blocks = {}; ///< tile sizes (2, 4) whose gates are measured besides the plain ones
  bool AveragePools = false;         ///< also measure what averages in the place of maxima lose
  /// Standard deviation of the noise that fixed-point arithmetic leaves on what a gate compares: a replicate jumps
  /// where the noise flips its prototype's bit (DESIGN 2.7).
  double Noise = 1.0 / 8192;
  /// Bound of the memory for moments and stacked gates in bytes (activations of a batch come on top). The batch is made
  /// smaller, and gates of the sites that are farthest from a channel's own are left out, until it holds; an error
  /// states what is needed if that is not enough.
  uint64_t Memory = uint64_t(2) << 30;
  /// Processes that observe together: each runs its share of the batches, and all get the moments of all. Null: this
  /// one runs them all. To be called by all of them with the same model, images and options.
  Communicator *Processes = nullptr;
  /// Called after each batch of this process with the images done and the images in all; may be empty.
  std::function<void(uint64_t, uint64_t)> Progress;
};

/// Runs \p M's main graph on images and returns the moments of every shareable site of \p Sites (those of the main
/// graph; the others get empty entries), which are findGateSites(M)'s. Equal for equal arguments on one machine; with
/// several processes within the rounding of sums of doubles.
/// Errors: an operator that lib/Exec cannot run, more than one graph input, images of another shape than the input's.
llvm::Expected<GateStatistics> collectStatistics(const Model &M, llvm::ArrayRef<GateSite> Sites, const ImageSet &Images,
                                                 const ObservationOptions &Options);

} // namespace deepshare

#endif // DEEPSHARE_ANALYSIS_OBSERVATION_H
