//===- LowerShareOps.cpp - share operators to standard ones ---------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
//   M = DReLU(X)                 =>  M = Greater(X, 0)
//   M = DReLU<block=[b,b]>(X)    =>  M = Greater(sum of each tile of X, 0)
//   Y = DReLUShare(X, M1..Mk)    =>  G = Gather(Concat(M1..Mk), mask of the gated channels)
//                                    Y = Where(G, X * on, X * off)
//
// The mask stays boolean until Where: a framework for private inference then moves bits, not ring elements (on CHEETAH
// and ABY3 five times cheaper than a mask cast to float before the Gather).
//
// With `slopes=folded` the products of a site, y = (on - off) * s + off * x with the selected s = x * bit (y = off * s
// with s = x * (1 - bit) where on is 0), are one 1x1 convolution behind the selection, whose weights are the slopes: a
// channel with two slopes then pays for one truncation instead of two, and the site for one round. That may differ from
// the function in the last place. The convolution is dense, so that a site of very many products keeps them in front.
//
// A product costs a truncation an element in fixed point, so only channels whose slope is none of 0, 1 and -1 are
// multiplied: they are gathered, multiplied, and put back in order, all but the product for free. The off-branch is the
// constant 0 where every off is 0, so that ReLU's own slopes cost one multiplexer and no product.
//
// A channel without a gate pays for no multiplexer: the channels are gathered in two groups, and put back in order,
//   Y = Gather(Concat(Where(G, Xg * on, Xg * off), Xl * slope), order)
//
// Slopes and the 0 are Constant nodes, which the targets take for public; weights are initialisers.
//
// The main graph is rewritten, and the functions of the share operators go. Legal if each DReLUShare has one entry a
// channel in each of its attributes, and an input of known rank, and each DReLU of tiles an input of known channels and
// spatial sizes; all are checked before the first changes.
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/LowerShareOps.h"

#include "ConstantNode.h"
#include "Rewriting.h"
#include "TileSums.h"

#include "deepshare/IR/ShareOps.h"
#include "deepshare/Plan/SharePlan.h"
#include "deepshare/Support/Error.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

#include <numeric>

using namespace deepshare;

namespace {

/// Multiplied channels of a site whose slopes are folded: with two slopes each, 2,048 are 32 MiB of weights.
constexpr int64_t MaxFoldedChannels = 2048;

class Lowering {
public:
  Lowering(Model &M, bool FoldSlopes) : M(M), G(M.graph()), FoldSlopes(FoldSlopes) {}

  llvm::Expected<bool> run() {
    llvm::SmallVector<Node *> DReLUs, Shares;
    llvm::Error Failed = llvm::Error::success();
    G.walk([&](Node &N) {
      if (N.domain() != ShareDomain || Failed)
        return;
      Failed = check(N);
      (isDReLU(N) ? DReLUs : Shares).push_back(&N);
    });
    if (Failed)
      return Failed;
    size_t Functions = M.functions().size(), Opsets = M.opsets().size();
    for (Node *N : DReLUs)
      lowerDReLU(*N);
    for (Node *N : Shares)
      lowerShare(*N);
    llvm::erase_if(M.functions(), [](const Function &F) { return F.Domain == ShareDomain; });
    llvm::erase_if(M.opsets(), [](const OpsetImport &Import) { return Import.Domain == ShareDomain; });
    return M.functions().size() != Functions || M.opsets().size() != Opsets || !DReLUs.empty() || !Shares.empty();
  }

private:
  llvm::Error check(const Node &N) const {
    auto Fail = [&](const char *Reason) { return nodeError(N, Reason); };
    if (N.parent() != &G)
      return Fail("share operators are lowered in the main graph only");
    if (!N.input(0))
      return Fail("its input is missing");
    if (isDReLU(N))
      return N.attribute("block") && !hasKnownTiles(N)
                 ? Fail("the sizes of its input are not known, or are not as many as those of its block")
                 : llvm::Error::success();
    if (!isDReLUShare(N))
      return Fail("no such operator in ai.deepshare");
    std::vector<int64_t> Mask = N.intsAttribute("mask");
    const auto *On = N.attributeAs<std::vector<float>>("on");
    const auto *Off = N.attributeAs<std::vector<float>>("off");
    if (!On || !Off || On->size() != Mask.size() || Off->size() != Mask.size())
      return Fail("mask, on and off must have one entry a channel");
    const std::optional<TensorType> &Type = N.input(0)->type();
    if (!Type || Type->rank().value_or(0) < 2)
      return Fail("the rank of its input is not known");
    bool HasGates = llvm::any_of(Mask, [](int64_t Index) { return Index >= 0; });
    if (HasGates && (N.numInputs() < 2 || llvm::is_contained(N.inputs(), nullptr)))
      return Fail("a channel is gated, but a mask is missing");
    return llvm::Error::success();
  }

