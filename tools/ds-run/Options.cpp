//===- Options.cpp - the command line of ds-run ---------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Options.h"

#include "common/CommandLine.h"
#include "common/ImageOptions.h"

#include "deepshare/Support/AtomicFile.h"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/raw_ostream.h"

using namespace deepshare;
namespace cl = llvm::cl;

static constexpr llvm::StringLiteral Overview =
    "Runs an ONNX model with DeepShare's executor: on arrays (--input), or on images (--images), whose labels give the "
    "accuracy; with --ring in the fixed-point arithmetic of protocols for private inference.";

/// Checks the options of fixed point, which exclude some of the others.
static llvm::Error checkFixedPoint(const RunOptions &Options) {
  llvm::StringRef Flag = Options.Ring ? "--ring" : "--range";
  if (Options.Images.empty())
    return llvm::createStringError(llvm::inconvertibleErrorCode(), Flag + " needs images: give --images");
  if (!Options.Ring && !Options.Outputs.empty())
    return llvm::createStringError("--range alone has no outputs to write: leave -o out");
  if (Options.Ring)
    if (llvm::Error E = checkRing(*Options.Ring))
      return llvm::createStringError("--ring: " + llvm::toString(std::move(E)));
  return Options.Json.empty() ? llvm::Error::success() : checkWritable(Options.Json);
}

llvm::Expected<RunOptions> deepshare::parseCommandLine(int Argc, const char *const *Argv) {
  removeForeignOptions();
  RunOptions Result;
  cl::OptionCategory Category("ds-run options");
  cl::opt<std::string, true> Model(cl::Positional, cl::desc("<model.onnx>"), cl::location(Result.Model),
                                   cl::cat(Category));
  cl::list<std::string, std::vector<std::string>> Inputs(
      "input", cl::desc("An input's array: name=file.npy, or file.npz with arrays named like the inputs"),
      cl::value_desc("array"), cl::location(Result.Inputs), cl::cat(Category));
  std::string ImagesText = (llvm::Twine("Images: ") + ImageFormats).str();
  cl::opt<std::string, true> Images("images", cl::desc(ImagesText), cl::value_desc("path"), cl::location(Result.Images),
                                    cl::cat(Category));
  NormalizationOptions Norm(Category);
  cl::opt<uint64_t, true> Limit("limit", cl::desc("Use the first n images only; 0: all"), cl::value_desc("n"),
                                cl::location(Result.Limit), cl::cat(Category));
  cl::opt<uint64_t, true> Batch("batch", cl::desc("Images a run (128), unless the model says how many"),
                                cl::value_desc("n"), cl::location(Result.Batch), cl::init(128), cl::cat(Category));
  cl::list<std::string, std::vector<std::string>> Outputs(
      "o", cl::desc("Write outputs: file.npy (the first), name=file.npy, or file.npz (all)"), cl::value_desc("file"),
      cl::location(Result.Outputs), cl::cat(Category));
  cl::opt<unsigned> Ring("ring", cl::desc("Run in a ring of this many bits (64, 32, ...) and compare with floats"),
                         cl::value_desc("bits"), cl::cat(Category));
  cl::opt<unsigned, true> Frac(
      "frac", cl::desc("Fractional bits of numbers in the ring (a quarter of the ring's bits; 16 without --ring)"),
      cl::value_desc("bits"), cl::location(Result.Frac), cl::init(16), cl::cat(Category));
  cl::opt<Truncation> Kind(
      "truncation", cl::desc("How products in the ring lose fractional bits"), cl::init(Truncation::Probabilistic),
      cl::values(
          clEnumValN(Truncation::Probabilistic, "probabilistic", "up with the remainder's probability (default)"),
          clEnumValN(Truncation::Exact, "exact", "down"),
          clEnumValN(Truncation::Local, "local", "each of two parties shifts its random share")),
      cl::cat(Category));
  cl::opt<uint64_t> Seed("seed", cl::desc("Of truncations' random numbers (0)"), cl::value_desc("n"),
                         cl::cat(Category));
  cl::opt<bool, true> Range("range", cl::desc("Say how many bits each site's comparisons need"),
                            cl::location(Result.Range), cl::cat(Category));
  cl::opt<std::string, true> Json("json", cl::desc("Write the figures of --ring and --range here"),
                                  cl::value_desc("file"), cl::location(Result.Json), cl::cat(Category));
  cl::opt<bool, true> ListOperators("operators", cl::desc("List the operators that can be run, and stop"),
                                    cl::location(Result.ListOperators), cl::cat(Category));

  cl::SetVersionPrinter([](llvm::raw_ostream &Out) { Out << "ds-run " DEEPSHARE_VERSION "\n"; });
  if (llvm::Error E = parseOptions("ds-run", Overview, Argc, Argv))
    return E;
  if (Result.ListOperators)
    return Result;
  if (Result.Model.empty())
    return llvm::createStringError("no model is given; ds-run --help lists the options");
  if (!Result.Inputs.empty() && !Result.Images.empty())
    return llvm::createStringError("--input and --images exclude each other");
  if (Result.Batch == 0)
    return llvm::createStringError("--batch: expected 1 or more, got 0");
  if (Ring.getNumOccurrences() && !Frac.getNumOccurrences())
    Result.Frac = Ring / 4;
  if (Ring.getNumOccurrences())
    Result.Ring = RingOptions{Ring, Result.Frac, Kind, Seed};
  if (!Result.Ring && (Kind.getNumOccurrences() || Seed.getNumOccurrences()))
    return llvm::createStringError("--truncation and --seed are of a ring: give --ring");
  if (Result.Ring || Result.Range) {
    if (llvm::Error E = checkFixedPoint(Result))
      return E;
  } else if (Frac.getNumOccurrences() || Json.getNumOccurrences()) {
    return llvm::createStringError("--frac and --json are of fixed point: give --ring or --range");
  }
  llvm::Expected<Normalization> Read = Norm.normalization();
  if (!Read)
    return Read.takeError();
  Result.Norm = std::move(*Read);
  return Result;
}
