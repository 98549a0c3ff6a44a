//===- ShareGates.cpp - rewrites gates by a share plan --------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
//   Y = Relu(X)          =>   P = Gather(X, prototypes, axis = 1)      (not when all channels are prototypes)
//                             M = DReLU(P)                             (in ai.deepshare)
//                             Y = DReLUShare(X, M, masks of earlier sites)
//
// A site whose channels all keep their own gate and whose gates no other site uses stays as it is. A site without any
// gate becomes one Mul by its slopes, or nothing when they are all 1.
//
// A mask of another size is gathered along each spatial axis: of a larger source every n-th position, of a smaller one
// each position n times, and of a mask of tiles the tile that holds the position (docs/plan-format.md).
//
// Legal if
//  1. the plan was made for this model: same structure, and each site is found by name;
//  2. each planned gate is y = x * (x > 0 ? on : off) with channels on axis 1, in the main graph;
//  3. channels and spatial sizes are those of the plan;
//  4. every source stands before its users (also when sites are on different branches);
//  5. the model's opset is one that the bodies of the operators fit.
// All of it is checked before anything changes.
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/ShareGates.h"

#include "deepshare/IR/Fingerprint.h"
#include "deepshare/IR/ShareOps.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/MathExtras.h"

#include <fmt/format.h>

#include <map>
#include <set>

using namespace deepshare;

namespace {

/// A set of gates of one site: those computed for elements (Block 1) or for tiles.
struct MaskKey {
  unsigned Site;
  unsigned Block;
  friend auto operator<=>(const MaskKey &, const MaskKey &) = default;
};

class GateRewriter {
public:
  GateRewriter(Model &M, const SharePlan &Plan) : M(M), Plan(Plan) {}

  llvm::Expected<bool> run() {
    if (llvm::Error E = check())
      return E;
    collectGates();
    bool Changed = false;
    for (unsigned Site = 0; Site < Plan.Sites.size(); ++Site)
      if (!isUntouched(Site)) {
        rewrite(Site);
        Changed = true;
      }
    return Changed;
  }

private:
  llvm::Error fail(const SitePlan &Site, const std::string &Reason) const {
    return llvm::createStringError(fmt::format("plan does not fit the model: site '{}': {}", Site.Name, Reason));
  }

  llvm::Error check() {
    if (M.opsetVersion() < ShareOpsMinOpset)
      return llvm::createStringError(
          fmt::format("share operators need opset {} or later, the model has {}", ShareOpsMinOpset, M.opsetVersion()));
    if (std::string Actual = structureFingerprint(M); !Plan.Model.empty() && Plan.Model != Actual)
      return llvm::createStringError(fmt::format(
          "the plan was made for another model (structure {:.12}..., this one is {:.12}...)", Plan.Model, Actual));
    llvm::Expected<std::vector<GateSite>> Found = findGateSites(M);
    if (!Found)
      return Found.takeError();
    llvm::StringMap<const GateSite *> ByName;
    for (const GateSite &Site : *Found)
      ByName[Site.Name] = &Site;
    std::map<const Node *, size_t> Order;
    for (const Node &N : M.graph())
      Order.emplace(&N, Order.size());
    for (const SitePlan &Planned : Plan.Sites) {
      const GateSite *Site = ByName.lookup(Planned.Name);
      if (!Site)
        return fail(Planned, "no gate of the model has this name");
      if (llvm::Error E = checkSite(Planned, *Site))
        return E;
      if (!Sites.empty() && Order[Site->Gate] <= Order[Sites.back().Gate])
        return fail(Planned, fmt::format("stands before site '{}' in the model", Sites.back().Name));
      Sites.push_back(*Site);
    }
    return llvm::Error::success();
  }

  llvm::Error checkSite(const SitePlan &Planned, const GateSite &Site) const {
    if (!Site.isShareable() || Site.Gate->parent() != &M.graph())
      return fail(Planned, fmt::format("a {} gate here cannot be shared", gateKindName(Site.Kind).str()));
    if (Site.ChannelAxis != 1)
      return fail(Planned, fmt::format("expected channels on axis 1, got axis {}", Site.ChannelAxis));
    if (Planned.Channels.size() != static_cast<size_t>(Site.Channels))
      return fail(Planned, fmt::format("expected {} channels, got {}", Site.Channels, Planned.Channels.size()));
    if (llvm::ArrayRef<int64_t>(Planned.Spatial) != llvm::ArrayRef<int64_t>(Site.Spatial))
      return fail(Planned, fmt::format("expected spatial size {}, got {}", fmt::join(Site.Spatial, "x"),
                                       fmt::join(Planned.Spatial, "x")));
    return llvm::Error::success();
  }

