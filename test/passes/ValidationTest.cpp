//===- ValidationTest.cpp -------------------------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Passes that break a model in one way each, and what validation says of them.
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/Validation.h"

#include "deepshare/ONNX/ONNX.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace deepshare;
using testing::HasSubstr;
using testing::Not;

namespace {
/// A pass that does what a function says.
class Deed : public Pass {
public:
  using Action = std::function<void(Graph &)>;
  explicit Deed(Action A) : A(std::move(A)) {}
  llvm::Expected<bool> run(Model &M, PassContext &) override {
    A(M.graph());
    return true;
  }

private:
  Action A;
};
} // namespace

static std::unique_ptr<Model> parse(llvm::StringRef Text) { return llvm::cantFail(parseModelText(Text, "test")); }

static Node &find(Graph &G, llvm::StringRef Output) {
  for (Node &N : G)
    if (N.output()->name() == Output)
      return N;
  llvm_unreachable("no such node");
}

/// Puts another operator in the place of the one node that makes \p Output, with the same first operand.
static Value *replaceNode(Graph &G, llvm::StringRef Output, llvm::StringRef OpType, llvm::StringRef NewOutput) {
  Node &Old = find(G, Output);
  Value *New = G.insert(Graph::iteratorTo(&Old), OpType, {Old.input(0)}, NewOutput);
  Old.output()->replaceAllUsesWith(New);
  G.erase(&Old);
  return New;
}

/// The error of a pass that does \p A to the model; "fine" without one.
static std::string validate(Model &M, PassEffect Effect, Deed::Action A, ValidationSummary *Summary = nullptr) {
  Validator Checked({});
  Pipeline P;
  P.add("deed", std::make_unique<Deed>(std::move(A)), Effect);
  PipelineOptions Options;
  Options.VerifyEach = true;
  Options.Validate = [&](const PassChange &Change) { return Checked.check(Change); };
  PassContext Context;
  llvm::Expected<bool> Changed = P.run(M, Context, Options);
  if (Summary)
    *Summary = Checked.summary();
  return Changed ? "fine" : llvm::toString(Changed.takeError());
}

static constexpr llvm::StringLiteral Net = R"(
  <ir_version: 8, opset_import: ["" : 17]>
  g (float[N,2] x) => (float[N,2] y) <float[2] c = {1, -0.5}> {
    a = Add(x, c)
    b = Relu(a)
    d = Neg(b)
    y = Exp(d)
  })";

TEST(ValidationTest, PassesThatKeepTheValues) {
  auto Insert = [](Graph &G) {
    Node &Relu = find(G, "b");
    Relu.setInput(0, G.insert(Graph::iteratorTo(&Relu), "Identity", {Relu.input(0)}, "same"));
  };
  for (PassEffect Effect : {PassEffect::Exact, PassEffect::Reassociates, PassEffect::Refits})
    EXPECT_EQ(validate(*parse(Net), Effect, Insert), "fine");
}

TEST(ValidationTest, NamesThePassAndTheFirstNode) {
  std::string Message = validate(*parse(Net), PassEffect::Exact, [](Graph &G) {
    Value *Abs = replaceNode(G, "b", "Abs", "abs");
    Abs->setName("b");
    Abs->producer()->setName("gate");
  });
  EXPECT_THAT(Message, HasSubstr("pass 'deed': changed what the model computes: output 'y' changed: expected "));
  EXPECT_THAT(Message, HasSubstr("; the first value that differs is of node 'gate' (Abs), 'b': expected 0, got "));
}

TEST(ValidationTest, NamesConstantsThatWereFoldedWrongly) {
  std::unique_ptr<Model> M = parse(R"(
    <ir_version: 8, opset_import: ["" : 17]>
    g (float[N,2] x) => (float[N,2] y) <float[2] c = {1, 2}> {
      k = Neg(c)
      y = Mul(x, k)
    })");
  std::string Message = validate(*M, PassEffect::Exact, [](Graph &G) {
    Node &Neg = find(G, "k");
    Value *Folded = G.addInitializer("folded", Tensor::of<float>({2}, {-1, 2}));
    Neg.output()->replaceAllUsesWith(Folded);
    G.erase(&Neg);
    Folded->setName("k");
  });
  EXPECT_THAT(Message, HasSubstr("the first value that differs is of initialiser 'k': expected -2, got 2 at [1]"));
}

