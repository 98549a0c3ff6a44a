//===- Training.h - gradient training of a model ----------------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Trains the weights of an ONNX model, on ATen's autograd through lib/Exec: from a teacher (the model as it was before
// gates were shared), from labels, or from both. Parameters are the weights of Conv, ConvTranspose, Gemm, MatMul and
// the normalisations, biases added to them, and the free slopes of DReLUShare (those that are not 0, 1 or -1: these
// cost no truncation and stay).
//
// A step function has no gradient. So gates start smooth, with the mask m = Phi(s * x / d) (Phi: the normal
// distribution's cumulative function; d: the standard deviation of x where training starts) in place of x > 0; s grows
// geometrically, and the last part of the training has the step itself. A replicate y = x * (off + (on - off) * m) then
// sends gradients to its prototype.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_TUNE_TRAINING_H
#define DEEPSHARE_TUNE_TRAINING_H

#include "deepshare/Data/Augmentation.h"
#include "deepshare/Data/ImageSet.h"
#include "deepshare/IR/Model.h"

#include "llvm/Support/Error.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace deepshare {

class Communicator;

enum class OptimizerKind { Sgd, AdamW };

/// Which parameters move.
enum class TrainedPart { All, Slopes };

/// Gates that a training may give up: it learns to do without some of what the DReLU nodes of a model compute, until
/// the others cost no more than a target (gates that polarise; after Guo et al., GDP, ICCV 2021).
struct Polarization {
  struct Mask {
    std::string Name;           ///< output of a DReLU node; used by DReLUShare nodes, perhaps after moves (Gather, ...)
    std::vector<double> Prices; ///< of the gates of its channels, more than 0 each
  };
  std::vector<Mask> Masks;
  double Target = 0; ///< what the gates that stay may cost together
};

/// What became of a gate that a training could give up.
struct PolarizedGate {
  bool Kept;
  float Level; ///< where it is not kept: what stands in place of its bit
};

struct TrainingOptions {
  uint64_t Steps = 300;
  uint64_t BatchSize = 128;
  uint64_t Seed = 0;
  /// Where to compute, as openDevice() reads it.
  std::string Device = "cpu";
  Augmentation Augment;
  /// Background threads that read images.
  unsigned LoaderThreads = 1;
  TrainedPart Train = TrainedPart::All;

  /// Convolutions normalise their outputs by the batch while they are trained, as BatchNormalization does that was
  /// folded into them; folded again at the end. Makes large steps possible.
  bool Renormalize = false;

  OptimizerKind Optimizer = OptimizerKind::AdamW;
  /// The highest learning rate: it rises linearly over the first WarmupSteps and then falls to 0 as a half cosine.
  double LearningRate = 1e-3;
  uint64_t WarmupSteps = 0;
  double Momentum = 0.9;     ///< SGD's, with Nesterov's correction
  double WeightDecay = 5e-4; ///< of tensors of rank 2 or more: biases, scales and slopes do not decay
  double ClipNorm = 0;       ///< gradients are scaled down to this norm, all together; 0: never
  double EmaDecay = 0;       ///< the result is a moving average of the weights with this decay; 0: the last weights

  /// Weight of the divergence of the outputs from the teacher's: T^2 * KL(teacher || model) of softmax(logits / T) over
  /// axis 1, a mean over images and positions (Hinton et al., 2015). Needs a teacher.
  double TeacherWeight = 1;
  double Temperature = 2;
  /// Weight of the mean squared error of the gates' inputs, each over the variance of the teacher's value of the same
  /// name, a mean over the gates. Needs a teacher.
  double ActivationWeight = 0;
  /// Weight of the cross entropy with the labels. Needs labels.
  double LabelWeight = 0;
  double LabelSmoothing = 0;

  double SmoothPart = 0.7;   ///< fraction of the steps with smooth gates
  double FirstSharpness = 2; ///< s in the first step
  double LastSharpness = 20; ///< s where the smooth part ends
  /// What gates compare is off by Gaussian noise of standard deviation 2^-GateNoise in training, as it is in a protocol
  /// that keeps so many fractional bits: bits near zero flip. 0: no noise.
  double GateNoise = 0;

  /// Which gates the training may give up; nothing: none. The model keeps all of them, TrainingResult says which to do
  /// without.
  std::optional<Polarization> Polarize;

  /// Images that are never trained on; accuracy on them is measured with the step, every EvaluateEvery steps (0: only
  /// at the end). Compared with labels, or with the teacher's choice where there are none.
  const ImageSet *HeldOut = nullptr;
  uint64_t EvaluateEvery = 0;

  /// The file that keeps the state of the training; written whole (beside it, then renamed) every CheckpointEvery
  /// steps. If it is there at the start, the training goes on where it stopped and ends, on a CPU, with the weights
  /// that it would have had without the interruption. It stays at the end: the caller removes it once the model is
  /// safe. Empty: none.
  std::string Checkpoint;
  uint64_t CheckpointEvery = 50;

  /// Data-parallel training: each process takes batches of its own, and all move by the mean of their gradients, as one
  /// process with the combined batch would (but that each normalises by its own batch). Only the first writes
  /// checkpoints, which all must be able to read. Null: one process.
  Communicator *Processes = nullptr;
};

/// What a step reports.
struct TrainingStep {
  uint64_t Step;  ///< steps done
  uint64_t Steps; ///< steps in all
  double Loss;
  double LearningRate;
  double Sharpness; ///< 0: the step
  /// Fraction of the held-out images that the model gets right, if it was measured after this step.
  std::optional<double> Accuracy;
};

struct TrainingResult {
  double Loss = 0; ///< mean over the last steps (at most 50)
  std::optional<double> Accuracy;
  uint64_t ResumedAt = 0;    ///< steps that a checkpoint had done
  uint64_t Parameters = 0;   ///< numbers that moved
  uint64_t MatchedGates = 0; ///< gates compared with the teacher's
  /// Of TrainingOptions::Polarize: by mask and channel.
  std::vector<std::vector<PolarizedGate>> Gates;
};

/// Trains \p M in place. \p Teacher may be null if LabelWeight is all that counts. \p Report, if any, is called after
/// each step. Errors: an operator that lib/Exec cannot run, images or labels that do not fit the model, a loss that is
/// not finite (the last good state stays in the checkpoint), a checkpoint of another training, gates to give up that
/// the model does not have; \p M is then as it was.
llvm::Expected<TrainingResult> trainModel(Model &M, const Model *Teacher, const ImageSet &Images,
                                          const TrainingOptions &Options,
                                          const std::function<void(const TrainingStep &)> &Report = nullptr);

/// Everything that the course of a training depends on, a line a part: "<part> <fingerprint>". The parts are the model
/// and the teacher (structure and weights), the images (number, shape, labels, and the pixels of some) and the options.
/// A checkpoint is of the training with this identity. \p Teacher may be null.
std::string trainingIdentity(const Model &M, const Model *Teacher, const ImageSet &Images,
                             const TrainingOptions &Options);

/// Gives every parameter of \p M a random value and every statistic of BatchNormalization its neutral one. A parameter
/// is a float initialiser, or a float input of fixed shape other than the first, which becomes an initialiser: so an
/// architecture can be written down without weights. Weights are normal with variance 2 / fan-in (He et al., 2015),
/// biases 0, scales 1, slopes of PRelu 0.25. The same numbers for a seed on every machine.
llvm::Error initializeRandomly(Model &M, uint64_t Seed);

} // namespace deepshare

#endif // DEEPSHARE_TUNE_TRAINING_H
