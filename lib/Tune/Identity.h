//===- Identity.h - which training a checkpoint is of -----------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_TUNE_IDENTITY_H
#define DEEPSHARE_LIB_TUNE_IDENTITY_H

#include "deepshare/Tune/Training.h"

#include <string>

namespace deepshare::tune {

/// The parts in which one trainingIdentity() differs from another, for messages: "another teacher and other options".
/// Empty if they are equal.
std::string differences(llvm::StringRef Stored, llvm::StringRef Own);

} // namespace deepshare::tune

#endif // DEEPSHARE_LIB_TUNE_IDENTITY_H
