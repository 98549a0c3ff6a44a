//===- ChannelsFirst.cpp - gates see their channels on axis 1 -------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Channels are shared along axis 1. Where MatMul made a gate's operand, [N,T,C], or a Transpose brought it to
// [N,H,W,C], they are on another one. With P the order of axes that moves the channels to axis 1:
//
//   Gate(x)                =>  Transpose<P^-1>(Gate(Transpose<P>(x)))
//   Gate(Transpose<Q>(x))  =>  Transpose<Q>(Gate(x))                    where Q undoes P
//
// A gate computes each element by itself, so that the order of the elements does not matter: equal bit for bit. A
// transposition moves shares at home; no party sends anything for it.
//
// Legal if
//  1. findGateSites says that the gate's channels are on an axis behind 1, and the gate is in the main graph;
//  2. the gate is Relu, LeakyRelu, Abs, Min(x, 0) or PRelu of float32, whose slopes differ along one axis at most.
// expand-gates makes most others one of these. contract-gates takes away the transpositions around gates that stayed.
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/ChannelsFirst.h"

#include "ChannelOrder.h"
#include "Rewriting.h"

#include "deepshare/Analysis/GateSite.h"

#include "llvm/Support/Debug.h"

#define DEBUG_TYPE "channels-first"

using namespace deepshare;

/// Axis \p Channels after the batch, then the others as they were.
static std::vector<int64_t> channelsFirst(unsigned Channels, unsigned Rank) {
  std::vector<int64_t> Order = {0, Channels};
  for (unsigned Axis = 1; Axis < Rank; ++Axis)
    if (Axis != Channels)
      Order.push_back(Axis);
  return Order;
}

static void moveChannels(Node &Gate, unsigned ChannelAxis) {
  Graph &G = *Gate.parent();
  llvm::StringRef Name = Gate.output()->name();
  Value *X = Gate.input(0);
  std::vector<int64_t> Order = channelsFirst(ChannelAxis, *X->type()->rank()), Back = inverseOrder(Order);
  Value *First = nullptr;
  if (const Node *Before = X->producer(); Before && Before->is("Transpose") && axisOrder(*Before) == Back)
    First = Before->input(0);
  if (!First || !First->type()) {
    First = G.insert(Graph::iteratorTo(&Gate), "Transpose", {X}, (Name + "_channels_first").str());
    First->producer()->setAttribute("perm", Order);
    First->setType(movedType(*X->type(), Order));
  }
  Value *Gated = movedGate(Gate, First, Order, (Name + "_gated").str());
  Value *Last = G.insert(Graph::iteratorTo(&Gate), "Transpose", {Gated}, (Name + "_moved_back").str());
  Last->producer()->setAttribute("perm", Back);
  Last->setType(Gate.output()->type());
  replaceNode(Gate, Last);
}

namespace {
class ChannelsFirst : public Pass {
public:
  llvm::Expected<bool> run(Model &M, PassContext &) override {
    llvm::Expected<std::vector<GateSite>> Sites = findGateSites(M);
    if (!Sites)
      return Sites.takeError();
    uint64_t Before = Moved;
    for (const GateSite &Site : *Sites) {
      Node &Gate = *Site.Gate;
      if (Site.ChannelAxis < 2 || Gate.parent() != &M.graph() || Site.Output != Gate.output())
        continue;
      if (!isMovableGate(Gate)) {
        LLVM_DEBUG(llvm::dbgs() << "keeps '" << Gate.displayName() << "': it is no gate of one operand\n");
        continue;
      }
      moveChannels(Gate, Site.ChannelAxis);
      ++Moved;
    }
    return Moved != Before;
  }

  PassStatistics statistics() const override { return {{"gates moved", Moved}}; }

private:
  uint64_t Moved = 0;
};
} // namespace

PassInfo deepshare::channelsFirstPass() {
  return {.Name = "channels-first",
          .Contract = "Lets gates whose channels are on another axis see them on axis 1, between transpositions, so "
                      "that they take part in sharing.",
          .Options = {},
          .Create = createPass<ChannelsFirst>,
          .Alias = {},
          .Effect = PassEffect::Exact};
}