  /// What the gate compares. GateSite::Input is of before the rewriting: an earlier site may have replaced it.
  static Value *inputOf(const GateSite &Gate) { return Gate.Gate->input(0); }

  bool isOwn(unsigned Site, unsigned Channel) const {
    return Plan.Sites[Site].Channels[Channel].Source == GateSource{Site, Channel, 1};
  }

  void collectGates() {
    UsedElsewhere.assign(Sites.size(), false);
    for (unsigned Site = 0; Site < Sites.size(); ++Site)
      for (const ChannelPlan &Channel : Plan.Sites[Site].Channels)
        if (Channel.Source) {
          Gates[{Channel.Source->Site, Channel.Source->Block}].insert(Channel.Source->Channel);
          if (Channel.Source->Site != Site)
            UsedElsewhere[Channel.Source->Site] = true;
        }
  }

  bool isUntouched(unsigned Site) const {
    if (UsedElsewhere[Site])
      return false;
    for (unsigned C = 0; C < Plan.Sites[Site].Channels.size(); ++C) {
      const ChannelPlan &Channel = Plan.Sites[Site].Channels[C];
      if (!isOwn(Site, C) || Channel.On != Sites[Site].SlopeOn[C] || Channel.Off != Sites[Site].SlopeOff[C])
        return false;
    }
    return true;
  }

  void rewrite(unsigned Site) {
    const GateSite &Gate = Sites[Site];
    Graph::iterator Before = Graph::iteratorTo(Gate.Gate);
    for (const auto &[Key, Channels] : Gates)
      if (Key.Site == Site)
        Masks[Key] = computeMask(Before, Gate, Key, Channels);
    Value *Gated = gate(Before, Site);
    replaceGate(Gate, Gated);
  }

  Value *gather(Graph::iterator Before, Value *From, llvm::ArrayRef<int64_t> Indices, unsigned Axis,
                const llvm::Twine &Name) {
    Graph &G = M.graph();
    Value *Index =
        G.addInitializer((Name + "_index").str(), Tensor::of<int64_t>({static_cast<int64_t>(Indices.size())}, Indices));
    Value *Gathered = G.insert(Before, "Gather", {From, Index}, Name);
    Gathered->producer()->setAttribute("axis", static_cast<int64_t>(Axis));
    TensorType Type = *From->type();
    (*Type.Dims)[Axis] = Dim::fixed(Indices.size());
    Gathered->setType(Type);
    return Gathered;
  }

  Value *computeMask(Graph::iterator Before, const GateSite &Gate, MaskKey Key, const std::set<unsigned> &Channels) {
    Value *Compared = inputOf(Gate);
    if (Channels.size() != static_cast<size_t>(Gate.Channels))
      Compared = gather(Before, inputOf(Gate), llvm::SmallVector<int64_t>(Channels.begin(), Channels.end()), 1,
                        Gate.Name + "_prototypes");
    std::string Suffix = Key.Block == 1 ? "_drelu" : fmt::format("_drelu{0}x{0}", Key.Block);
    return insertDReLU(Before, Compared, Key.Block, Gate.Name + Suffix);
  }

  /// The position of a source of size \p From that gates position \p I of a site of size \p To.
  static int64_t sourcePosition(int64_t I, int64_t From, int64_t To) {
    return From >= To ? I * llvm::divideCeil(From, To) : I / llvm::divideCeil(To, From);
  }

  /// The mask \p Key in the spatial size of site \p Site.
  Value *maskFor(Graph::iterator Before, unsigned Site, MaskKey Key) {
    const llvm::SmallVector<int64_t, 3> &From = Sites[Key.Site].Spatial;
    const llvm::SmallVector<int64_t, 3> &To = Sites[Site].Spatial;
    Value *Mask = Masks.at(Key);
    for (unsigned Axis = 0; Axis < To.size(); ++Axis) {
      if (From[Axis] == To[Axis] && Key.Block == 1)
        continue;
      llvm::SmallVector<int64_t> Indices;
      for (int64_t I = 0; I < To[Axis]; ++I)
        Indices.push_back(sourcePosition(I, From[Axis], To[Axis]) / Key.Block);
      Mask = gather(Before, Mask, Indices, Axis + 2, Sites[Site].Name + "_mask");
    }
    return Mask;
  }

