//===- ImageOptions.cpp - command line options about images ---------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "ImageOptions.h"

#include "CommandLine.h"

using namespace deepshare;
namespace cl = llvm::cl;

NormalizationOptions::NormalizationOptions(cl::OptionCategory &Category)
    : Mean("mean", cl::desc("Mean of each channel, for images scaled to 0..1"), cl::value_desc("a,b,c"),
           cl::cat(Category)),
      Std("std", cl::desc("Standard deviation of each channel"), cl::value_desc("a,b,c"), cl::cat(Category)) {}

llvm::Expected<Normalization> NormalizationOptions::normalization() const {
  llvm::Expected<std::vector<float>> Means = parseNumbers("mean", Mean);
  if (!Means)
    return Means.takeError();
  llvm::Expected<std::vector<float>> Deviations = parseNumbers("std", Std);
  if (!Deviations)
    return Deviations.takeError();
  return Normalization{std::move(*Means), std::move(*Deviations)};
}