TEST(ValidationTest, RoundingIsForThoseThatReassociate) {
  auto Nudge = [](Graph &G) {
    Value *C = find(G, "a").input(1);
    C->setInitializer(Tensor::of<float>({2}, {1.0000002F, -0.5F}));
  };
  EXPECT_THAT(validate(*parse(Net), PassEffect::Exact, Nudge), HasSubstr("node 'a' (Add), 'a': expected "));
  EXPECT_EQ(validate(*parse(Net), PassEffect::Reassociates, Nudge), "fine");
  auto Push = [](Graph &G) { find(G, "a").input(1)->setInitializer(Tensor::of<float>({2}, {1.001F, -0.5F})); };
  EXPECT_THAT(validate(*parse(Net), PassEffect::Reassociates, Push), HasSubstr("elements differ by more than "));
  EXPECT_EQ(validate(*parse(Net), PassEffect::Refits, Push), "fine");
}

// What the gate leaves is small beside what it is computed from, and so is the bound beside rounding.
TEST(ValidationTest, RoundingIsThatOfWhatAnOutputComesFrom) {
  static constexpr llvm::StringLiteral Cancelled = R"(
    <ir_version: 8, opset_import: ["" : 17]>
    g (float[N,2] x) => (float[N,2] y) <float zero = {0}, float one = {1}, float most = {0.99999}> {
      a = Mul(x, zero)
      b = Add(a, one)
      c = Sub(b, most)
      y = Relu(c)
    })";
  auto Add = [](float Sum) { return [=](Graph &G) { find(G, "b").input(1)->setInitializer(Tensor::scalar(Sum)); }; };
  EXPECT_EQ(validate(*parse(Cancelled), PassEffect::Reassociates, Add(1.0000001F)), "fine");
  EXPECT_THAT(validate(*parse(Cancelled), PassEffect::Exact, Add(1.0000001F)), HasSubstr("output 'y' changed"));
  EXPECT_THAT(validate(*parse(Cancelled), PassEffect::Reassociates, Add(1.0001F)), HasSubstr("output 'y' changed"));
}

TEST(ValidationTest, RefittedModelsStayFinite) {
  EXPECT_THAT(validate(*parse(Net), PassEffect::Refits,
                       [](Graph &G) {
                         find(G, "a").input(1)->setInitializer(
                             Tensor::of<float>({2}, {std::numeric_limits<float>::quiet_NaN(), 2}));
                       }),
              HasSubstr("4 of 8 elements are not finite any more"));
}

// x - x + tiny is within rounding of zero: another order of the sum decides it otherwise, and y jumps by 100.
static constexpr llvm::StringLiteral Jump = R"(
  <ir_version: 8, opset_import: ["" : 17]>
  g (float[N,3] x) => (float[N,3] y) <float shift = {1e-9}, float zero = {0}, float[3] scale = {0, 0, 1}, float big = {100}> {
    s = Mul(x, scale)
    t = Sub(s, shift)
    bit = Greater(t, zero)
    y = Where(bit, big, x)
  })";

static void moveZero(Graph &G, float Shift) { find(G, "t").input(1)->setInitializer(Tensor::scalar(Shift)); }

TEST(ValidationTest, BitsWithinRoundingOfZeroMayFlip) {
  EXPECT_EQ(validate(*parse(Jump), PassEffect::Reassociates, [](Graph &G) { moveZero(G, -1e-9F); }), "fine");
  // An exact pass flips none, and no bit flips that is further from zero.
  EXPECT_THAT(validate(*parse(Jump), PassEffect::Exact, [](Graph &G) { moveZero(G, -1e-9F); }),
              HasSubstr("the first value that differs is of node 't' (Sub)"));
  EXPECT_THAT(validate(*parse(Jump), PassEffect::Reassociates,
                       [](Graph &G) { find(G, "t").setInput(0, find(G, "t").input(1)); }),
              HasSubstr("output 'y' changed"));
}