  /// Inserts what computes site \p Site from its masks; returns the output, or the site's input if nothing is left.
  Value *gate(Graph::iterator Before, unsigned Site) {
    const SitePlan &Planned = Plan.Sites[Site];
    llvm::SmallVector<Value *> SiteMasks;
    std::map<MaskKey, int64_t> Offsets;
    int64_t Offset = 0;
    for (const auto &[Key, Channels] : Gates) {
      bool IsUsed = llvm::any_of(Planned.Channels, [&, K = Key](const ChannelPlan &Channel) {
        return Channel.Source && Channel.Source->Site == K.Site && Channel.Source->Block == K.Block;
      });
      if (!IsUsed)
        continue;
      SiteMasks.push_back(maskFor(Before, Site, Key));
      Offsets[Key] = Offset;
      Offset += Channels.size();
    }
    llvm::SmallVector<int64_t> MaskIndex;
    llvm::SmallVector<float> On, Off;
    for (const ChannelPlan &Channel : Planned.Channels) {
      On.push_back(Channel.On);
      Off.push_back(Channel.Off);
      if (!Channel.Source) {
        MaskIndex.push_back(-1);
        continue;
      }
      MaskKey Key{Channel.Source->Site, Channel.Source->Block};
      const std::set<unsigned> &Channels = Gates.at(Key);
      MaskIndex.push_back(Offsets.at(Key) + std::distance(Channels.begin(), Channels.find(Channel.Source->Channel)));
    }
    if (SiteMasks.empty())
      return scale(Before, Sites[Site], On);
    return insertDReLUShare(Before, inputOf(Sites[Site]), SiteMasks, MaskIndex, On, Off, Sites[Site].Name + "_shared");
  }

  /// X * slopes for a site without gates.
  Value *scale(Graph::iterator Before, const GateSite &Gate, llvm::ArrayRef<float> Slopes) {
    if (llvm::all_of(Slopes, [](float Slope) { return Slope == 1; }))
      return inputOf(Gate);
    llvm::SmallVector<int64_t> Dims(Gate.Spatial.size() + 1, 1);
    Dims[0] = Gate.Channels;
    Value *Factor = M.graph().addInitializer(Gate.Name + "_slope", Tensor::of<float>(Dims, Slopes));
    Value *Scaled = M.graph().insert(Before, "Mul", {inputOf(Gate), Factor}, Gate.Name + "_linear");
    Scaled->setType(inputOf(Gate)->type());
    return Scaled;
  }

  void replaceGate(const GateSite &Gate, Value *New) {
    Value *Old = Gate.Output;
    std::string Name = Old->name().str();
    if (New == inputOf(Gate)) {
      // Without a node of its own, an output of the graph needs one that carries its name.
      if (!Old->isGraphOutput()) {
        Old->replaceAllUsesWith(New);
        M.graph().erase(Gate.Gate);
        return;
      }
      New = M.graph().insert(Graph::iteratorTo(Gate.Gate), "Identity", {New}, Gate.Name + "_linear");
    }
    Old->replaceAllUsesWith(New);
    M.graph().erase(Gate.Gate);
    New->setName(Name);
  }

  Model &M;
  const SharePlan &Plan;
  std::vector<GateSite> Sites;
  /// Channels whose gates are computed, sorted: by site, then block, so that the output does not depend on chance.
  std::map<MaskKey, std::set<unsigned>> Gates;
  std::map<MaskKey, Value *> Masks;
  std::vector<bool> UsedElsewhere;
};

class ShareGates : public Pass {
public:
  llvm::Expected<bool> run(Model &M, PassContext &Context) override {
    if (!Context.Plan)
      return llvm::createStringError("needs a share plan: run `plan` before, or give one with --plan");
    Context.Original = M.clone();
    return GateRewriter(M, *Context.Plan).run();
  }
};

} // namespace

PassInfo deepshare::shareGatesPass() {
  return {.Name = "share-gates",
          .Contract =
              "Replaces the gates that the share plan names by DReLU and DReLUShare operators, so that each gate of "
              "the plan is computed once.",
          .Options = {},
          .Create = createPass<ShareGates>,
          .Alias = {}};
}
