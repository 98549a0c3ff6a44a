//===- Options.cpp - the command line of ds-opt ---------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Options.h"

#include "../common/CommandLine.h"

#include "deepshare/passes/Pass.h"
#include "deepshare/passes/Target.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Debug.h"
#include "llvm/Support/raw_ostream.h"

#include <fmt/format.h>

using namespace deepshare;
namespace cl = llvm::cl;

static constexpr llvm::StringLiteral Overview =
    "DeepShare's optimiser: reads an ONNX model, runs passes on it, counts its gates, and writes it.";

/// \p Text broken at spaces to lines of at most 96 columns that start with \p Indent.
static std::string wrap(llvm::StringRef Text, llvm::StringRef Indent) {
  std::string Result = Indent.str();
  size_t Column = Indent.size();
  llvm::SmallVector<llvm::StringRef> Words;
  Text.split(Words, ' ', -1, /*KeepEmpty=*/false);
  for (llvm::StringRef Word : Words) {
    if (Column + Word.size() > 96) {
      Result += '\n' + Indent.str();
      Column = Indent.size();
    } else if (Column > Indent.size()) {
      Result += ' ';
      ++Column;
    }
    Result += Word;
    Column += Word.size();
  }
  return Result + '\n';
}

/// The passes with their contracts and options, for --help.
static std::string describePasses() {
  std::string Text = "\nPASSES (docs/passes has a page for each):\n";
  for (const PassInfo &Info : allPasses()) {
    Text += fmt::format("\n  {}\n", Info.Name.str()) + wrap(Info.Contract, "      ");
    if (!Info.Alias.empty())
      Text += fmt::format("      = {}, repeated\n", Info.Alias.str());
    for (const PassOption &Option : Info.Options)
      Text += wrap(fmt::format("{}={}: {}", Option.Name.str(), Option.Default.empty() ? "..." : Option.Default.str(),
                               Option.Description.str()),
                   "        ");
  }
  Text += "\nTARGETS (--target):\n";
  for (const Target &T : allTargets())
    Text += fmt::format("\n  {}\n", T.Name.str()) + wrap(T.Description, "      ") +
            fmt::format("      = {}\n", T.Pipeline.str());
  return Text + "\nA pipeline lists passes, with options in braces, separated by spaces:\n"
                "  --passes='canonicalize,observe-gates{images=256}'\n";
}