// The same in a body that runs for each row: of the first two another element is within rounding of zero.
static constexpr llvm::StringLiteral JumpInBody = R"(
  <ir_version: 8, opset_import: ["" : 17]>
  g (float[3,3] x) => (float[3,3] y)
    <float shift = {1e-9}, float[3,3] scale = {1, 0, 1,  0, 1, 1,  1, 1, 1}, float big = {100}> {
    s = Mul(x, scale)
    y = Scan <num_scan_inputs = 1, body = each (float[3] r) => (float[3] w) {
      t = Sub(r, shift)
      zero = Sub(shift, shift)
      bit = Greater(t, zero)
      w = Where(bit, big, r)
    }> (s)
  })";

TEST(ValidationTest, BitsInBodiesMayFlip) {
  auto Move = [](Graph &G) { moveZero(*find(G, "y").subgraphs().front(), -1e-9F); };
  EXPECT_EQ(validate(*parse(JumpInBody), PassEffect::Reassociates, Move), "fine");
  EXPECT_THAT(validate(*parse(JumpInBody), PassEffect::Exact, Move),
              HasSubstr("the first value that differs is of node 'y' (Scan)"));
  auto Far = [](Graph &G) {
    Node &Sub = find(*find(G, "y").subgraphs().front(), "t");
    Sub.setInput(0, Sub.input(1));
  };
  EXPECT_THAT(validate(*parse(JumpInBody), PassEffect::Reassociates, Far), HasSubstr("output 'y' changed"));
}

TEST(ValidationTest, WhatCannotBeComputedIsSaid) {
  std::unique_ptr<Model> M = parse(R"(
    <ir_version: 8, opset_import: ["" : 17, "strange" : 1]>
    g (float[N,2] x) => (float[N,2] y) { y = strange.Op(x) })");
  ValidationSummary Summary;
  EXPECT_EQ(validate(*M, PassEffect::Exact, [](Graph &G) { G.begin()->setName("named"); }, &Summary), "fine");
  EXPECT_EQ(Summary.Compared, 0U);
  EXPECT_EQ(Summary.Skipped, 1U);
  EXPECT_THAT(Summary.Reason, HasSubstr("Op"));
}

TEST(ValidationTest, AModelThatStopsRunningIsAnError) {
  EXPECT_THAT(validate(*parse(Net), PassEffect::Exact,
                       [](Graph &G) { find(G, "a").input(1)->setInitializer(Tensor::of<float>({3}, {1, 2, 3})); }),
              HasSubstr("the model before it runs, this one does not: node 'a' (Add)"));
}

//===----------------------------------------------------------------------===//
// share-gates against the plan's definition
//===----------------------------------------------------------------------===//

static constexpr llvm::StringLiteral TwoGates = R"(
  <ir_version: 8, opset_import: ["" : 17]>
  g (float[N,2,4,4] x) => (float[N,2,2,2] y) {
    a = Relu(x)
    b = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(a)
    c = Neg(b)
    y = LeakyRelu<alpha = 0.5>(c)
  })";

static SharePlan twoGatesPlan() {
  return {"",
          "",
          {{"a", {{GateSource{0, 0, 1}, 1, 0}, {GateSource{0, 0, 2}, 0.5, 2}}, {4, 4}},
           {"y", {{GateSource{0, 1, 1}, 1, -1}, {std::nullopt, 0.25, 0.25}}, {2, 2}}},
          {{"b", {1.5, 1}}}};
}

/// As validate(), for share-gates by the plan \p Applied, where validation is told that the plan is \p Claimed.
static std::string share(const SharePlan &Applied, const SharePlan &Claimed) {
  std::unique_ptr<Model> M = parse(TwoGates);
  Validator Checked({});
  Pipeline P = llvm::cantFail(Pipeline::parse("infer-shapes,share-gates"));
  PipelineOptions Options;
  PassContext Context, Told;
  Context.Plan = Applied;
  Told.Plan = Claimed;
  Options.Validate = [&](const PassChange &Change) {
    return Checked.check({Change.Name, Change.Effect, Change.Before, Change.After, Told});
  };
  llvm::Expected<bool> Changed = P.run(*M, Context, Options);
  if (!Changed)
    return llvm::toString(Changed.takeError());
  return Checked.summary().Compared == 2 ? "fine" : Checked.summary().Reason;
}

