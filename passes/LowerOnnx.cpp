//===- LowerOnnx.cpp - share operators to standard ones -------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
//   M = DReLU(X)                 =>  M = Greater(X, 0)
//   M = DReLU<block=[b,b]>(X)    =>  M = Greater(AveragePool<b, b>(X), 0)
//   Y = DReLUShare(X, M1..Mk)    =>  G = Gather(Concat(M1..Mk), mask of the gated channels)
//                                    Y = Where(G, X * on, X * off)
//
// The mask stays boolean until Where: a framework for private inference then moves bits, not ring elements (on CHEETAH
// and ABY3 five times cheaper than a mask cast to float before the Gather). X * on is X where every on is 1, and X *
// off is the constant 0 where every off is 0, so that ReLU's own slopes cost one multiplexer and no product.
//
// A channel without a gate pays for no multiplexer: the channels are gathered in two groups, and put back in order,
//   Y = Gather(Concat(Where(G, Xg * on, Xg * off), Xl * slope), order)
//
// The main graph is rewritten, and the functions of the share operators go. Legal if each DReLUShare has one entry a
// channel in each of its attributes, and an input of known rank; all are checked before the first changes.
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/LowerOnnx.h"

#include "deepshare/IR/ShareOps.h"

#include "llvm/ADT/STLExtras.h"

#include <fmt/format.h>

using namespace deepshare;

namespace {

class Lowering {
public:
  explicit Lowering(Model &M) : M(M), G(M.graph()) {}

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
    auto Fail = [&](const char *Reason) {
      return llvm::createStringError(
          fmt::format("node '{}' ({}): {}", N.displayName().str(), N.opType().str(), Reason));
    };
    if (N.parent() != &G)
      return Fail("share operators are lowered in the main graph only");
    if (!N.input(0))
      return Fail("its input is missing");
    if (isDReLU(N))
      return llvm::Error::success();
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

  Value *zero() {
    if (!Zero)
      Zero = G.addInitializer("drelu_zero", Tensor::scalar(0.0f));
    return Zero;
  }

  Value *gather(Value *From, llvm::ArrayRef<int64_t> Indices, const llvm::Twine &Suffix) {
    Value *Index = G.addInitializer((Stem + Suffix + "_index").str(),
                                    Tensor::of<int64_t>({static_cast<int64_t>(Indices.size())}, Indices));
    Value *Gathered = insert("Gather", {From, Index}, Suffix);
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

  Value *multiply(Value *X, llvm::ArrayRef<float> Slopes, const llvm::Twine &Suffix) {
    llvm::SmallVector<int64_t> Dims(Rank - 1, 1);
    Dims[0] = Slopes.size();
    Value *Factor = G.addInitializer((Stem + Suffix + "_slope").str(), Tensor::of<float>(Dims, Slopes));
    return insert("Mul", {X, Factor}, Suffix);
  }

  /// A branch of Where: X * Slopes, X itself where all slopes are 1, the constant 0 where all are 0.
  Value *branch(Value *X, llvm::ArrayRef<float> Slopes, const llvm::Twine &Suffix) {
    if (llvm::all_of(Slopes, [](float Slope) { return Slope == 0; }))
      return zero();
    return isIdentity(Slopes) ? X : multiply(X, Slopes, Suffix);
  }

  static bool isIdentity(llvm::ArrayRef<float> Slopes) {
    return llvm::all_of(Slopes, [](float Slope) { return Slope == 1; });
  }

  void replace(Node &Old, Value *New) {
    std::string Name = Old.output()->name().str();
    New->setType(Old.output()->type());
    Old.output()->replaceAllUsesWith(New);
    G.erase(&Old);
    New->setName(Name);
  }

  void lowerDReLU(Node &N) {
    start(N);
    Value *Compared = N.input(0);
    if (std::vector<int64_t> Block = N.intsAttribute("block"); !Block.empty()) {
      Compared = insert("AveragePool", {Compared}, "_mean");
      Compared->producer()->setAttribute("kernel_shape", Block);
      Compared->producer()->setAttribute("strides", Block);
      Compared->producer()->setAttribute("ceil_mode", int64_t(1));
    }
    replace(N, insert("Greater", {Compared, zero()}, "_greater"));
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
    for (int64_t C = 0; C < static_cast<int64_t>(Mask.size()); ++C) {
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
    if (Gated.empty()) {
      replace(N, multiply(X, LinearSlope, "_linear"));
      return;
    }
    Value *Bits = gather(concat(N.inputs().drop_front(), "_masks"), GatedMask, "_bits");
    Value *GatedX = Linear.empty() ? X : gather(X, Gated, "_gated");
    Value *Y = insert("Where", {Bits, branch(GatedX, GatedOn, "_on"), branch(GatedX, GatedOff, "_off")}, "_gate");
    if (!Linear.empty()) {
      Value *LinearX = gather(X, Linear, "_ungated");
      if (!isIdentity(LinearSlope))
        LinearX = multiply(LinearX, LinearSlope, "_linear");
      llvm::SmallVector<int64_t> Order(Mask.size());
      for (auto [Position, C] : llvm::enumerate(llvm::concat<int64_t>(Gated, Linear)))
        Order[C] = Position;
      Y = gather(concat({Y, LinearX}, "_grouped"), Order, "_ordered");
    }
    replace(N, Y);
  }

  void start(Node &N) {
    Before = Graph::iteratorTo(&N);
    Stem = N.output()->name().str();
  }

  Model &M;
  Graph &G;
  Graph::iterator Before;
  std::string Stem;
  unsigned Rank = 0;
  Value *Zero = nullptr;
};

class LowerOnnx : public Pass {
public:
  llvm::Expected<bool> run(Model &M, PassContext &) override { return Lowering(M).run(); }
};

} // namespace

PassInfo deepshare::lowerOnnxPass() {
  return {.Name = "lower-onnx",
          .Contract = "Replaces DReLU and DReLUShare by standard operators: Greater, boolean Gather and Concat, Where.",
          .Options = {},
          .Create = createPass<LowerOnnx>,
          .Alias = {}};
}
