//===- StraightThrough.cpp - gradients through quantization ---------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// QuantizeLinear hands its operand x on as it is and keeps the integers q aside; DequantizeLinear computes y from q and
// gives y + (x - x'), x' being x without a gradient: the value of y with the gradient of x.
//
//===----------------------------------------------------------------------===//

#include "StraightThrough.h"

#include "llvm/ADT/STLExtras.h"

#include <ATen/ATen.h>

using namespace deepshare;

/// Runs \p N as it is; inside of a NodeFunction errors are exceptions.
static at::Tensor execute(const Node &N, llvm::ArrayRef<at::Tensor> Inputs) {
  llvm::Expected<std::vector<at::Tensor>> Outputs = executeNode(N, Inputs);
  TORCH_CHECK(Outputs, llvm::toString(Outputs.takeError()));
  return Outputs->front();
}

/// True if nothing but DequantizeLinear nodes of the same graph sees the integers.
static bool isPaired(const Node &Quantize) {
  const Value *Integers = Quantize.output();
  return !Integers->isGraphOutput() && llvm::all_of(Integers->uses(), [&](const Use &U) {
    return U.User->is("DequantizeLinear") && U.Index == 0 && U.User->parent() == Quantize.parent();
  });
}

void deepshare::passGradientsThroughQuantization(const Model &M, Executor &E) {
  for (const Node &Quantize : M.graph()) {
    if (!Quantize.is("QuantizeLinear") || !isPaired(Quantize))
      continue;
    auto Integers = std::make_shared<at::Tensor>();
    E.overrideNode(&Quantize, [&Quantize, Integers](llvm::ArrayRef<at::Tensor> In) -> std::vector<at::Tensor> {
      *Integers = execute(Quantize, In);
      return {In.front()};
    });
    for (const Use &U : Quantize.output()->uses())
      E.overrideNode(U.User, [&N = *U.User, Integers](llvm::ArrayRef<at::Tensor> In) -> std::vector<at::Tensor> {
        std::vector<at::Tensor> Operands = In.vec();
        const at::Tensor X = std::exchange(Operands.front(), *Integers);
        return {execute(N, Operands) + (X - X.detach())};
      });
  }
}