  Value *insert(llvm::StringRef OpType, llvm::ArrayRef<Value *> Inputs, const llvm::Twine &Suffix) {
    return G.insert(Before, OpType, Inputs, Stem + Suffix);
  }

  Value *constant(Tensor T, const llvm::Twine &Suffix) {
    return insertConstant(G, Before, std::move(T), Stem + Suffix);
  }

  Value *zero() {
    if (!Zero)
      Zero = insertConstant(G, G.begin(), Tensor::scalar(0.0f), "drelu_zero");
    return Zero;
  }

  Value *gather(Value *From, llvm::ArrayRef<int64_t> Indices, const llvm::Twine &Suffix) {
    Value *Gathered = insert("Gather", {From, insertIntegers(G, Indices, Stem + Suffix + "_index")}, Suffix);
    Gathered->producer()->setAttribute("axis", int64_t(1));
    return Gathered;
  }

  Value *concat(llvm::ArrayRef<Value *> Parts, const llvm::Twine &Suffix) {
    if (Parts.size() == 1)
      return Parts.front();
    Value *Whole = insert("Concat", Parts, Suffix);
    Whole->producer()->setAttribute("axis", int64_t(1));
    return Whole;
  }

  /// The parts, whose channels Order lists one after the other, as one value with its channels in order.
  Value *inOrder(llvm::ArrayRef<Value *> Parts, llvm::ArrayRef<int64_t> Order, const llvm::Twine &Suffix) {
    Value *Whole = concat(Parts, Suffix + "_parts");
    if (llvm::is_sorted(Order))
      return Whole;
    llvm::SmallVector<int64_t> Place(Order.size());
    for (auto [Position, Channel] : llvm::enumerate(Order))
      Place[Channel] = Position;
    return gather(Whole, Place, Suffix + "_ordered");
  }

  /// X * Slopes, channel by channel. Channels of slope 1 are handed on, those of slope 0 and -1 cost no product.
  Value *multiply(Value *X, llvm::ArrayRef<float> Slopes, const llvm::Twine &Suffix) {
    llvm::SmallVector<int64_t> Kept, Negated, Dropped, Scaled, Order;
    llvm::SmallVector<float> Factors;
    for (auto [Channel, Slope] : llvm::enumerate(Slopes)) {
      if (Slope == 1)
        Kept.push_back(Channel);
      else if (Slope == -1)
        Negated.push_back(Channel);
      else if (Slope == 0)
        Dropped.push_back(Channel);
      else {
        Scaled.push_back(Channel);
        Factors.push_back(Slope);
      }
    }
    auto Take = [&](llvm::ArrayRef<int64_t> Channels, const llvm::Twine &Part) {
      llvm::append_range(Order, Channels);
      return Channels.size() == Slopes.size() ? X : gather(X, Channels, Suffix + Part);
    };
    llvm::SmallVector<Value *> Parts;
    if (!Kept.empty())
      Parts.push_back(Take(Kept, "_kept"));
    if (!Negated.empty())
      Parts.push_back(insert("Sub", {zero(), Take(Negated, "_negated")}, Suffix + "_negative"));
    if (!Dropped.empty()) {
      Value *Part = Take(Dropped, "_dropped");
      Parts.push_back(insert("Sub", {Part, Part}, Suffix + "_zero"));
    }
    if (!Scaled.empty()) {
      llvm::SmallVector<int64_t> Dims(Rank - 1, 1);
      Dims[0] = Factors.size();
      Value *Part = Take(Scaled, "_scaled");
      Parts.push_back(
          insert("Mul", {Part, constant(Tensor::of<float>(Dims, Factors), Suffix + "_slope")}, Suffix + "_product"));
    }
    return inOrder(Parts, Order, Suffix);
  }

  /// Channels of X in the given order; X itself if they are all of them.
  Value *take(Value *X, llvm::ArrayRef<int64_t> Channels, const llvm::Twine &Suffix) {
    const std::optional<TensorType> &Type = X->type();
    bool IsAll = Type && Type->Dims && (*Type->Dims)[1].isFixed() &&
                 (*Type->Dims)[1].size() == static_cast<int64_t>(Channels.size()) && llvm::is_sorted(Channels);
    return IsAll ? X : gather(X, Channels, Suffix);
  }

  /// A branch of Where: the constant 0 where all slopes are 0.
  Value *branch(Value *X, llvm::ArrayRef<float> Slopes, const llvm::Twine &Suffix) {
    bool IsZero = llvm::all_of(Slopes, [](float Slope) { return Slope == 0; });
    return IsZero ? zero() : multiply(X, Slopes, Suffix);
  }

