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
// A site whose channels all keep their own gate and whose gates no other site uses stays as it is, unless the option
// `all` asks for it. A site without any gate becomes one Mul by its slopes, or nothing when they are all 1.
//
// A mask of another size is gathered along each spatial axis: of a larger source every n-th position, of a smaller one
// each position n times, and of a mask of tiles the tile that holds the position (docs/plan-format.md).
//
//   Y = MaxPool(X)       =>   Y = scale * AveragePool(X)               (the scale is left out where it is 1)
//
// Legal if
//  1. the plan was made for this model: same structure, and each site is found by name;
//  2. each planned gate is y = x * (x > 0 ? on : off) with channels on axis 1, in the main graph;
//  3. channels and spatial sizes are those of the plan;
//  4. every source stands before its users (also when sites are on different branches);
//  5. the model's opset is one that the bodies of the operators fit;
//  6. a MaxPool that becomes an average has no dilations, and its Indices are not used.
// All of it is checked before anything changes.
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/ShareGates.h"

#include "Rewriting.h"
#include "deepshare/Analysis/AveragePool.h"
#include "deepshare/IR/Fingerprint.h"
#include "deepshare/IR/ShareOps.h"

#include "llvm/ADT/StringMap.h"

#include <fmt/format.h>

#include <map>
#include <vector>

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
  GateRewriter(Model &M, const SharePlan &Plan, bool All) : M(M), Plan(Plan), All(All) {}

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
    for (auto [Pool, Planned] : llvm::zip_equal(Pools, Plan.AveragePools))
      average(*Pool, Planned);
    return Changed || !Pools.empty();
  }

