//===- InlineBodies.cpp - control flow whose course is known --------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
//   y = If (true) <then_branch: t = f(x) => t, else_branch: ...>      =>   y = f(x)
//
//   y, s = Loop (2, true, x) <body: (i, c, a) => c, f(a, i), g(a)>    =>   y0 = f(x, 0)    s0 = Unsqueeze(g(x), [0])
//                                                                          y  = f(y0, 1)   s1 = Unsqueeze(g(y0), [0])
//                                                                          s  = Concat <axis = 0> (s0, s1)
//
// Layers and gates of a body take part in sharing, and get a price, like any other only where they stand in the main
// graph; and no framework for private inference has control flow.
//
// Legal if
// 1. If: the condition is constant;
// 2. Loop: the number of trips is constant, and the condition is true, or left out, and handed on as it is or as a
//    constant;
// 3. Loop: all operators of the body are ONNX's own and not random: a random one with a seed draws other numbers in
//    each trip, its copies the same ones;
// 4. Loop: the model has at most `max-nodes` nodes once all such Loops are written out, and what copies compute from
//    constants alone, and fold-constants will hold for each trip, has at most `max-growth` bytes in all Loops together.
//    What becomes known through what is written out is looked at in another turn, and then counts;
// 5. Loop with scanned outputs: one trip or more, and opset 13 or later, where Unsqueeze takes axes as an operand;
// 6. the body has no sparse initialiser, and no output that the node does not have;
// 7. an output that would be an Identity's is a tensor, or the opset is 16 or later, where Identity takes anything
//    else.
//
// Types of a Loop's body hold for one trip: a size that only has a name may be another one in each. Names of sizes are
// left to infer-shapes. Copies of nodes have no names, so that no two have the same.
//
// Not done: Scan.
//
// Scope: main graph and subgraphs. Bit-exact.
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/InlineBodies.h"

#include "Purity.h"
#include "ShapeArithmetic.h"
#include "deepshare/Analysis/GateForms.h"
#include "deepshare/IR/Cloner.h"

#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/Support/Debug.h"
#include "llvm/Support/MathExtras.h"

#include <fmt/format.h>

#define DEBUG_TYPE "inline-bodies"

using namespace deepshare;

/// Inputs of a Loop, and of its body, before those that are carried.
static constexpr unsigned TripsAndCondition = 2;

static std::nullopt_t reject(const Node &N, const llvm::Twine &Reason) {
  LLVM_DEBUG(llvm::dbgs() << "keeps '" << N.displayName() << "': " << Reason << '\n');
  return std::nullopt;
}

/// True if the condition that \p Body returns is the one that it was given, or constantly true.
static bool goesOn(const Graph &Body) {
  const Value *Condition = Body.outputs().front();
  while (Condition->producer() && Condition->producer()->is("Identity"))
    Condition = Condition->producer()->input(0);
  return Condition == Body.inputs()[1] || booleanConstant(Condition) == true;
}

/// The branch that \p N, an If, always takes; null if that is not known.
static Graph *takenBranch(const Node &N) {
  std::optional<bool> Condition = booleanConstant(N.input(0));
  if (!Condition)
    return nullptr;
  const auto *Branch = N.attributeAs<std::unique_ptr<Graph>>(*Condition ? "then_branch" : "else_branch");
  return Branch && (*Branch)->inputs().empty() && (*Branch)->outputs().size() == N.numOutputs() ? Branch->get()
                                                                                                : nullptr;
}

/// True if all that \p Body holds beside its nodes can be moved out of it.
static bool canMove(const Graph &Body) {
  return llvm::all_of(Body.initializers(), [](const Value *V) { return V->constant() && !V->isGraphInput(); });
}

/// False if \p N, which holds \p Body, has an output that is no tensor and would be an Identity's: ONNX has that for
/// sequences and optional values since opset 16. \p First: the output of the body that is the node's first one.
static bool canHandOver(const Node &N, const Graph &Body, unsigned First, bool Runs) {
  constexpr int64_t IdentityTakesAll = 16;
  if (N.parent()->model().opsetVersion() >= IdentityTakesAll)
    return true;
  return llvm::all_of(N.outputs(), [&](const Value *Output) {
    const Value *Returned = Body.outputs()[First + Output->outputIndex()];
    bool IsOwn =
        Runs && Returned->producer() && Returned->parent() == &Body && llvm::count(Body.outputs(), Returned) == 1;
    return Output->type() || !Output->isGraphOutput() || IsOwn;
  });
}

