//===- Error.h - errors with a message -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_SUPPORT_ERROR_H
#define DEEPSHARE_SUPPORT_ERROR_H

#include "llvm/ADT/Twine.h"
#include "llvm/Support/Error.h"

namespace deepshare {

/// An error that says \p Message as it stands (llvm::createStringError takes a literal for a format of printf).
inline llvm::Error makeError(const llvm::Twine &Message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), Message);
}

} // namespace deepshare

#endif // DEEPSHARE_SUPPORT_ERROR_H
