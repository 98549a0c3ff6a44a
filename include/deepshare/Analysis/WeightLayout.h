//===- WeightLayout.h - which channel a weight belongs to -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_ANALYSIS_WEIGHTLAYOUT_H
#define DEEPSHARE_ANALYSIS_WEIGHTLAYOUT_H

#include "deepshare/IR/Graph.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace deepshare {

/// Channels of one side of a linear layer, seen from its weights. These are [rows, ChannelsPerGroup, Inner] in memory;
/// RowsPerGroup rows one after the other share their channels.
struct WeightLayout {
  int64_t Channels;
  int64_t RowsPerGroup;
  int64_t ChannelsPerGroup;
  int64_t Inner;

  /// The channel of the weight at the flat index \p Index.
  int64_t channel(int64_t Index) const {
    int64_t Row = Index / Inner / ChannelsPerGroup;
    return Row / RowsPerGroup * ChannelsPerGroup + Index / Inner % ChannelsPerGroup;
  }
};

/// The channels of the output, and of the input, of \p Linear: a Conv, ConvTranspose, Gemm or MatMul by a matrix on the
/// right, with constant float32 weights. Nothing for another node, weights of another rank, or the input of a Gemm that
/// is transposed. A Gemm's and a MatMul's channels are columns.
std::optional<WeightLayout> outputLayout(const Node &Linear);
std::optional<WeightLayout> inputLayout(const Node &Linear);

/// The bias that \p Linear adds to each of its output's \p Channels, a Gemm's beta included: 0 without one; nothing if
/// it is not a float32 constant, one number a channel or (Gemm) one for all.
std::optional<std::vector<double>> biasOf(const Node &Linear, int64_t Channels);

} // namespace deepshare

#endif // DEEPSHARE_ANALYSIS_WEIGHTLAYOUT_H