namespace {
/// A Loop that may be written out.
struct KnownLoop {
  Graph *Body;
  int64_t Trips;
};
} // namespace

/// \p N as a Loop that may be written out, if only its size is not against it.
static std::optional<KnownLoop> knownLoop(const Node &N) {
  constexpr int64_t AxesAreAnOperand = 13;
  if (!N.is("Loop"))
    return std::nullopt;
  const auto *Attribute = N.attributeAs<std::unique_ptr<Graph>>("body");
  std::optional<std::vector<int64_t>> Trips = constantIntegers(N.input(0));
  if (!Attribute || !Trips || Trips->size() != 1 || (N.input(1) && booleanConstant(N.input(1)) != true))
    return std::nullopt;
  Graph &Body = **Attribute;
  // What the operator's definition asks for; a file may say anything.
  if (N.numInputs() < TripsAndCondition || Body.inputs().size() != N.numInputs() ||
      llvm::is_contained(N.inputs().drop_front(TripsAndCondition), nullptr) ||
      Body.outputs().size() != N.numOutputs() + 1 || N.numOutputs() + TripsAndCondition < N.numInputs() ||
      !goesOn(Body) || !canMove(Body))
    return std::nullopt;
  bool IsScanned = N.numOutputs() + TripsAndCondition > N.numInputs();
  if (Trips->front() < (IsScanned ? 1 : 0) || (IsScanned && N.parent()->model().opsetVersion() < AxesAreAnOperand))
    return std::nullopt;
  if (!canHandOver(N, Body, 1, Trips->front() > 0))
    return std::nullopt;
  bool IsSame = true;
  Body.walk(
      [&](const Node &Inner) { IsSame &= isPure(Inner) || (Inner.domain().empty() && !Inner.subgraphs().empty()); });
  return IsSame ? std::optional<KnownLoop>({&Body, Trips->front()}) : std::nullopt;
}

static uint64_t nodesWrittenOut(const Graph &G, uint64_t MaxNodes);

/// \p N and the nodes of its graphs, as often as nodesWrittenOut() counts them.
static uint64_t nodesOnce(const Node &N, uint64_t MaxNodes) {
  uint64_t Count = 1;
  for (const Graph *Inner : N.subgraphs())
    Count = llvm::SaturatingAdd(Count, nodesWrittenOut(*Inner, MaxNodes));
  return Count;
}

/// Nodes that the trips of \p N, each of \p Once nodes, become: slices of scanned outputs get nodes of their own.
static uint64_t nodesOfTrips(const Node &N, const KnownLoop &Loop, uint64_t Once) {
  return llvm::SaturatingMultiply<uint64_t>(llvm::SaturatingAdd<uint64_t>(Once, N.numOutputs()), Loop.Trips);
}

/// Nodes of \p G, those of Loops that may be written out as often as these run; one of more than \p MaxNodes stays.
static uint64_t nodesWrittenOut(const Graph &G, uint64_t MaxNodes) {
  uint64_t Count = 0;
  for (const Node &N : G) {
    uint64_t OfNode = nodesOnce(N, MaxNodes);
    if (std::optional<KnownLoop> Loop = knownLoop(N))
      if (uint64_t Whole = nodesOfTrips(N, *Loop, OfNode); Whole <= MaxNodes)
        OfNode = Whole;
    Count = llvm::SaturatingAdd(Count, OfNode);
  }
  return Count;
}

