//===- Exec.h - runs an IR graph on ATen -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_EXEC_EXEC_H
#define DEEPSHARE_EXEC_EXEC_H

#include "deepshare/IR/Model.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace deepshare {

/// Converts a constant to ATen. Aligned elements are shared, not copied (the result keeps them alive, and must not be
/// written to). Error for element types that ATen does not have.
llvm::Expected<at::Tensor> toATen(const Tensor &T);

/// Copies an ATen tensor (any device, any strides) into a constant. Error for types that ONNX does not have.
llvm::Expected<Tensor> fromATen(const at::Tensor &T);

/// Lets ATen use every processor that this process may run on, unless OMP_NUM_THREADS says how many. ATen's own choice
/// is the number of cores that the processor reports, which on some virtual machines is too low.
void useAllProcessors();

/// Has OpenBLAS, if that is the BLAS, compute each product with one thread: with several it cuts some products into
/// parts that round otherwise, on some processors, so that results would depend on the number of threads. ATen's own
/// threads stay.
void useOneBlasThread();

/// True if lib/Exec can run \p N (operator, opset version, attributes).
bool canExecute(const Node &N);

/// Every operator that lib/Exec runs, as "domain.Name" or "Name" for ONNX's own, sorted.
std::vector<std::string> executableOperators();

/// Gives what the subgraphs of a node use of the graph around it.
using CaptureReader = llvm::function_ref<llvm::Expected<at::Tensor>(const Value &)>;

/// Runs one node on given inputs (an undefined tensor: input left out). Functions are entered. The result has one
/// tensor for each output (undefined for one that is left out). Errors name the node; a node whose subgraphs use values
/// of the graph around it is one, unless \p Captured gives them.
llvm::Expected<std::vector<at::Tensor>> executeNode(const Node &N, llvm::ArrayRef<at::Tensor> Inputs,
                                                    CaptureReader Captured = nullptr);

/// Called after an observed value is computed. May put another tensor in its place (for example one that requires a
/// gradient), which later nodes then use.
using ValueHook = llvm::function_ref<void(const Value &, at::Tensor &)>;

/// Computes a node's outputs from its inputs (an undefined tensor: input left out). What it throws becomes an error
/// that names the node.
using NodeFunction = std::function<std::vector<at::Tensor>(llvm::ArrayRef<at::Tensor> Inputs)>;

/// Runs the main graph of a model, again and again. All arithmetic is ATen's, so that autograd works through it: give
/// parameters that require gradients with setConstant, run, and call backward() on a scalar of the outputs.
class Executor {
public:
  /// Plans the run of \p M's main graph: which values die where. The model must outlive the executor and not change.
  /// Error, naming the node, if the graph holds an operator that lib/Exec cannot run.
  static llvm::Expected<std::unique_ptr<Executor>> create(const Model &M, at::Device Device = at::kCPU);
  ~Executor();

  /// Uses \p T in place of initialiser \p Initializer from now on.
  void setConstant(const Value *Initializer, at::Tensor T);
  /// The tensor in use for \p Initializer.
  at::Tensor constant(const Value *Initializer) const;

  /// Has runs call the hook for \p V, an input or a node's output of the main graph or of a graph in it (a body of If,
  /// Loop or Scan; not a function's), each time that it is computed.
  void observe(const Value *V);

  /// Has runs call \p F in place of the kernel of \p N, a node of the main graph: for example a gate that is smooth
  /// while it is trained. The function may change its behaviour between runs.
  void overrideNode(const Node *N, NodeFunction F);

  /// Runs the graph on one tensor for each graph input that has no constant, in order. Types and fixed dimensions are
  /// checked against the graph's. Returns the graph outputs, in order. Each value is released after its last use.
  llvm::Expected<std::vector<at::Tensor>> run(llvm::ArrayRef<at::Tensor> Inputs, ValueHook Hook = nullptr);

private:
  struct Impl;
  explicit Executor(std::unique_ptr<Impl> I);
  std::unique_ptr<Impl> I;
};

} // namespace deepshare

#endif // DEEPSHARE_EXEC_EXEC_H
