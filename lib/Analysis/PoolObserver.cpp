//===- PoolObserver.cpp - compares maxima with averages, batch by batch ---===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "PoolObserver.h"

#include "deepshare/Analysis/AveragePool.h"
#include "deepshare/Exec/Communicator.h"
#include "deepshare/Exec/Exec.h"

#include <ATen/ATen.h>

using namespace deepshare;

PoolObserver::PoolObserver(const GateSite &Site)
    : Scratch(std::make_unique<Model>()), Sums(at::zeros({3, Site.Channels}, at::kDouble)) {
  Scratch->addOpset("", Site.Gate->parent()->model().opsetVersion());
  Graph &G = Scratch->graph();
  Value *X = G.addInput("x", Site.Input->type());
  Average = insertAveragePool(G, G.end(), *Site.Gate, X, "average")->producer();
}

llvm::Error PoolObserver::add(const at::Tensor &X, const at::Tensor &Max, const at::Tensor &Gradient) {
  llvm::Expected<std::vector<at::Tensor>> Averages = executeNode(*Average, {X});
  if (!Averages)
    return Averages.takeError();
  auto Flatten = [](const at::Tensor &T) { return T.flatten(2).to(at::kDouble); };
  at::Tensor M = Flatten(Max), A = Flatten(Averages->front());
  at::Tensor WM = M, WA = A;
  if (Gradient.defined()) {
    at::Tensor W = Flatten(Gradient).square();
    WM = W * M;
    WA = W * A;
  }
  auto PerChannel = [](const at::Tensor &T) { return T.sum(at::IntArrayRef{0, 2}); };
  Sums += at::stack({PerChannel(WM * M), PerChannel(WM * A), PerChannel(WA * A)});
  return llvm::Error::success();
}

llvm::Error PoolObserver::sum(Communicator &Processes) { return Processes.sum(Sums); }

PoolMoments PoolObserver::finish(uint64_t Images) const {
  at::Tensor Each = Sums / double(Images);
  auto Row = [&](int64_t I) {
    const double *First = Each[I].data_ptr<double>();
    return std::vector<double>(First, First + Each.size(1));
  };
  return {Row(0), Row(1), Row(2)};
}
