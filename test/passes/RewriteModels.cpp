//===- RewriteModels.cpp - many models through all forms ------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// passes-rewrite-models IN OUT: brings every IN/NAME.onnx into all forms that ds-opt has for it, each validated pass by
// pass as --verify does, and writes
//
//   OUT/NAME.canonical.onnx, OUT/NAME.TARGET.onnx       canonicalised, and lowered for each target
//   OUT/NAME.expanded.onnx, OUT/NAME.plan.json          what a random plan is made for, and the plan
//   OUT/NAME.sites.json                                 what each of the plan's sites compares: {"site": "value"}
//   OUT/NAME.shared.onnx, OUT/NAME.shared-TARGET.onnx   the plan applied, and lowered
//
// The name of a model is the seed of its plan. Prints "NAME.FORM message" for each form that fails, or, with the
// message "not compared: ...", that is written but of which validation could not say whether it is right.
// differential.py compares the values.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Data/Random.h"
#include "deepshare/ONNX/ONNX.h"
#include "deepshare/Support/Error.h"
#include "deepshare/Support/TextFile.h"
#include "deepshare/passes/Target.h"
#include "deepshare/passes/Validation.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Support/xxhash.h"

using namespace deepshare;
using llvm::Error;
using llvm::Expected;

namespace {
/// Draws plans: every channel its own gate, another's of the same or an earlier site, a tile's, linear or removed.
class PlanDrawer {
public:
  explicit PlanDrawer(uint64_t Seed) : Generator({Seed}) {}

  SharePlan draw(llvm::ArrayRef<GateSite> Sites) {
    SharePlan Plan;
    for (const GateSite &Site : Sites) {
      if (Site.isShareable() && !chance(0.1)) {
        Plan.Sites.push_back({Site.Name, {}, {Site.Spatial.begin(), Site.Spatial.end()}});
        // Most sites mix all; some are of one kind, which takes other paths: untouched, linear, removed.
        double Kind = Generator.uniform();
        for (int64_t C = 0; C < Site.Channels; ++C)
          Plan.Sites.back().Channels.push_back(Kind < 0.1   ? own(Plan, Site, C)
                                               : Kind < 0.2 ? ChannelPlan{std::nullopt, 0, 0}
                                               : Kind < 0.3 ? linear()
                                                            : channel(Plan, Site, C));
      }
      if (Site.CanAverage && chance(0.5)) {
        Plan.AveragePools.push_back({Site.Name, {}});
        bool IsScaled = chance(0.5);
        for (int64_t C = 0; C < Site.Channels; ++C)
          Plan.AveragePools.back().Scale.push_back(IsScaled ? 1.25F : 1.0F);
      }
    }
    return Plan;
  }

private:
  bool chance(double Probability) { return Generator.uniform() < Probability; }
  float slope() {
    static constexpr float Slopes[] = {0, 1, -1, 0.5, 0.8, -0.05, 1.5};
    return Slopes[Generator.below(std::size(Slopes))];
  }

  static ChannelPlan own(const SharePlan &Plan, const GateSite &Site, unsigned C) {
    return {GateSource{unsigned(Plan.Sites.size() - 1), C, 1}, Site.SlopeOn[C], Site.SlopeOff[C]};
  }

  ChannelPlan linear() {
    float Slope = slope();
    return {std::nullopt, Slope, Slope};
  }

  ChannelPlan channel(const SharePlan &Plan, const GateSite &Site, unsigned C) {
    double Kind = Generator.uniform();
    if (Kind < 0.3)
      return own(Plan, Site, C);
    if (Kind < 0.45)
      return linear();
    // Another's gate, of this site or of an earlier one whose positions map.
    unsigned Last = Plan.Sites.size() - 1, Source = Generator.below(Plan.Sites.size());
    if (!positionsMap(Plan.Sites[Source].Spatial, Plan.Sites[Last].Spatial))
      Source = Last;
    int64_t Channels = Source == Last ? Site.Channels : static_cast<int64_t>(Plan.Sites[Source].Channels.size());
    unsigned Block = Plan.Sites[Source].Spatial.size() == 2 && chance(0.3) ? 2 << Generator.below(2) : 1;
    GateSource Gate{Source, unsigned(Generator.below(Channels)), Block};
    return {Gate, slope(), slope()};
  }

