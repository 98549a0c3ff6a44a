//===- Proto.h - ONNX's protobuf classes ------------------------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// How the bytes behind unmodelled() work: they are a message of the same type as what they belong to, with the fields
// that the IR models cleared. Export parses them first and then sets the modelled fields. A modelled field stays in
// them where only so its exact form survives (present but empty, "ai.onnx" for "", ...): export leaves a field alone
// that says already what the IR says.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_ONNX_PROTO_H
#define DEEPSHARE_LIB_ONNX_PROTO_H

#include "onnx/onnx_pb.h"

#include "llvm/ADT/StringRef.h"

#include <string>

namespace deepshare::onnx {

using namespace onnx_deepshare;

/// The serialised form of \p P, which has fields cleared and is often empty.
template <typename Proto> std::string remainder(const Proto &P) {
  return P.ByteSizeLong() ? P.SerializePartialAsString() : std::string();
}

/// Parses what remainder() wrote.
template <typename Proto> void restore(Proto &P, llvm::StringRef Bytes) {
  P.Clear();
  if (!Bytes.empty())
    P.ParsePartialFromArray(Bytes.data(), Bytes.size());
}

/// The domain as the IR writes it: ONNX's own is "".
inline llvm::StringRef canonicalDomain(const std::string &Domain) {
  return Domain == "ai.onnx" ? llvm::StringRef() : llvm::StringRef(Domain);
}

} // namespace deepshare::onnx

#endif // DEEPSHARE_LIB_ONNX_PROTO_H