  void lowerDReLU(Node &N) {
    start(N);
    std::vector<int64_t> Block = N.intsAttribute("block");
    Value *Compared = Block.empty() ? N.input(0) : insertTileSums(Before, N.input(0), Block.front(), Stem);
    takePlace(N, insert("Greater", {Compared, zero()}, "_greater"));
  }

  void lowerShare(Node &N) {
    start(N);
    Value *X = N.input(0);
    Rank = *X->type()->rank();
    std::vector<int64_t> Mask = N.intsAttribute("mask");
    const auto &On = *N.attributeAs<std::vector<float>>("on");
    const auto &Off = *N.attributeAs<std::vector<float>>("off");
    llvm::SmallVector<int64_t> Gated, Linear, GatedMask;
    llvm::SmallVector<float> GatedOn, GatedOff, LinearSlope;
    int64_t NumMultiplied = 0;
    for (int64_t C = 0; C < static_cast<int64_t>(Mask.size()); ++C) {
      NumMultiplied += hasProduct(Mask[C], On[C], Off[C]);
      if (Mask[C] < 0) {
        Linear.push_back(C);
        LinearSlope.push_back(On[C]);
        continue;
      }
      Gated.push_back(C);
      GatedMask.push_back(Mask[C]);
      GatedOn.push_back(On[C]);
      GatedOff.push_back(Off[C]);
    }
    if (FoldSlopes && Rank > 2 && NumMultiplied <= MaxFoldedChannels)
      return takePlace(N, lowerFolded(N, Mask, On, Off));
    if (Gated.empty()) {
      Value *Y = multiply(X, LinearSlope, "_linear");
      return takePlace(N, Y == X ? insert("Identity", {X}, "_identity") : Y);
    }
    Value *Bits = gather(concat(N.inputs().drop_front(), "_masks"), GatedMask, "_bits");
    Value *GatedX = Linear.empty() ? X : gather(X, Gated, "_gated");
    Value *Y = insert("Where", {Bits, branch(GatedX, GatedOn, "_on"), branch(GatedX, GatedOff, "_off")}, "_gate");
    if (!Linear.empty()) {
      Value *LinearY = multiply(gather(X, Linear, "_ungated"), LinearSlope, "_linear");
      llvm::SmallVector<int64_t> Order(Gated);
      llvm::append_range(Order, Linear);
      Y = inOrder({Y, LinearY}, Order, "");
    }
    takePlace(N, Y);
  }

  /// True for a channel that is multiplied.
  static bool hasProduct(int64_t Mask, float On, float Off) {
    return needsTruncation(On) || (Mask >= 0 && needsTruncation(Off));
  }

  /// The form of the option `slopes=folded`: all products of the site in one convolution, behind the selection.
  Value *lowerFolded(Node &N, llvm::ArrayRef<int64_t> Mask, llvm::ArrayRef<float> On, llvm::ArrayRef<float> Off) {
    // Gated channels of plain slopes, gated ones with a product, linear ones with a product, and plain linear ones.
    llvm::SmallVector<int64_t> Plain, Scaled, Linear, Kept;
    for (int64_t C = 0; C < static_cast<int64_t>(Mask.size()); ++C) {
      bool HasProduct = hasProduct(Mask[C], On[C], Off[C]);
      (Mask[C] >= 0 ? (HasProduct ? Scaled : Plain) : (HasProduct ? Linear : Kept)).push_back(C);
    }
    Value *X = N.input(0);
    llvm::SmallVector<Value *> Parts;
    llvm::SmallVector<int64_t> Order;
    Value *Selected = nullptr; // of Plain, then Scaled
    if (!Plain.empty() || !Scaled.empty()) {
      llvm::SmallVector<int64_t> Gated(Plain), Bits;
      llvm::append_range(Gated, Scaled);
      llvm::SmallVector<float> GatedOn, GatedOff;
      for (auto [I, C] : llvm::enumerate(Gated)) {
        Bits.push_back(Mask[C]);
        // A channel that is 0 where its bit is true selects the other side, so that it is 0 there and no difference of
        // two products, whose rounding a later comparison may look at.
        GatedOn.push_back(I < Plain.size() ? On[C] : On[C] != 0);
        GatedOff.push_back(I < Plain.size() ? Off[C] : On[C] == 0);
      }
      Value *M = gather(concat(N.inputs().drop_front(), "_masks"), Bits, "_bits");
      Value *GatedX = take(X, Gated, "_gated");
      Selected = insert("Where", {M, branch(GatedX, GatedOn, "_on"), branch(GatedX, GatedOff, "_off")}, "_gate");
    }
    if (Scaled.empty() && Linear.empty()) {
      if (Selected)
        Parts.push_back(Selected);
    } else {
      int64_t NumPlain = Plain.size(), NumScaled = Scaled.size();
      llvm::SmallVector<int64_t> First(NumPlain), Second(NumScaled);
      std::iota(First.begin(), First.end(), 0);
      std::iota(Second.begin(), Second.end(), NumPlain);
      if (NumPlain)
        Parts.push_back(NumScaled ? gather(Selected, First, "_plain") : Selected);
      Parts.push_back(products(X, NumScaled ? (NumPlain ? gather(Selected, Second, "_scaled") : Selected) : nullptr,
                               Scaled, Linear, On, Off));
    }
    for (llvm::ArrayRef<int64_t> Channels : {llvm::ArrayRef(Plain), llvm::ArrayRef(Scaled), llvm::ArrayRef(Linear)})
      llvm::append_range(Order, Channels);
    if (!Kept.empty()) {
      llvm::SmallVector<float> Slopes(llvm::map_range(Kept, [&](int64_t C) { return On[C]; }));
      Parts.push_back(multiply(take(X, Kept, "_kept"), Slopes, "_linear"));
      llvm::append_range(Order, Kept);
    }
    Value *Y = inOrder(Parts, Order, "");
    return Y == X ? insert("Identity", {X}, "_identity") : Y;
  }