  Random Generator;
};

class Rewriter {
public:
  Rewriter(llvm::StringRef From, llvm::StringRef Stem) : From(From), Stem(Stem) {}

  void run() {
    Expected<std::unique_ptr<Model>> Canonical = readModel(From);
    if (!Canonical)
      return report("read", Canonical.takeError());
    if (Error E = transform(**Canonical, "canonicalize,infer-shapes", "canonical"))
      return report("canonical", std::move(E));
    write(**Canonical, "canonical");
    lower(**Canonical, "");
    report("plan", share(**Canonical));
  }

private:
  void report(const llvm::Twine &Form, Error E) {
    if (E)
      llvm::outs() << llvm::sys::path::filename(Stem) << '.' << Form << ' ' << llvm::toString(std::move(E)) << '\n';
  }

  void write(const Model &M, const llvm::Twine &Form) {
    report(Form, writeModel(M, (Stem + "." + Form + ".onnx").str()));
  }

  /// Runs a pipeline, validated pass by pass, for \p Form.
  Error transform(Model &M, llvm::StringRef Pipe, llvm::StringRef Form, const SharePlan *Plan = nullptr) {
    Expected<Pipeline> Passes = Pipeline::parse(Pipe);
    if (!Passes)
      return Passes.takeError();
    PassContext Context;
    if (Plan)
      Context.Plan = *Plan;
    ValidationOptions What;
    What.Samples = 2;
    Validator Checked(What);
    PipelineOptions Options;
    Options.VerifyEach = true;
    Options.Validate = [&](const PassChange &Change) { return Checked.check(Change); };
    if (Expected<bool> Changed = Passes->run(M, Context, Options); !Changed)
      return Changed.takeError();
    if (Checked.summary().Skipped)
      report(Form, makeError("not compared: " + Checked.summary().Reason));
    return Error::success();
  }

  /// Writes \p M as each target has it.
  void lower(const Model &M, llvm::StringRef Prefix) {
    for (const Target &T : allTargets()) {
      std::unique_ptr<Model> Lowered = M.clone();
      std::string Form = (Prefix + T.Name).str();
      if (Error E = transform(*Lowered, (T.Pipeline + ",infer-shapes").str(), Form))
        report(Form, std::move(E));
      else
        write(*Lowered, Form);
    }
  }

  Error share(const Model &Canonical) {
    std::unique_ptr<Model> M = Canonical.clone();
    if (Error E = transform(*M, "expand-gates", "expanded"))
      return E;
    Expected<std::vector<GateSite>> Sites = findGateSites(*M);
    if (!Sites)
      return Sites.takeError();
    SharePlan Plan = PlanDrawer(llvm::xxh3_64bits(llvm::sys::path::filename(Stem))).draw(*Sites);
    llvm::json::Object Compared;
    for (const GateSite &Site : *Sites)
      Compared[Site.Name] = Site.Input->name();
    write(*M, "expanded");
    if (Error E = writeSharePlan(Plan, Stem + ".plan.json"))
      return E;
    if (Error E =
            writeTextFile(Stem + ".sites.json", llvm::formatv("{0}\n", llvm::json::Value(std::move(Compared))).str()))
      return E;
    if (Error E = transform(*M, "share-gates,eliminate-identity,eliminate-dead-code,contract-gates,infer-shapes",
                            "shared", &Plan))
      return E;
    write(*M, "shared");
    lower(*M, "shared-");
    return Error::success();
  }

  llvm::StringRef From;
  std::string Stem;
};
} // namespace

int main(int Argc, char **Argv) {
  if (Argc != 3) {
    llvm::errs() << "usage: passes-rewrite-models IN OUT\n";
    return 1;
  }
  std::error_code Code;
  for (llvm::sys::fs::directory_iterator File(Argv[1], Code), End; !Code && File != End; File.increment(Code)) {
    if (!llvm::StringRef(File->path()).ends_with(".onnx"))
      continue;
    Rewriter(File->path(), (llvm::Twine(Argv[2]) + "/" + llvm::sys::path::stem(File->path())).str()).run();
  }
  if (Code)
    llvm::errs() << Argv[1] << ": " << Code.message() << '\n';
  return Code ? 1 : 0;
}
