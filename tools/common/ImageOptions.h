//===- ImageOptions.h - command line options about images -------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_TOOLS_COMMON_IMAGEOPTIONS_H
#define DEEPSHARE_TOOLS_COMMON_IMAGEOPTIONS_H

#include "deepshare/Data/ImageSet.h"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Error.h"

#include <string>

namespace deepshare {

/// What image sets --images and the like take, for the description of an option.
inline constexpr char ImageFormats[] = ".npy, .npz, MNIST idx, CIFAR binary, or a folder of PNG or JPEG files";

/// The options --mean and --std, for as long as the object lives.
class NormalizationOptions {
public:
  explicit NormalizationOptions(llvm::cl::OptionCategory &Category);
  /// What they say, once the command line was read.
  llvm::Expected<Normalization> normalization() const;

private:
  llvm::cl::opt<std::string> Mean, Std;
};

} // namespace deepshare

#endif // DEEPSHARE_TOOLS_COMMON_IMAGEOPTIONS_H