llvm::Expected<DriverOptions> deepshare::parseCommandLine(int Argc, const char *const *Argv) {
  removeForeignOptions();
  DriverOptions Result;
  cl::OptionCategory Category("ds-opt options");
  cl::opt<std::string, true> Input(cl::Positional, cl::desc("<model.onnx>"), cl::location(Result.Input), cl::Required,
                                   cl::cat(Category));
  cl::opt<std::string, true> Output(
      "o", cl::desc("Write the result here: ONNX text for .onnxtxt or '-' (standard output), else binary"),
      cl::value_desc("file"), cl::location(Result.Output), cl::cat(Category));
  cl::opt<std::string, true> Passes("passes", cl::desc("Run these passes: a,b{option=x option2=y},c"),
                                    cl::value_desc("pipeline"), cl::location(Result.Passes), cl::cat(Category));
  cl::opt<std::string, true> Images(
      "calibrate",
      cl::desc("Observe gates on these images (.npy, .npz, idx, CIFAR binary, or a folder; 'random': noise), plan, "
               "share, repair"),
      cl::value_desc("images"), cl::location(Result.Images), cl::cat(Category));
  cl::opt<uint64_t> ImageCount(
      "calibrate-count", cl::desc("Use this many of them, drawn by --seed (1024, and 512 of those to observe; 0: all)"),
      cl::value_desc("n"), cl::cat(Category));
  cl::opt<std::string, true> Mean("mean",
                                  cl::desc("Subtract this from the images, a number a channel (bytes count as 0..1)"),
                                  cl::value_desc("a,b,c"), cl::location(Result.Mean), cl::cat(Category));
  cl::opt<std::string, true> Std("std", cl::desc("Divide the images by this, a number a channel"),
                                 cl::value_desc("a,b,c"), cl::location(Result.Std), cl::cat(Category));
  cl::opt<std::string, true> Budget("budget",
                                    cl::desc("What gates may cost: 50%, 94208 (DReLUs), 12MB, 50%bytes, 1.5s, 50%s"),
                                    cl::value_desc("budget"), cl::location(Result.Budget), cl::cat(Category));
  cl::opt<std::string, true> Sweep(
      "sweep", cl::desc("Only plan, at all these budgets from one observation, and tabulate loss against cost"),
      cl::value_desc("100%,50%,25%"), cl::location(Result.Sweep), cl::cat(Category));
  cl::opt<std::string, true> Plot("plot", cl::desc("Draw the losses and costs of --sweep here, as SVG"),
                                  cl::value_desc("curve.svg"), cl::location(Result.Plot), cl::cat(Category));
  cl::opt<std::string, true> Strategy(
      "strategy",
      cl::desc("How to plan: full, own, uniform, linear, kmedoids, blocks, random; with "
               "--sweep also several (a,b) or all"),
      cl::value_desc("name"), cl::location(Result.Strategy), cl::cat(Category));
  cl::opt<std::string, true> Weights("weights",
                                     cl::desc("What an error weighs: auto, none, classification, pixels, regression"),
                                     cl::value_desc("name"), cl::location(Result.Weights), cl::cat(Category));
  cl::opt<bool, true> AllowAveragePool(
      "allow-average-pool", cl::desc("Let the planner turn a MaxPool into an average where that loses least"),
      cl::location(Result.AllowAveragePool), cl::cat(Category));
  cl::opt<unsigned, true> Memory("memory", cl::desc("Bound what observing and repairing keep in memory, in MiB (2048)"),
                                 cl::value_desc("n"), cl::location(Result.Memory), cl::init(2048), cl::cat(Category));
  cl::opt<std::string> Repair("repair", cl::desc("Re-fit the weights to the original after sharing: on or off (on)"),
                              cl::value_desc("on|off"), cl::init("on"), cl::cat(Category));
  cl::opt<std::string, true> Plan("plan", cl::desc("Apply this share plan instead of searching one; needs no images"),
                                  cl::value_desc("plan.json"), cl::location(Result.Plan), cl::cat(Category));
  cl::opt<std::string, true> SavePlan(
      "save-plan", cl::desc("Write the share plan here (default: beside the output); with --sweep a folder"),
      cl::value_desc("plan.json"), cl::location(Result.SavePlan), cl::cat(Category));
  std::string TargetHelp = "Bring the result into the forms that a runtime or framework takes: " + targetNames();
  cl::opt<std::string, true> Target("target", cl::desc(TargetHelp), cl::value_desc("name"), cl::location(Result.Target),
                                    cl::cat(Category));
  cl::opt<std::string, true> CostModel("cost-model", cl::desc("Price by this cost model: a name or a file (semi2k-64)"),
                                       cl::value_desc("name"), cl::location(Result.CostModel), cl::cat(Category));
  cl::opt<std::string, true> Network("network",
                                     cl::desc("Count times on this link: lan, wan, or RTT,bandwidth (20ms,100Mbps)"),
                                     cl::value_desc("link"), cl::location(Result.Network), cl::cat(Category));
  cl::opt<std::string, true> Report(
      "report",
      cl::desc("Write the cost report, or the curve of --sweep, here as JSON (default: beside "
               "the output)"),
      cl::value_desc("report.json"), cl::location(Result.Report), cl::cat(Category));
  cl::opt<std::string> Remarks("remarks",
                               cl::desc("Say of each site and channel what became of it and why, here or on "
                                        "standard error"),
                               cl::value_desc("file"), cl::ValueOptional, cl::cat(Category));
  cl::opt<uint64_t, true> Seed("seed", cl::desc("Seed of everything that is drawn (0)"), cl::value_desc("n"),
                               cl::location(Result.Seed), cl::cat(Category));
  cl::opt<bool, true> Count("count", cl::desc("Print the gates of the result: site, kind, shape, DReLUs, muxes, total"),
                            cl::location(Result.Count), cl::cat(Category));
  cl::opt<bool, true> Verify("verify", cl::desc("Compare the model's values before and after each pass"),
                             cl::location(Result.Verify), cl::cat(Category));
  cl::opt<bool, true> VerifyEach("verify-each", cl::desc("Check the graph after each pass"),
                                 cl::location(Result.VerifyEach), cl::cat(Category));
  cl::opt<bool, true> Statistics("stats", cl::desc("Say on standard error what each pass did and how long it took"),
                                 cl::location(Result.Statistics), cl::cat(Category));
  cl::opt<std::string, true> Reproducer("reproducer",
                                        cl::desc("If a pass fails, write the model that it was given here"),
                                        cl::value_desc("file"), cl::location(Result.Reproducer), cl::cat(Category));
  cl::opt<std::string> DebugOnly("debug-only", cl::desc("Say on standard error why a pass left a match alone"),
                                 cl::value_desc("pass"), cl::cat(Category));
  cl::opt<bool, true> VerifyRoundTrip("verify-roundtrip", cl::Hidden,
                                      cl::desc("Check that the result survives printing and parsing"),
                                      cl::location(Result.VerifyRoundTrip), cl::cat(Category));

  std::string Passage = describePasses();
  cl::extrahelp PassHelp(Passage);
  cl::SetVersionPrinter([](llvm::raw_ostream &Out) { Out << "ds-opt " DEEPSHARE_VERSION "\n"; });

  if (llvm::Error E = parseOptions("ds-opt", Overview, Argc, Argv))
    return E;
  if (Repair != "on" && Repair != "off")
    return llvm::createStringError(fmt::format("--repair: expected on or off, got '{}'", Repair.getValue()));
  Result.Repair = Repair == "on";
  for (const auto &Entry : cl::getRegisteredOptions())
    if (Entry.second->getNumOccurrences())
      Result.Given.insert(Entry.first());
  if (Remarks.getNumOccurrences())
    Result.Remarks = Remarks.empty() ? "-" : Remarks.getValue();
  if (ImageCount.getNumOccurrences())
    Result.ImageCount = ImageCount;
  if (!DebugOnly.empty()) {
    llvm::DebugFlag = true;
    llvm::setCurrentDebugType(DebugOnly.c_str());
  }
  if (llvm::Error E = checkOptions(Result))
    return E;
  return Result;
}