private:
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
    if (llvm::Error E = checkPlan(Plan, *Found, "the plan does not fit the model"))
      return E;
    llvm::StringMap<const GateSite *> ByName;
    for (const GateSite &Site : *Found)
      ByName[Site.Name] = &Site;
    for (const SitePlan &Planned : Plan.Sites) {
      Sites.push_back(*ByName.lookup(Planned.Name));
      Compared.push_back(findOperand(Sites.back()));
    }
    for (const AveragePoolPlan &Planned : Plan.AveragePools)
      Pools.push_back(ByName.lookup(Planned.Name)->Gate);
    return llvm::Error::success();
  }

  /// The operand that holds what a gate compares: of the gate itself, or of the comparison that a Where selects by.
  static Use findOperand(const GateSite &Site) {
    Node *N = Site.Kind == GateKind::Where ? Site.Gate->input(0)->producer() : Site.Gate;
    for (unsigned I = 0; I < N->numInputs(); ++I)
      if (N->input(I) == Site.Input)
        return {N, I};
    llvm_unreachable("a gate compares its input");
  }

  /// What a gate compares. GateSite::Input is of before the rewriting: an earlier site may have replaced it.
  Value *inputOf(unsigned Site) const { return Compared[Site].User->input(Compared[Site].Index); }

  bool isOwn(unsigned Site, unsigned Channel) const {
    return Plan.Sites[Site].Channels[Channel].Source == GateSource{Site, Channel, 1};
  }

  void collectGates() {
    UsedElsewhere.assign(Sites.size(), false);
    for (unsigned Site = 0; Site < Sites.size(); ++Site)
      for (const ChannelPlan &Channel : Plan.Sites[Site].Channels)
        if (Channel.Source) {
          Gates[{Channel.Source->Site, Channel.Source->Block}].push_back(Channel.Source->Channel);
          if (Channel.Source->Site != Site)
            UsedElsewhere[Channel.Source->Site] = true;
        }
    for (auto &[Key, Channels] : Gates) {
      llvm::sort(Channels);
      Channels.erase(llvm::unique(Channels), Channels.end());
    }
  }

  bool isUntouched(unsigned Site) const {
    if (UsedElsewhere[Site] || All)
      return false;
    for (unsigned C = 0; C < Plan.Sites[Site].Channels.size(); ++C) {
      const ChannelPlan &Channel = Plan.Sites[Site].Channels[C];
      if (!isOwn(Site, C) || Channel.On != Sites[Site].SlopeOn[C] || Channel.Off != Sites[Site].SlopeOff[C])
        return false;
    }
    return true;
  }

  void rewrite(unsigned Site) {
    Graph::iterator Before = Graph::iteratorTo(Sites[Site].Gate);
    for (const auto &[Key, Channels] : Gates)
      if (Key.Site == Site)
        Masks[Key] = computeMask(Before, Key, Channels);
    Value *Gated = isSubtractedZero(Site)
                       ? M.graph().addInitializer(Sites[Site].Name + "_removed", Tensor::scalar(0.0f))
                       : gate(Before, Site);
    replaceGate(Site, Gated);
  }

  /// True if all channels of a site are removed and its output is only ever subtracted, as a Clip's upper gate is: then
  /// a scalar will do, which eliminate-identity takes away.
  bool isSubtractedZero(unsigned Site) const {
    const Value *Output = Sites[Site].Output;
    return llvm::all_of(Plan.Sites[Site].Channels, [](const ChannelPlan &C) { return !C.Source && C.On == 0; }) &&
           !UsedElsewhere[Site] && !Output->isGraphOutput() && llvm::all_of(Output->uses(), [](const Use &U) {
             return U.User->is("Sub") && U.Index == 1 && U.User->output()->type() &&
                    U.User->input(0)->type() == U.User->output()->type();
           });
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

  Value *computeMask(Graph::iterator Before, MaskKey Key, llvm::ArrayRef<unsigned> Channels) {
    const GateSite &Gate = Sites[Key.Site];
    Value *Input = inputOf(Key.Site);
    if (Channels.size() != static_cast<size_t>(Gate.Channels))
      Input = gather(Before, Input, llvm::SmallVector<int64_t>(Channels.begin(), Channels.end()), 1,
                     Gate.Name + "_prototypes");
    return insertDReLU(Before, Input, Key.Block, maskName(Gate.Name, Key.Block));
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
        Indices.push_back(sourcePosition(I, To[Axis], From[Axis]) / Key.Block);
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
      llvm::ArrayRef<unsigned> Channels = Gates.at(Key);
      MaskIndex.push_back(Offsets.at(Key) + (llvm::lower_bound(Channels, Channel.Source->Channel) - Channels.begin()));
    }
    if (SiteMasks.empty())
      return scale(Before, Site, On);
    return insertDReLUShare(Before, inputOf(Site), SiteMasks, MaskIndex, On, Off, Sites[Site].Name + "_shared");
  }

  /// X * slopes for a site without gates.
  Value *scale(Graph::iterator Before, unsigned Site, llvm::ArrayRef<float> Slopes) {
    const GateSite &Gate = Sites[Site];
    Value *Input = inputOf(Site);
    if (llvm::all_of(Slopes, [](float Slope) { return Slope == 1; }))
      return Input;
    llvm::SmallVector<int64_t> Dims(Gate.Spatial.size() + 1, 1);
    Dims[0] = Gate.Channels;
    Value *Factor = M.graph().addInitializer(Gate.Name + "_slope", Tensor::of<float>(Dims, Slopes));
    Value *Scaled = M.graph().insert(Before, "Mul", {Input, Factor}, Gate.Name + "_linear");
    Scaled->setType(Input->type());
    return Scaled;
  }

  void replaceGate(unsigned Site, Value *New) {
    Node &Gate = *Sites[Site].Gate;
    Value *Old = Sites[Site].Output;
    Node *Comparison = Compared[Site].User;
    std::string Name = Old->name().str();
    if (New != inputOf(Site)) {
      Old->replaceAllUsesWith(New);
      if (New->producer())
        New->setName(Name);
    } else if (Old->isGraphOutput()) {
      // Without a node of its own, an output of the graph needs one that carries its name.
      Value *Copy = M.graph().insert(Graph::iteratorTo(&Gate), "Identity", {New}, Name + "_linear");
      Copy->setType(New->type());
      Old->replaceAllUsesWith(Copy);
    } else {
      Old->replaceAllUsesWith(New);
    }
    M.graph().erase(&Gate);
    if (Comparison != &Gate)
      M.graph().erase(Comparison);
  }

  /// MaxPool(x) => scale * AveragePool(x)
  void average(Node &Pool, const AveragePoolPlan &Planned) {
    Graph::iterator Before = Graph::iteratorTo(&Pool);
    Value *Average = insertAveragePool(M.graph(), Before, Pool, Pool.input(0), Planned.Name + "_average");
    if (isScaled(Planned)) {
      llvm::SmallVector<int64_t> Dims(Average->type()->Dims->size() - 1, 1);
      Dims[0] = Planned.Scale.size();
      Value *Scale =
          M.graph().addInitializer(Planned.Name + "_scale", Tensor::of<float>(Dims, llvm::ArrayRef(Planned.Scale)));
      Value *Scaled = M.graph().insert(Before, "Mul", {Average, Scale}, Planned.Name + "_scaled");
      Scaled->setType(Average->type());
      Average = Scaled;
    }
    replaceNode(Pool, Average);
  }

  Model &M;
  const SharePlan &Plan;
  bool All;                  ///< also sites that may stay as they are
  std::vector<Node *> Pools; ///< of the plan's average pools
  std::vector<GateSite> Sites;
  std::vector<Use> Compared; ///< by site
  /// Channels whose gates are computed, sorted: by site, then block, so that the output does not depend on chance.
  std::map<MaskKey, std::vector<unsigned>> Gates;
  std::map<MaskKey, Value *> Masks;
  std::vector<bool> UsedElsewhere;
};

class ShareGates : public Pass {
public:
  explicit ShareGates(bool All) : All(All) {}
  llvm::Expected<bool> run(Model &M, PassContext &Context) override {
    if (!Context.Plan)
      return llvm::createStringError("needs a share plan: run `plan-gates` before, or give one with --plan");
    Context.Original = M.clone();
    return GateRewriter(M, *Context.Plan, All).run();
  }

private:
  bool All;
};

} // namespace

std::string deepshare::maskName(llvm::StringRef Site, unsigned Block) {
  return Site.str() + (Block == 1 ? "_drelu" : fmt::format("_drelu{0}x{0}", Block));
}

PassInfo deepshare::shareGatesPass() {
  return {
      .Name = "share-gates",
      .Contract =
          "Replaces the gates that the share plan names by DReLU and DReLUShare operators, so that each gate of "
          "the plan is computed once.",
      .Options = {{"all", "0", "1: also sites whose channels all keep their own gates, which else stay as they are"}},
      .Create = [](const PassOptions &Options) -> llvm::Expected<std::unique_ptr<Pass>> {
        llvm::Expected<int64_t> All = Options.getInt("all", 0, 1);
        if (!All)
          return All.takeError();
        return std::make_unique<ShareGates>(*All != 0);
      },
      .Alias = {},
      .Effect = PassEffect::Shares};
}