/// Bytes of what one copy of \p Body computes from the trip and constants alone. Where the type of a result does not
/// tell, it is taken to be as large as the largest operand.
static uint64_t bytesFolded(const Node &Loop, Graph &Body) {
  llvm::DenseMap<const Value *, uint64_t> Known;
  auto BytesOf = [&](const Value *V) -> std::optional<uint64_t> {
    if (const Tensor *T = V ? V->constant() : nullptr)
      return T->bytes().size();
    auto Found = Known.find(V);
    return Found == Known.end() ? std::nullopt : std::optional(Found->second);
  };
  Known[Body.inputs().front()] = sizeof(int64_t);
  for (auto [Enters, Given] : llvm::zip_equal(Body.inputs(), Loop.inputs()))
    if (std::optional<uint64_t> Bytes = BytesOf(Given))
      Known.try_emplace(Enters, *Bytes);
  uint64_t Total = 0;
  Body.walk([&](const Node &N) {
    // The trips of inner Loops are numbers too, once these are written out.
    if (N.is("Loop"))
      for (const Graph *Inner : N.subgraphs())
        if (!Inner->inputs().empty())
          Known[Inner->inputs().front()] = sizeof(int64_t);
    uint64_t Largest = 0;
    for (const Value *Input : N.inputs()) {
      std::optional<uint64_t> Bytes = Input ? BytesOf(Input) : std::optional<uint64_t>(0);
      if (!Bytes)
        return;
      Largest = std::max(Largest, *Bytes);
    }
    for (const Value *Output : N.outputs()) {
      Known[Output] = byteSize(Output->type()).value_or(Largest);
      Total = llvm::SaturatingAdd(Total, Known[Output]);
    }
  });
  return Total;
}

namespace {
/// Puts copies of what a node's body holds before the node, and then in its place.
class BodyInliner : private Cloner {
public:
  BodyInliner(Node &Holder, Graph &Body)
      : Cloner(Holder.parent()->model()), Holder(Holder), Body(Body), G(*Holder.parent()),
        Place(Graph::iteratorTo(&Holder)), Stem(Holder.displayName().str()), Prefix(Stem + "_") {
    moveInitializers(Body);
    mapCaptured(Body);
  }

  void inlineBranch() {
    copyNodes();
    finish(returned());
  }

  void inlineTrips(int64_t Trips) {
    IsRepeated = true;
    llvm::SmallVector<Value *> Carried(Holder.inputs().drop_front(TripsAndCondition));
    std::vector<std::vector<Value *>> Scanned(Holder.numOutputs() - Carried.size());
    Value *Always = Body.inputs()[1]->isDead()
                        ? nullptr
                        : G.addInitializer(Stem + "_goes_on", Tensor::of<bool>(shapeOf(*Body.inputs()[1]), {true}));
    map(Body.inputs()[1], Always);
    for (int64_t Trip = 0; Trip < Trips; ++Trip) {
      Prefix = fmt::format("{}_{}_", Stem, Trip);
      if (!Body.inputs()[0]->isDead())
        map(Body.inputs()[0],
            G.addInitializer(Prefix + "trip", Tensor::of<int64_t>(shapeOf(*Body.inputs()[0]), {Trip})));
      for (auto [Enters, Given] : llvm::zip_equal(Body.inputs().drop_front(TripsAndCondition), Carried))
        map(Enters, Given);
      copyNodes();
      llvm::SmallVector<Value *> Results = returned();
      llvm::copy(llvm::ArrayRef(Results).slice(1, Carried.size()), Carried.begin());
      for (auto [Slices, Slice] : llvm::zip_equal(Scanned, llvm::ArrayRef(Results).drop_front(1 + Carried.size())))
        Slices.push_back(Slice);
    }
    for (auto [Output, Slices] : llvm::zip_equal(llvm::drop_begin(Holder.outputs(), Carried.size()), Scanned))
      Carried.push_back(Output->isDead() ? nullptr : stack(Slices));
    finish(Carried);
  }

private:
  /// Initialisers, those of inner graphs as well, move out of the body, so that copies share them.
  void moveInitializers(Graph &From) {
    for (Value *Init : llvm::to_vector(From.initializers()))
      if (Init->constant() && !Init->isGraphInput()) {
        Value *Moved = G.addInitializer(Prefix + Init->name().str(), *Init->constant());
        Init->replaceUsesIf(Moved, [](const Use &) { return true; });
        if (Init->isDead())
          From.eraseInitializer(Init);
        else
          map(Init, Moved); // a graph returns it
      }
    for (Node &N : From)
      for (Graph *Inner : N.subgraphs())
        moveInitializers(*Inner);
  }

