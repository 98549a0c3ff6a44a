//===- PassTest.cpp -------------------------------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/Pass.h"

#include "deepshare/ONNX/ONNX.h"

#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FileSystem.h"

#include <gtest/gtest.h>

using namespace deepshare;

namespace {
/// A pass that does what a function says.
class FunctionPass : public Pass {
public:
  using Action = std::function<llvm::Expected<bool>(Model &)>;
  explicit FunctionPass(Action A) : A(std::move(A)) {}
  llvm::Expected<bool> run(Model &M, PassContext &) override {
    ++Runs;
    return A(M);
  }
  PassStatistics statistics() const override { return {{"runs", Runs}}; }

private:
  Action A;
  uint64_t Runs = 0;
};

class PassTest : public testing::Test {
protected:
  void SetUp() override {
    llvm::Expected<std::unique_ptr<Model>> Parsed = parseModelText(R"(
      <ir_version: 8, opset_import: ["" : 17]>
      g (float[N,2] x) => (float[N,2] y) { a = Relu(x) y = Neg(a) })",
                                                                   "test");
    ASSERT_TRUE(bool(Parsed)) << llvm::toString(Parsed.takeError());
    M = std::move(*Parsed);
  }

  void add(llvm::StringRef Name, FunctionPass::Action A) { P.add(Name, std::make_unique<FunctionPass>(std::move(A))); }

  /// The error's message; "changed" or "unchanged" without one.
  std::string run() {
    llvm::Expected<bool> Changed = P.run(*M, Context, Options);
    return Changed ? (*Changed ? "changed" : "unchanged") : llvm::toString(Changed.takeError());
  }

  std::unique_ptr<Model> M;
  Pipeline P;
  PassContext Context;
  PipelineOptions Options;
};
} // namespace

static bool renameFirstNode(Model &M) {
  M.graph().begin()->setName("renamed");
  return true;
}

TEST_F(PassTest, ReportsWhetherAnyPassChangedTheModel) {
  Options.VerifyEach = true;
  add("nothing", [](Model &) { return false; });
  EXPECT_EQ(run(), "unchanged");
  add("rename", renameFirstNode);
  add("nothing", [](Model &) { return false; });
  EXPECT_EQ(run(), "changed");
}

TEST_F(PassTest, EndsAfterTheLastOfAName) {
  std::string Ran;
  for (const char *Name : {"a", "b", "a", "c"})
    add(Name, [&Ran, Name](Model &) {
      Ran += Name;
      return false;
    });
  P.endAfter("a");
  run();
  EXPECT_EQ(Ran, "aba");
  P.endAfter("c");
  EXPECT_EQ(run(), "unchanged");
  EXPECT_EQ(Ran, "aba");
}

TEST_F(PassTest, NamesThePassThatFailed) {
  add("fine", [](Model &) { return false; });
  add("unlucky", [](Model &) { return llvm::createStringError("no luck"); });
  EXPECT_EQ(run(), "pass 'unlucky': no luck");
}

TEST_F(PassTest, NamesThePassThatBrokeTheGraph) {
  Options.VerifyEach = true;
  add("swap", [](Model &M) {
    Graph &G = M.graph();
    G.moveBefore(&*G.begin(), G.end());
    return true;
  });
  std::string Message = run();
  EXPECT_NE(Message.find("pass 'swap': broke the graph: "), std::string::npos) << Message;
}

TEST_F(PassTest, FindsPassesThatReportWrongly) {
  Options.VerifyEach = true;
  add("silent", [](Model &M) { return !renameFirstNode(M); });
  EXPECT_EQ(run(), "pass 'silent': changed the model but reported no change");
  P = Pipeline();
  add("boastful", [](Model &) { return true; });
  EXPECT_EQ(run(), "pass 'boastful': reported a change but changed nothing");
}

TEST_F(PassTest, HandsOverTheModelAsItWasBeforeTheFailure) {
  std::string NameBefore = "none", FailedPass;
  Options.OnFailure = [&](llvm::StringRef Name, const Model &Before) {
    FailedPass = Name.str();
    NameBefore = Before.graph().begin()->name().str();
  };
  add("fails", [](Model &M) -> llvm::Expected<bool> {
    renameFirstNode(M);
    return llvm::createStringError("half way");
  });
  EXPECT_EQ(run(), "pass 'fails': half way");
  EXPECT_EQ(FailedPass, "fails");
  EXPECT_EQ(NameBefore, "");
}

TEST_F(PassTest, NamesTheOptionsOfThePassThatFailed) {
  std::string Stage;
  Options.OnFailure = [&](llvm::StringRef Text, const Model &) { Stage = Text.str(); };
  for (llvm::StringRef Text : {"plan-gates", "plan-gates{budget=25% strategy=own}"}) {
    P = llvm::cantFail(Pipeline::parse(Text));
    run();
    EXPECT_EQ(Stage, Text);
  }
  // A value that needs quotes gets them.
  P = llvm::cantFail(Pipeline::parse("canonicalize, observe-gates{tiles={ 2,4 } weights='none'}"));
  run();
  EXPECT_EQ(Stage, "observe-gates{tiles=\" 2,4 \" weights=none}");
}

TEST_F(PassTest, CountsEachRunForItself) {
  std::vector<uint64_t> Counts;
  Options.AfterPass = [&](const PassRun &Run) { Counts.push_back(Run.Statistics.front().second); };
  add("count", [](Model &) { return false; });
  run();
  run();
  EXPECT_EQ(Counts, (std::vector<uint64_t>{1, 1}));
}

TEST(PassOptionsTest, Numbers) {
  PassOptions Options;
  Options.set("count", "12");
  Options.set("share", "0.5");
  Options.set("word", "many");
  EXPECT_EQ(llvm::cantFail(Options.getInt("count")), 12);
  EXPECT_EQ(llvm::toString(Options.getInt("word").takeError()), "option 'word': expected an integer, got 'many'");
  EXPECT_EQ(llvm::toString(Options.getInt("share").takeError()), "option 'share': expected an integer, got '0.5'");
}

TEST(RegistryTest, IsConsistent) {
  llvm::StringSet<> Names;
  for (const PassInfo &Info : allPasses()) {
    EXPECT_TRUE(Names.insert(Info.Name).second) << Info.Name.str();
    EXPECT_NE(bool(Info.Create), !Info.Alias.empty()) << Info.Name.str();
    EXPECT_TRUE(Info.Contract.ends_with(".")) << Info.Name.str();
    EXPECT_TRUE(llvm::sys::fs::exists(llvm::Twine(DEEPSHARE_SOURCE_DIR "/docs/passes/") + Info.Name + ".md"))
        << Info.Name.str();
    if (!Info.Alias.empty()) {
      llvm::Expected<Pipeline> Parsed = Pipeline::parse(Info.Alias);
      EXPECT_TRUE(bool(Parsed)) << llvm::toString(Parsed.takeError());
    }
  }
}