TEST(ValidationTest, SharedGatesAreThoseOfThePlan) { EXPECT_EQ(share(twoGatesPlan(), twoGatesPlan()), "fine"); }

TEST(ValidationTest, SharedGatesThatAreNotThePlans) {
  using Change = std::function<void(SharePlan &)>;
  const Change Changes[] = {
      [](SharePlan &Plan) { Plan.Sites[0].Channels[0].Source->Channel = 1; },
      [](SharePlan &Plan) { Plan.Sites[0].Channels[1].Source->Block = 1; },
      [](SharePlan &Plan) { Plan.Sites[0].Channels[1].Off = 2.5; },
      [](SharePlan &Plan) { Plan.Sites[1].Channels[0].Source->Site = 1; },
      [](SharePlan &Plan) { Plan.Sites[1].Channels[1] = {std::nullopt, 0.26F, 0.26F}; },
      [](SharePlan &Plan) { Plan.AveragePools[0].Scale[0] = 1.501F; },
  };
  for (const Change &C : Changes) {
    SharePlan Other = twoGatesPlan();
    C(Other);
    EXPECT_THAT(share(Other, twoGatesPlan()),
                HasSubstr("pass 'share-gates': changed what the model computes: output 'y' changed"));
  }
}

TEST(ValidationTest, SlackHidesNoChangeBehindAMask) {
  // Rounding of the masked logits is larger than every output.
  constexpr llvm::StringLiteral Masked = R"(
    <ir_version: 8, opset_import: ["" : 17]>
    g (float[N,4] x) => (float[N,4] y) <float[4] mask = {0, 0, 0, -3e38}, float[1] one = {1}, float[4] v = {1, 2, 3, 4}> {
      scaled = Mul(x, one)
      logits = Add(scaled, mask)
      p = Softmax(logits)
      y = Mul(p, v)
    })";
  std::string Message = validate(*parse(Masked), PassEffect::Reassociates, [](Graph &G) {
    find(G, "y").input(1)->setInitializer(Tensor::of<float>({4}, {1, 2, 30, 4}));
  });
  EXPECT_THAT(Message, HasSubstr("output 'y' changed: expected "));
}

TEST(ValidationTest, AModelThatCannotBeRunAnyMoreIsAnError) {
  std::string Message =
      validate(*parse(Net), PassEffect::Exact, [](Graph &G) { replaceNode(G, "b", "Frobnicate", "unknown"); });
  EXPECT_THAT(Message, HasSubstr("the model before it can be run, this one cannot: node 'unknown' (Frobnicate)"));
}

TEST(ValidationTest, OutputsKeepTheirNames) {
  std::string Message = validate(*parse(Net), PassEffect::Exact, [](Graph &G) { G.outputs()[0]->setName("z"); });
  EXPECT_THAT(Message, HasSubstr("output 'y' is called 'z' now"));
}

TEST(ValidationTest, RoundingDoesNotMoveSizes) {
  // The sizes are rounding away from 8 and 8.
  std::unique_ptr<Model> M = parse(R"(
    <ir_version: 8, opset_import: ["" : 17]>
    g (float[N,1,4,4] x) => (float[N,1,8,8] y)
    <float[4] twice = {1, 1, 1.9999999, 1.9999999}, float[4] ones = {1, 1, 1, 1}, float[1,1,1,1] low = {1e-3}> {
      a = Add(x, low)
      b = Sub(a, low)
      scales = Mul(twice, ones)
      y = Resize <mode = "nearest"> (b, , scales)
    })");
  EXPECT_EQ(validate(*M, PassEffect::Reassociates,
                     [](Graph &G) {
                       Node &Sub = find(G, "b");
                       Value *Same = G.insert(Graph::iteratorTo(&Sub), "Identity", {G.inputs()[0]}, "same");
                       Sub.output()->replaceAllUsesWith(Same);
                     }),
            "fine");
}
