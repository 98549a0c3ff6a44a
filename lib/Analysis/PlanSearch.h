//===- PlanSearch.h - facility location under a budget ----------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// The planner's optimisation without any neural network in it: channels choose among gates that must be opened, or an
// option without a gate; least loss for a total price within a budget.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_ANALYSIS_PLANSEARCH_H
#define DEEPSHARE_LIB_ANALYSIS_PLANSEARCH_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

#include <cstdint>
#include <vector>

namespace deepshare {

/// What channels choose from.
struct SearchProblem {
  /// A way to do without a gate.
  struct Gateless {
    float Loss;
    double Price;
  };
  struct Channel {
    llvm::SmallVector<Gateless, 3> WithoutGate; ///< at least one of price 0
    double CheapPrice = 0;                      ///< of using a gate with cheap slopes (0, 1, -1)
    double DearPrice = 0;                       ///< of using one with any slopes; not less than CheapPrice
  };
  /// Losses of neighbouring channels with one gate.
  struct Segment {
    unsigned FirstChannel;
    unsigned Count;
    const float *Cheap; ///< Count losses with cheap slopes; null: nobody wants them, since dear ones cost no more
    const float *Dear;  ///< Count losses with the best slopes
  };
  struct Gate {
    unsigned Site;
    double Price;
    llvm::SmallVector<Segment, 4> Segments;
  };
  std::vector<Channel> Channels;
  std::vector<Gate> Gates;
  std::vector<double> SitePrices; ///< once for each site that has an open gate
  double Budget = 0;
};

/// In the place of a gate's index: a channel does without one.
inline constexpr int NoGate = -1;

/// What one channel got.
struct SearchChoice {
  int Gate = NoGate;
  unsigned Option = 0; ///< without a gate: which; with one: 0 cheap, 1 dear slopes
  float Loss = 0;
  double Price = 0;
};

struct SearchResult {
  std::vector<SearchChoice> Choices; ///< one a channel
  double Loss = 0;
  double Price = 0; ///< within the budget; unused gates are not open
};

/// Searches. Deterministic; \p Seed moves the perturbations that small problems are improved by.
SearchResult searchPlan(const SearchProblem &Problem, uint64_t Seed);

} // namespace deepshare

#endif // DEEPSHARE_LIB_ANALYSIS_PLANSEARCH_H
