//===- Optimizer.h - libtorch's optimisers, and what a run remembers -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Torch's own headers are slow to parse: only Optimizer.cpp includes them.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_TUNE_OPTIMIZER_H
#define DEEPSHARE_LIB_TUNE_OPTIMIZER_H

#include "Network.h"

#include "deepshare/Data/BatchLoader.h"
#include "deepshare/Tune/Training.h"

#include "llvm/Support/Error.h"

#include <memory>

namespace deepshare::tune {

/// What a training remembers beside the tensors.
struct RunState {
  uint64_t Step = 0;
  LoaderState Loader;
  /// Says which training this is: a checkpoint of another is refused.
  std::string Identity;
};

/// Moves parameters along their gradients.
class Optimizer {
public:
  Optimizer(llvm::ArrayRef<StateTensor> Parameters, const TrainingOptions &Options);
  ~Optimizer();

  void step(double LearningRate);
  void clearGradients();

  /// Writes \p State, \p Tensors and the optimiser's own memory to a file: beside \p Path, then renamed.
  llvm::Error save(llvm::StringRef Path, const RunState &State, llvm::ArrayRef<StateTensor> Tensors) const;
  /// Reads what save() wrote into \p Tensors (in place) and the optimiser. Error if the file is damaged or its identity
  /// is not \p Identity.
  llvm::Expected<RunState> load(llvm::StringRef Path, llvm::StringRef Identity, llvm::ArrayRef<StateTensor> Tensors);

private:
  struct Impl;
  std::unique_ptr<Impl> I;
};

} // namespace deepshare::tune

#endif // DEEPSHARE_LIB_TUNE_OPTIMIZER_H
