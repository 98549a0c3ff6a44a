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
// 3. Loop: a body that depends on nothing but its inputs: a random operator with a seed draws other numbers in each
//    trip, its copies the same ones;
// 4. Loop: the model has at most `max-nodes` nodes then;
// 5. Loop with scanned outputs: one trip or more, and opset 13 or later, where Unsqueeze takes axes as an operand.
//
// Types of a Loop's body hold for one trip: a size that only has a name may be another one in each. Such types are left
// to infer-shapes.
//
// Not done: Scan.
//
// Scope: main graph and subgraphs. Bit-exact.
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/InlineBodies.h"

#include "Purity.h"
#include "ShapeArithmetic.h"
#include "deepshare/IR/Cloner.h"

#include "llvm/Support/Debug.h"

#include <fmt/format.h>

#define DEBUG_TYPE "inline-bodies"

using namespace deepshare;

/// Inputs of a Loop, and of its body, before those that are carried.
static constexpr unsigned TripsAndCondition = 2;

static bool reject(const Node &N, const llvm::Twine &Reason) {
  LLVM_DEBUG(llvm::dbgs() << "keeps '" << N.displayName() << "': " << Reason << '\n');
  return false;
}

/// What the condition \p V always is; nothing if that is not known.
static std::optional<bool> constantCondition(const Value *V) {
  const Tensor *T = V ? V->constant() : nullptr;
  if (!T || T->elementType() != ElementType::Bool || T->bytes().size() != 1)
    return std::nullopt;
  return T->bytes().front() != 0;
}

/// True if the condition that \p Body returns is the one that it was given, or constantly true.
static bool goesOn(const Graph &Body) {
  const Value *Condition = Body.outputs().front();
  while (Condition->producer() && Condition->producer()->is("Identity"))
    Condition = Condition->producer()->input(0);
  return Condition == Body.inputs()[1] || constantCondition(Condition) == true;
}

/// The branch that \p N, an If, always takes; null if that is not known.
static Graph *takenBranch(const Node &N) {
  std::optional<bool> Condition = constantCondition(N.input(0));
  if (!Condition)
    return nullptr;
  const auto *Branch = N.attributeAs<std::unique_ptr<Graph>>(*Condition ? "then_branch" : "else_branch");
  return Branch && (*Branch)->inputs().empty() && (*Branch)->outputs().size() == N.numOutputs() ? Branch->get()
                                                                                                : nullptr;
}

/// How often \p N, a Loop, runs its body, if that may be written out; nothing otherwise.
static std::optional<int64_t> knownTrips(const Node &N) {
  constexpr int64_t AxesAreAnOperand = 13;
  const auto *Attribute = N.attributeAs<std::unique_ptr<Graph>>("body");
  std::optional<std::vector<int64_t>> Trips = N.input(0) ? constantIntegers(N.input(0)) : std::nullopt;
  if (!Attribute || !Trips || Trips->size() != 1 || (N.input(1) && constantCondition(N.input(1)) != true))
    return std::nullopt;
  Graph &Body = **Attribute;
  // What the operator's definition asks for; a file may say anything.
  if (N.numInputs() < TripsAndCondition || Body.inputs().size() != N.numInputs() ||
      llvm::is_contained(N.inputs().drop_front(TripsAndCondition), nullptr) ||
      Body.outputs().size() != N.numOutputs() + 1 || N.numOutputs() + TripsAndCondition < N.numInputs() ||
      !goesOn(Body))
    return std::nullopt;
  bool IsScanned = N.numOutputs() + TripsAndCondition > N.numInputs();
  if (Trips->front() < (IsScanned ? 1 : 0) || (IsScanned && N.parent()->model().opsetVersion() < AxesAreAnOperand))
    return std::nullopt;
  bool IsSame = true;
  Body.walk([&](const Node &Inner) { IsSame &= isPure(Inner) || !Inner.subgraphs().empty(); });
  return IsSame ? std::optional<int64_t>(Trips->front()) : std::nullopt;
}

/// True if all that \p Body holds beside its nodes can be moved out of it.
static bool canMove(const Graph &Body) {
  return llvm::all_of(Body.initializers(), [](const Value *V) { return V->constant() && !V->isGraphInput(); });
}

static int64_t numNodes(Graph &G) {
  int64_t Count = 0;
  G.walk([&](const Node &) { ++Count; });
  return Count;
}

