//===- GateSite.h - the places of a graph that cost secure comparisons -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_ANALYSIS_GATESITE_H
#define DEEPSHARE_ANALYSIS_GATESITE_H

#include "deepshare/IR/Model.h"
#include "deepshare/Plan/SharePlan.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <string>
#include <vector>

namespace deepshare {

/// What computes the gate.
enum class GateKind {
  Relu,      ///< max(x, 0)
  LeakyRelu, ///< x or alpha*x
  PRelu,     ///< x or slope*x, slope per channel
  ThresholdedRelu,
  Elu,  ///< Elu, Selu, Celu: one comparison, and an exponential that is not counted
  Clip, ///< ReLU6 and relatives: up to two comparisons an element
  Max,  ///< Max of a tensor with a constant, or of n tensors: n-1 comparisons an element
  Min,
  Where, ///< Where on a comparison
  Abs,
  Sign,        ///< one comparison, as frameworks compute it (1 - 2 * (x < 0))
  HardSigmoid, ///< two comparisons an element
  HardSwish,   ///< two comparisons an element
  MaxPool,     ///< window size - 1 comparisons an output element
  GlobalMaxPool,
  ArgMax,     ///< ArgMax, ArgMin: number of elements - 1 comparisons an output element
  TopK,       ///< k maxima one after the other
  Comparison, ///< a comparison whose result no Where uses
  DReLU,      ///< ai.deepshare: the gates of a rewritten model
  DReLUShare, ///< ai.deepshare: its muxes
  Mux,        ///< Where, or a product, on bits that other sites compare
};

/// Name of a kind as reports print it ("Relu", ...).
llvm::StringRef gateKindName(GateKind Kind);

/// One activation tensor with gates. Counts are per image (batch size 1).
struct GateSite {
  /// Stable name: that of the gate's output.
  std::string Name;
  GateKind Kind;
  /// The node that computes the gate.
  Node *Gate;
  /// The tensor that is compared, and the gate's output.
  Value *Input;
  Value *Output;
  /// Axis of the channels in Input: 1 for images and for matrices [N,C], last for [N,T,C].
  unsigned ChannelAxis;
  int64_t Channels;
  /// Sizes of the other axes but the batch; empty for [N,C].
  llvm::SmallVector<int64_t, 3> Spatial;
  /// Secure comparisons an image, in all trips of the loops around the gate: as many as a Loop may make or a Scan
  /// reads.
  uint64_t DReLUs;
  /// Secure multiplications of a bit by a value, alike.
  uint64_t Muxes;
  /// Comparisons that wait for one another: 1, or the depth of a MaxPool's tree; in a loop that for each trip.
  unsigned Depth = 1;
  /// Slopes of channel c where the gate is open and where it is closed: y = x * (x > 0 ? On : Off). One entry a
  /// channel, filled for kinds of that form (Relu, LeakyRelu, PRelu per channel, Abs); empty for others, which are only
  /// counted.
  std::vector<float> SlopeOn, SlopeOff;
  /// A MaxPool or GlobalMaxPool that averages of the same windows may replace.
  bool CanAverage = false;
  /// A positive scale of each channel can go into weights beside the gate, or beside the average in a MaxPool's place
  /// (findScalableLayers() in deepshare/Analysis/ScaleFolding.h): slopes s*t cost no truncation for t in {0, 1, -1}.
  bool FoldsScale = false;
  /// True if it is not known how many rows of the output are an image's; one is counted then.
  bool HasUnknownRows = false;
  /// Why it is only counted, a literal that goes on from "it "; empty where slopes are filled.
  llvm::StringRef Obstacle;

  /// Positions of one channel: the product of Spatial.
  int64_t positions() const;
  /// True if sharing can take part here: the gate has the form above.
  bool isShareable() const { return !SlopeOn.empty(); }
};

/// Finds every gate of the main graph, its subgraphs and the functions that it calls, in graph order. Needs inferred
/// shapes: an error names the node whose shape is unknown in more than the batch.
llvm::Expected<std::vector<GateSite>> findGateSites(Model &M);

/// Checks that \p Plan is one for a model with \p Sites: every site of the plan is a shareable site of the model, with
/// as many channels and the same spatial sizes; every average pool is one that CanAverage; and the plan's order is the
/// graph's. \p PlanName is for messages.
llvm::Error checkPlan(const SharePlan &Plan, llvm::ArrayRef<GateSite> Sites, llvm::StringRef PlanName);

} // namespace deepshare

#endif // DEEPSHARE_ANALYSIS_GATESITE_H