  /// What the body uses from around it is used as it is.
  void mapCaptured(Graph &Of) {
    auto KeepIfOutside = [&](Value *V) {
      if (V && !lookup(V))
        map(V, V);
    };
    llvm::for_each(Of.outputs(), KeepIfOutside);
    for (Node &N : Of) {
      llvm::for_each(N.inputs(), KeepIfOutside);
      for (Graph *Inner : N.subgraphs())
        mapCaptured(*Inner);
    }
  }

  void copyNodes() {
    for (const Node &N : Body)
      for (Value *Output : cloneNode(N, G, Place)->outputs())
        Own.insert(Output);
  }

  llvm::SmallVector<Value *> returned() const {
    return llvm::to_vector(llvm::map_range(Body.outputs(), [&](const Value *V) { return lookup(V); }));
  }

  /// The sizes of a number: a scalar, or a tensor of one element where the body says so.
  static llvm::SmallVector<int64_t, 1> shapeOf(const Value &Number) {
    bool IsVector = Number.type() && Number.type()->rank() == 1u;
    return IsVector ? llvm::SmallVector<int64_t, 1>{1} : llvm::SmallVector<int64_t, 1>();
  }

  Value *stack(llvm::ArrayRef<Value *> Slices) {
    Value *Axis = G.addInitializer(Stem + "_axis", Tensor::of<int64_t>({1}, {0}));
    llvm::SmallVector<Value *> Unsqueezed;
    for (Value *Slice : Slices)
      Unsqueezed.push_back(G.insert(Place, "Unsqueeze", {Slice, Axis}, Slice->name() + "_slice"));
    Value *Stacked = G.insert(Place, "Concat", Unsqueezed, Stem + "_slices");
    Stacked->producer()->setAttribute("axis", int64_t(0));
    return Stacked;
  }

  /// Makes \p Results the values that the holder's outputs were. An output of the graph is a node's of its own.
  void finish(llvm::ArrayRef<Value *> Results) {
    std::vector<std::pair<Value *, std::string>> Renamed;
    for (auto [Old, Result] : llvm::zip_equal(Holder.outputs(), Results)) {
      if (!Old->isGraphOutput()) {
        Old->replaceUsesIf(Result, [](const Use &) { return true; });
        continue;
      }
      Value *New = Own.erase(Result) ? Result : G.insert(Place, "Identity", {Result}, Old->name());
      New->setType(Old->type());
      New->setUnmodelled(Old->unmodelled().str());
      Renamed.emplace_back(New, Old->name().str());
      Old->replaceAllUsesWith(New);
    }
    G.erase(&Holder);
    for (auto &[New, Name] : Renamed)
      New->setName(Name);
  }

  std::string nameOf(const Value &From) override {
    // An output that is left out has no name.
    return From.name().empty() ? "" : Into.uniqueName(Prefix + From.name());
  }

  std::string nameOf(const Node &) override { return ""; }

  void describe(const Value &From, Value &To) override {
    To.setType(IsRepeated ? withoutNames(From.type()) : From.type());
    // The type of a sequence is there, and may name sizes.
    if (!IsRepeated || From.type())
      To.setUnmodelled(From.unmodelled().str());
  }

  /// Fields that we do not model are left behind: they speak of values by the names of the original.
  std::string unmodelledOf(const Graph &) override { return ""; }

  Node &Holder;
  Graph &Body;
  Graph &G;
  Graph::iterator Place;
  std::string Stem;
  std::string Prefix; // of names in a copy
  bool IsRepeated = false;
  llvm::SmallPtrSet<Value *, 16> Own; // outputs of copies that are no outputs of the graph
};

class InlineBodies : public Pass {
public:
  InlineBodies(int64_t MaxNodes, int64_t MaxGrowth) : MaxNodes(MaxNodes), NodesLeft(MaxNodes), GrowthLeft(MaxGrowth) {}

