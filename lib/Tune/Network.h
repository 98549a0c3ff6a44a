//===- Network.h - a model whose parameters are tensors ---------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_TUNE_NETWORK_H
#define DEEPSHARE_LIB_TUNE_NETWORK_H

#include "Parameters.h"
#include "Polarizer.h"
#include "Renormalization.h"
#include "ShareGate.h"

#include "deepshare/Exec/Exec.h"
#include "deepshare/Exec/ImageInputs.h"
#include "deepshare/Tune/Training.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Support/Error.h"

#include <map>

namespace deepshare::tune {

/// A tensor of the training's state.
struct StateTensor {
  std::string Name;
  at::Tensor Value;
  double Rate = 1; ///< of a parameter: its learning rate over that of weights
};

/// What a run is for.
struct RunMode {
  /// BatchNormalization takes the statistics of the batch, and moves its running ones.
  bool Training = false;
  /// Of the gates; 0: the step.
  double Sharpness = 0;
  /// Standard deviation of the noise on what gates compare; 0: none.
  double Noise = 0;
  /// Names the run among all of the training: the noise of a run is always the same.
  uint64_t NoiseSeed = 0;
};

struct NetworkOutput {
  /// The first graph output; if a Softmax makes it, what goes into that.
  at::Tensor Logits;
  /// The watched values, in order.
  std::vector<at::Tensor> Watched;
};

/// A model, run by lib/Exec with its gates and normalisations under control, and its parameters as tensors.
class Network {
public:
  /// \p M, which takes \p Images, must outlive the network; it changes in store() only. \p Trained: which parameters
  /// get gradients; nothing: none. \p Renormalize: the normalisations that were folded into convolutions are open while
  /// they are trained.
  static llvm::Expected<std::unique_ptr<Network>> create(Model &M, const ImageSet &Images,
                                                         std::optional<TrainedPart> Trained, at::Device Device,
                                                         bool Renormalize = false);
  /// Lets the training give up \p Gates. \p ScoreRate: how much faster than weights their scores move. To be called
  /// before calibrate(). Error: a mask that no DReLU node makes.
  llvm::Error polarize(const Polarization &Gates, double ScoreRate);

  /// What gradients move.
  std::vector<StateTensor> &parameters() { return Trained; }
  /// What else the training changes: running statistics, and the deviations of the gates.
  std::vector<StateTensor> &buffers() { return Buffers; }
  uint64_t numTrained() const;
  /// The gates that may be given up; null if there are none.
  Polarizer *polarizer() { return Polarized.get(); }

  /// Names of the values that gates compare.
  std::vector<std::string> gateInputs() const;
  bool hasValue(llvm::StringRef Name) const { return Values.count(Name.str()) != 0; }
  /// Has runs return the values \p Names, which must be there.
  void watch(llvm::ArrayRef<std::string> Names);

  /// \p Images: [N,elements], as ImageSet::batch() writes them.
  llvm::Expected<NetworkOutput> run(const at::Tensor &Images, RunMode Mode);
  /// Runs \p Images to measure what smooth gates and open normalisations start from. To be called once, before
  /// training.
  llvm::Error calibrate(const at::Tensor &Images);

  /// Writes the parameters and statistics into the model.
  llvm::Error store();

private:
  Network(Model &M, std::unique_ptr<Executor> Run, ImageInputs Inputs, at::Device Device);
  void openNormalizations();
  llvm::Error findTensors(std::optional<TrainedPart> Part);
  void takeOverGates(std::optional<TrainedPart> Part);
  void takeOverMask(Node &N);
  void takeOverUserOfMask(Node &N);
  void takeOverNormalization(Node &N);

  Model &M;
  std::unique_ptr<Executor> Exec;
  ImageInputs Inputs;
  at::Device Device;
  std::map<std::string, const Value *> Values;
  std::vector<StateTensor> Trained, Buffers;
  /// Constants that tensors of ours stand for.
  std::vector<std::pair<Value *, at::Tensor>> Constants;
  llvm::MapVector<const Value *, std::unique_ptr<OpenNormalization>> Open; ///< by the convolution's output
  std::vector<std::pair<Node *, std::unique_ptr<TrainedMask>>> Masks;
  std::vector<std::pair<Node *, std::unique_ptr<TrainedShare>>> Shares;
  std::unique_ptr<Polarizer> Polarized;
  llvm::DenseMap<const Node *, size_t> MayGo; ///< DReLU nodes, and the numbers of their masks in Polarized
  /// Masks, wherever they were moved to: while gates are smooth or polarise these are numbers between 0 and 1, not
  /// bits.
  llvm::DenseSet<const Value *> IsMask;
  const Value *LogitsValue = nullptr;
  std::vector<const Value *> WatchedValues;
  RunMode Mode;
  bool Measuring = false;
};

} // namespace deepshare::tune

#endif // DEEPSHARE_LIB_TUNE_NETWORK_H
