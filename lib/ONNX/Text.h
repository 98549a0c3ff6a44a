//===- Text.h - ONNX text syntax --------------------------------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_ONNX_TEXT_H
#define DEEPSHARE_LIB_ONNX_TEXT_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <string>

namespace deepshare::onnx {

/// Parses ONNX text to a serialised ModelProto.
llvm::Expected<std::string> parseText(llvm::StringRef Text);

} // namespace deepshare::onnx

#endif // DEEPSHARE_LIB_ONNX_TEXT_H