  llvm::Expected<bool> run(Model &M, PassContext &) override {
    uint64_t Before = Branches + Loops;
    while (true) {
      IsSmall = nodesWrittenOut(M.graph(), MaxNodes) <= MaxNodes;
      std::vector<Chosen> Turn;
      choose(M.graph(), Turn);
      if (Turn.empty())
        return Branches + Loops != Before;
      for (const Chosen &C : Turn)
        inlineBody(C);
    }
  }

  PassStatistics statistics() const override { return {{"branches inlined", Branches}, {"loops written out", Loops}}; }

private:
  /// An If with the branch that it takes, or a Loop with its body and trips.
  struct Chosen {
    Node *Holder;
    Graph *Body;
    std::optional<int64_t> Trips;
  };

  /// What is to be written out in this turn. Control flow that is in a body, or becomes known through what is chosen,
  /// is looked at in the next turn, when it counts.
  void choose(Graph &G, std::vector<Chosen> &Turn) {
    for (Node &N : G) {
      if (std::optional<Chosen> C = N.is("If") ? chooseIf(N) : N.is("Loop") ? chooseLoop(N) : std::nullopt) {
        Turn.push_back(*C);
        continue;
      }
      for (Graph *Subgraph : N.subgraphs())
        choose(*Subgraph, Turn);
    }
  }

  static std::optional<Chosen> chooseIf(Node &N) {
    Graph *Branch = takenBranch(N);
    if (!Branch || !canMove(*Branch) || !canHandOver(N, *Branch, 0, true))
      return reject(N, "which branch it takes is not known, or the branch cannot be moved");
    return Chosen{&N, Branch, std::nullopt};
  }

  std::optional<Chosen> chooseLoop(Node &N) {
    std::optional<KnownLoop> Loop = knownLoop(N);
    if (!Loop)
      return reject(N, "how often it runs its body is not known, or the body cannot be copied");
    if (Loop->Trips > 1) {
      uint64_t InBody = 0;
      Loop->Body->walk([&](const Node &) { ++InBody; });
      uint64_t Copied = nodesOfTrips(N, *Loop, InBody);
      if (!IsSmall || nodesOfTrips(N, *Loop, nodesOnce(N, MaxNodes)) > MaxNodes || Copied > NodesLeft)
        return reject(N, "written out, it has too many nodes");
      uint64_t Growth = llvm::SaturatingMultiply<uint64_t>(bytesFolded(N, *Loop->Body), Loop->Trips);
      if (Growth > GrowthLeft)
        return reject(N, "written out, its trips hold too large constants");
      NodesLeft -= Copied;
      GrowthLeft -= Growth;
    }
    return Chosen{&N, Loop->Body, Loop->Trips};
  }

  void inlineBody(const Chosen &C) {
    BodyInliner Inliner(*C.Holder, *C.Body);
    if (C.Trips) {
      Inliner.inlineTrips(*C.Trips);
      ++Loops;
    } else {
      Inliner.inlineBranch();
      ++Branches;
    }
  }

  uint64_t MaxNodes;
  /// Nodes and bytes of constants that copies may still have, in all rounds of canonicalize together: what is folded
  /// away in one makes no room for more.
  uint64_t NodesLeft, GrowthLeft;
  bool IsSmall = false;
  uint64_t Branches = 0;
  uint64_t Loops = 0;
};
} // namespace

static llvm::Expected<std::unique_ptr<Pass>> create(const PassOptions &Options) {
  llvm::Expected<int64_t> MaxNodes = Options.getInt("max-nodes", 0);
  if (!MaxNodes)
    return MaxNodes.takeError();
  llvm::Expected<int64_t> MaxGrowth = Options.getInt("max-growth", 0);
  if (!MaxGrowth)
    return MaxGrowth.takeError();
  return std::make_unique<InlineBodies>(*MaxNodes, *MaxGrowth);
}

PassInfo deepshare::inlineBodiesPass() {
  return {
      .Name = "inline-bodies",
      .Contract = "Writes out If whose condition, and Loop whose number of trips, is constant.",
      .Options = {{"max-nodes", "10000", "nodes that the model may have with all Loops written out"},
                  {"max-growth", "67108864", "bytes that the trips of all Loops may hold of constants of their own"}},
      .Create = create,
      .Alias = {},
      .Effect = PassEffect::Exact};
}