namespace {
/// Puts copies of what a node's body holds before the node, and then in its place.
class BodyInliner : private Cloner {
public:
  BodyInliner(Node &Holder, Graph &Body)
      : Cloner(Holder.parent()->model()), Holder(Holder), Body(Body), G(*Holder.parent()),
        Place(Graph::iteratorTo(&Holder)), Stem(Holder.displayName().str()), Prefix(Stem + "_") {
    mapCaptured(Body);
    for (Value *Init : Body.initializers())
      map(Init, G.addInitializer(nameOf(*Init), *Init->constant()));
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
      // Nodes need names of their own as well: ONNX Runtime refuses two of one name.
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
    for (const std::vector<Value *> &Slices : Scanned)
      Carried.push_back(stack(Slices));
    finish(Carried);
  }

private:
  /// What the body uses from around it is used as it is.
  void mapCaptured(Graph &Of) {
    for (Value *Output : Of.outputs())
      map(Output, Output);
    for (Node &N : Of) {
      for (Value *Input : N.inputs())
        map(Input, Input);
      for (Graph *Inner : N.subgraphs())
        mapCaptured(*Inner);
    }
  }

  void copyNodes() {
    for (const Node &N : Body)
      cloneNode(N, G, Place);
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

  /// Makes \p Results the values that the holder's outputs were.
  void finish(llvm::ArrayRef<Value *> Results) {
    std::vector<std::pair<Value *, std::string>> Renamed;
    for (auto [Old, Result] : llvm::zip_equal(Holder.outputs(), Results)) {
      if (Old->isDead())
        continue;
      Value *New = G.insert(Place, "Identity", {Result}, Old->name());
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

  std::string nameOf(const Node &From) override { return From.name().empty() ? "" : Prefix + From.name().str(); }

  void describe(const Value &From, Value &To) override {
    if (!IsRepeated || (From.type() && From.type()->isStatic()))
      To.setType(From.type());
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
};

class InlineBodies : public Pass {
public:
  explicit InlineBodies(int64_t MaxNodes) : MaxNodes(MaxNodes) {}

  llvm::Expected<bool> run(Model &M, PassContext &) override {
    uint64_t Before = Branches + Loops;
    Nodes = numNodes(M.graph());
    runOnGraph(M.graph());
    return Branches + Loops != Before;
  }

  PassStatistics statistics() const override { return {{"branches inlined", Branches}, {"loops written out", Loops}}; }

private:
  /// What was in a body is looked at after the body is inlined.
  void runOnGraph(Graph &G) {
    for (auto It = G.begin(); It != G.end();) {
      Node &N = *It;
      bool IsFirst = It == G.begin();
      auto Previous = IsFirst ? It : std::prev(It);
      if (visit(N)) {
        It = IsFirst ? G.begin() : std::next(Previous);
        continue;
      }
      for (Graph *Subgraph : N.subgraphs())
        runOnGraph(*Subgraph);
      ++It;
    }
  }

  bool visit(Node &N) {
    if (N.is("If")) {
      Graph *Branch = takenBranch(N);
      if (!Branch || !canMove(*Branch))
        return reject(N, "which branch it takes is not known, or the branch cannot be moved");
      BodyInliner(N, *Branch).inlineBranch();
      ++Branches;
      return true;
    }
    if (!N.is("Loop"))
      return false;
    std::optional<int64_t> Trips = knownTrips(N);
    if (!Trips || !canMove(*N.subgraphs().front()))
      return reject(N, "how often it runs its body is not known, or the body cannot be moved");
    // Outputs and slices get nodes of their own.
    int64_t OfTrip = numNodes(*N.subgraphs().front()) + N.numOutputs() + 1;
    if (*Trips > MaxNodes / OfTrip || Nodes + *Trips * OfTrip > MaxNodes)
      return reject(N, "written out, it has too many nodes");
    Nodes += *Trips * OfTrip;
    BodyInliner(N, *N.subgraphs().front()).inlineTrips(*Trips);
    ++Loops;
    return true;
  }

  int64_t MaxNodes;
  int64_t Nodes = 0;
  uint64_t Branches = 0;
  uint64_t Loops = 0;
};
} // namespace

static llvm::Expected<std::unique_ptr<Pass>> create(const PassOptions &Options) {
  llvm::Expected<int64_t> MaxNodes = Options.getInt("max-nodes");
  if (!MaxNodes)
    return MaxNodes.takeError();
  if (*MaxNodes < 0)
    return llvm::createStringError(fmt::format("option 'max-nodes': expected at least 0, got {}", *MaxNodes));
  return std::make_unique<InlineBodies>(*MaxNodes);
}

PassInfo deepshare::inlineBodiesPass() {
  return {.Name = "inline-bodies",
          .Contract = "Writes out If whose condition, and Loop whose number of trips, is constant.",
          .Options = {{"max-nodes", "20000", "nodes that the model may have for a Loop to be written out"}},
          .Create = create,
          .Alias = {},
          .Effect = PassEffect::Exact};
}
