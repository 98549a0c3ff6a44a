//===- Stepper.cpp - runs a graph node by node on many batches ------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Stepper.h"

#include "deepshare/Exec/Exec.h"

#include <algorithm>

using namespace deepshare;

Stepper::Stepper(const Model &M) : M(M), Next(M.graph().begin()) {
  for (const Node &N : M.graph()) {
    Order.try_emplace(&N, Order.size());
    for (const Value *Output : N.outputs())
      UsesLeft[Output] += Output->uses().size();
  }
  for (const Value *Input : M.graph().inputs())
    UsesLeft[Input] += Input->uses().size();
}

void Stepper::setInput(const Value *Input, std::vector<at::Tensor> Batches) {
  BatchCount = Batches.size();
  Values[Input] = std::move(Batches);
}

const std::vector<at::Tensor> &Stepper::value(const Value *V) const {
  auto Found = Values.find(V);
  assert(Found != Values.end() && "the value is not computed yet, or released");
  return Found->second;
}

void Stepper::release(const Value *V) {
  auto Found = UsesLeft.find(V);
  if (Found != UsesLeft.end() && --Found->second == 0)
    Values.erase(V);
}

llvm::Expected<at::Tensor> Stepper::operand(const Value &V, size_t Batch) const {
  if (const Tensor *Constant = V.initializer())
    return toATen(*Constant);
  return value(&V)[Batch];
}

/// Releases what the bodies of \p N use of the main graph.
void Stepper::releaseCaptures(const Node &N) {
  for (const Graph *Body : N.subgraphs())
    for (const Node &Inner : *Body) {
      for (const Value *Input : Inner.inputs())
        if (Input)
          release(Input);
      releaseCaptures(Inner);
    }
}

llvm::Error Stepper::step(const Node &N) {
  std::vector<std::vector<at::Tensor>> Outputs(N.numOutputs());
  for (size_t B = 0; B < BatchCount; ++B) {
    llvm::SmallVector<at::Tensor, 4> Inputs;
    for (const Value *Input : N.inputs()) {
      if (!Input) {
        Inputs.emplace_back();
        continue;
      }
      llvm::Expected<at::Tensor> Operand = operand(*Input, B);
      if (!Operand)
        return Operand.takeError();
      Inputs.push_back(std::move(*Operand));
    }
    llvm::Expected<std::vector<at::Tensor>> Results =
        executeNode(N, Inputs, [&](const Value &V) { return operand(V, B); });
    if (!Results)
      return Results.takeError();
    for (unsigned I = 0; I < Outputs.size(); ++I)
      Outputs[I].push_back((*Results)[I]);
  }
  for (unsigned I = 0; I < Outputs.size(); ++I)
    if (UsesLeft.lookup(N.output(I)))
      Values[N.output(I)] = std::move(Outputs[I]);
  for (const Value *Input : N.inputs())
    if (Input)
      release(Input);
  releaseCaptures(N);
  return llvm::Error::success();
}

llvm::Error Stepper::advanceTo(const Node &Last) {
  while (Next != M.graph().end() && Order.lookup(&*Next) <= Order.lookup(&Last)) {
    if (llvm::Error E = step(*Next))
      return E;
    ++Next;
  }
  return llvm::Error::success();
}

static uint64_t bytesPerImage(const Value &V) {
  if (!V.type() || !V.type()->Dims)
    return 0;
  uint64_t Bytes = elementSize(V.type()->Element);
  for (const Dim &D : llvm::ArrayRef<Dim>(*V.type()->Dims).drop_front(V.type()->Dims->empty() ? 0 : 1))
    Bytes *= D.isFixed() ? std::max<int64_t>(D.size(), 1) : 1;
  return Bytes;
}

uint64_t deepshare::peakActivationBytes(const Graph &G) {
  llvm::DenseMap<const Value *, size_t> UsesLeft;
  uint64_t Alive = 0, Peak = 0;
  for (const Node &N : G) {
    for (const Value *Output : N.outputs()) {
      UsesLeft[Output] = Output->uses().size();
      Alive += bytesPerImage(*Output);
    }
    Peak = std::max(Peak, Alive);
    for (const Value *Input : N.inputs())
      if (auto Found = UsesLeft.find(Input); Found != UsesLeft.end() && --Found->second == 0)
        Alive -= bytesPerImage(*Input);
  }
  return Peak;
}
