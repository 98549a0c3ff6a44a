//===- Options.cpp - the command line of ds-run ---------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Options.h"

#include "common/CommandLine.h"
#include "common/ImageOptions.h"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/raw_ostream.h"

using namespace deepshare;
namespace cl = llvm::cl;

static constexpr llvm::StringLiteral Overview =
    "Runs an ONNX model with DeepShare's executor: on arrays (--input), or on images (--images), whose labels give the "
    "accuracy.";

llvm::Expected<RunOptions> deepshare::parseCommandLine(int Argc, const char *const *Argv) {
  removeForeignOptions();
  RunOptions Result;
  cl::OptionCategory Category("ds-run options");
  cl::opt<std::string, true> Model(cl::Positional, cl::desc("<model.onnx>"), cl::location(Result.Model),
                                   cl::cat(Category));
  cl::list<std::string, std::vector<std::string>> Inputs(
      "input", cl::desc("An input's array: name=file.npy, or file.npz with arrays named like the inputs"),
      cl::value_desc("array"), cl::location(Result.Inputs), cl::cat(Category));
  std::string ImagesText = std::string("Images: ") + ImageFormats;
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
  llvm::Expected<Normalization> Read = Norm.normalization();
  if (!Read)
    return Read.takeError();
  Result.Norm = std::move(*Read);
  return Result;
}
