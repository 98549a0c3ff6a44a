//===- Communicator.h - processes that work together ------------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_EXEC_COMMUNICATOR_H
#define DEEPSHARE_EXEC_COMMUNICATOR_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <ATen/core/Tensor.h>

#include <memory>

namespace deepshare {

/// The processes of a data-parallel job, connected by PyTorch's c10d with Gloo.
class Communicator {
public:
  /// Joins the job that the environment describes as torch's launchers do: RANK, WORLD_SIZE, MASTER_ADDR and
  /// MASTER_PORT. Null if WORLD_SIZE is unset or 1. Waits for the other processes; an error if they do not come, or if
  /// a variable is missing or wrong.
  static llvm::Expected<std::unique_ptr<Communicator>> fromEnvironment();
  ~Communicator();

  unsigned rank() const;
  unsigned size() const;
  /// Replaces \p T by its sum over all processes, which call this in the same order. The same bits in all of them. An
  /// error if one of them has ended.
  llvm::Error sum(at::Tensor &T);
  /// An error unless \p Text is the same in all processes, which call this in the same order. \p What says in messages
  /// what must be the same.
  llvm::Error agree(llvm::StringRef What, llvm::StringRef Text);

private:
  struct Impl;
  explicit Communicator(std::unique_ptr<Impl> I);
  std::unique_ptr<Impl> I;
};

} // namespace deepshare

#endif // DEEPSHARE_EXEC_COMMUNICATOR_H
