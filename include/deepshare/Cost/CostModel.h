//===- CostModel.h - what secure operations cost under one protocol -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_COST_COSTMODEL_H
#define DEEPSHARE_COST_COSTMODEL_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace deepshare {

/// Bytes (of all parties together) an element, and rounds a tensor.
struct OperationCost {
  double Bytes = 0;
  double Rounds = 0;
};

/// Bytes of one linear layer (Conv, Gemm, MatMul, ...): a linear form in the layer's sizes, so that it fits protocols
/// that open the operands (input, weights), those that unroll convolutions (unrolled) and those that send outputs.
struct LinearCost {
  double BytesPerInput = 0;    ///< an element of the layer's input
  double BytesPerUnrolled = 0; ///< an element of the unrolled (im2col) input: output positions * kernel * channels in
  double BytesPerWeight = 0;   ///< a weight
  double BytesPerOutput = 0;   ///< an output element, its truncation included
  double BytesFixed = 0;       ///< a layer
  double Rounds = 0;           ///< a layer
};

/// Prices of one protocol in one ring.
struct CostModel {
  std::string Name;   ///< "semi2k-64"
  std::string Source; ///< where the numbers come from: a measurement and its command, or a paper
  unsigned RingBits = 64;
  OperationCost DReLU;
  OperationCost Mux;
  OperationCost Truncation;
  LinearCost Linear;
  double BytesFixed = 0; ///< once a run (set-up)
};

/// A link between the parties.
struct Network {
  double RoundTrip = 0;      ///< seconds
  double BytesPerSecond = 0; ///< of all parties together
};

/// Parses "lan" (0.3 ms, 384 MB/s), "wan" (40 ms, 44 MB/s; both as in the Cheetah paper, USENIX Security 2022), or
/// "RTT,bandwidth" such as "20ms,100Mbps" (s, ms, us; a second: bps, kbps, Mbps, Gbps or bit, kbit, Mbit, Gbit, and B,
/// kB, MB, GB).
llvm::Expected<Network> parseNetwork(llvm::StringRef Text);
/// The network for people: "20 ms, 12.5 MB/s".
std::string networkText(const Network &N);

/// Parses a cost model's JSON; \p Name (a path) is for messages.
llvm::Expected<CostModel> parseCostModel(llvm::StringRef Json, llvm::StringRef Name);
/// A cost model by the name of one that is built in, or by path.
llvm::Expected<CostModel> loadCostModel(llvm::StringRef NameOrPath);
/// All prices of a model, in one line; equal for models that price alike, whatever their names and sources.
std::string costModelText(const CostModel &Model);
/// Names of the built-in models, sorted.
std::vector<std::string> builtinCostModels();

} // namespace deepshare

#endif // DEEPSHARE_COST_COSTMODEL_H