  /// Conv(Concat(S, X), W), 1x1, for the selected values S of the Scaled channels, s = x * bit, or x * (1 - bit) where
  /// on is 0, and x of the Linear ones:
  ///   y = (on - off) * s + off * x     y = off * s where on is 0     y = on * x
  Value *products(Value *X, Value *S, llvm::ArrayRef<int64_t> Scaled, llvm::ArrayRef<int64_t> Linear,
                  llvm::ArrayRef<float> On, llvm::ArrayRef<float> Off) {
    llvm::SmallVector<int64_t> Direct(
        llvm::make_filter_range(Scaled, [&](int64_t C) { return On[C] != 0 && Off[C] != 0; }));
    int64_t NumDirect = Direct.size(), Rows = Scaled.size() + Linear.size(),
            Columns = Scaled.size() + NumDirect + Linear.size();
    std::vector<float> Weights(Rows * Columns, 0);
    int64_t NextDirect = Scaled.size();
    for (auto [Row, C] : llvm::enumerate(Scaled)) {
      Weights[Row * Columns + Row] = On[C] != 0 ? On[C] - Off[C] : Off[C];
      if (On[C] != 0 && Off[C] != 0)
        Weights[Row * Columns + NextDirect++] = Off[C];
    }
    for (auto [I, C] : llvm::enumerate(Linear))
      Weights[(Scaled.size() + I) * Columns + Scaled.size() + NumDirect + I] = On[C];
    llvm::append_range(Direct, Linear);
    llvm::SmallVector<Value *> Operands;
    if (S)
      Operands.push_back(S);
    if (!Direct.empty())
      Operands.push_back(take(X, Direct, "_direct"));
    llvm::SmallVector<int64_t> Dims(Rank, 1);
    Dims[0] = Rows;
    Dims[1] = Columns;
    return insert("Conv", {concat(Operands, "_operands"), constant(Tensor::of<float>(Dims, Weights), "_slopes")},
                  "_products");
  }

  void start(Node &N) {
    Before = Graph::iteratorTo(&N);
    Stem = N.output()->name().str();
  }

  Model &M;
  Graph &G;
  bool FoldSlopes;
  Graph::iterator Before;
  std::string Stem;
  unsigned Rank = 0;
  Value *Zero = nullptr;
};

class LowerShareOps : public Pass {
public:
  explicit LowerShareOps(bool FoldSlopes) : FoldSlopes(FoldSlopes) {}
  llvm::Expected<bool> run(Model &M, PassContext &) override { return Lowering(M, FoldSlopes).run(); }

private:
  bool FoldSlopes;
};

} // namespace

PassInfo deepshare::lowerShareOpsPass() {
  return {.Name = "lower-share-ops",
          .Contract = "Replaces DReLU and DReLUShare by standard operators: Greater, boolean Gather and Concat, Where.",
          .Options = {{"slopes", "products", "products: Mul in front of Where; folded: one 1x1 Conv a site behind it"}},
          .Create = [](const PassOptions &Options) -> llvm::Expected<std::unique_ptr<Pass>> {
            llvm::StringRef Slopes = Options.get("slopes");
            if (Slopes != "products" && Slopes != "folded")
              return makeError("lower-share-ops: slopes: expected products or folded, got '" + Slopes + "'");
            return std::make_unique<LowerShareOps>(Slopes == "folded");
          },
          .Alias = {},
          .Effect = PassEffect::Reassociates};
}
