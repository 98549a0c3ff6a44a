//===- Transfer.cpp - weights from one model to another -------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Tune/Transfer.h"

#include "Parameters.h"

#include "llvm/ADT/StringMap.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

using namespace deepshare;
using namespace deepshare::tune;

llvm::Error deepshare::transferParameters(Model &From, Model &To) {
  llvm::StringMap<Node *> ByOutput;
  for (Node &N : To.graph())
    if (N.numOutputs())
      ByOutput[N.output()->name()] = &N;
  auto IsFloat = [](const Value &V) { return V.constant() && V.constant()->elementType() == ElementType::Float32; };
  for (const Parameter &P : findParameters(From, IsFloat)) {
    Node *Into = ByOutput.lookup(P.User->output()->name());
    if (!Into || Into->opType() != P.User->opType() || Into->domain() != P.User->domain())
      continue;
    unsigned Index = llvm::find(P.User->inputs(), P.Of) - P.User->inputs().begin();
    const Tensor &Weights = *P.Of->constant();
    Value *Old = Index < Into->numInputs() ? Into->input(Index) : nullptr;
    if (Old && (!Old->constant() || Old->constant()->dims() != Weights.dims()))
      return llvm::createStringError(fmt::format("input {} of '{}': expected float[{}], got {}", Index,
                                                 Into->output()->name().str(), fmt::join(Weights.dims(), ","),
                                                 Old->constant() ? Old->constant()->type().str() : "no constant"));
    // A constant of several users gets as many copies as its counterpart has.
    if (Old && Old->initializer() && Old->uses().size() == 1 && !Old->isGraphOutput()) {
      Old->setInitializer(Weights);
      continue;
    }
    Value *New = To.graph().addInitializer(P.Of->name(), Weights);
    if (Index < Into->numInputs())
      Into->setInput(Index, New);
    else
      Into->addInput(New);
  }
  return llvm::Error::success();
}
