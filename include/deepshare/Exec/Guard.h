//===- Guard.h - the boundary of ATen's exceptions --------------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_EXEC_GUARD_H
#define DEEPSHARE_EXEC_GUARD_H

#include "llvm/Support/Error.h"

#include <c10/util/Exception.h>

#include <utility>

namespace deepshare {

/// Calls \p F, which returns an llvm::Error or llvm::Expected; what it throws becomes the error "<What>: <reason>".
template <typename Function> auto guarded(llvm::StringRef What, Function F) -> decltype(F()) {
  auto Fail = [&](llvm::StringRef Reason) {
    return llvm::createStringError(llvm::inconvertibleErrorCode(), What + ": " + Reason.rtrim());
  };
  try {
    return F();
  } catch (const c10::Error &E) {
    return Fail(E.what_without_backtrace());
  } catch (const std::exception &E) {
    return Fail(E.what());
  }
}

} // namespace deepshare

#endif // DEEPSHARE_EXEC_GUARD_H
