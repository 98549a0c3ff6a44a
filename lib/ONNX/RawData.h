//===- RawData.h - separates tensors' bytes from a serialised model -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_ONNX_RAWDATA_H
#define DEEPSHARE_LIB_ONNX_RAWDATA_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"

#include <optional>
#include <string>
#include <vector>

namespace deepshare::onnx {

/// A serialised ModelProto without the bytes of its tensors.
struct StrippedModel {
  /// The message; every `raw_data` of a dense tensor in the main graph, its subgraphs and the functions holds a token
  /// (see rawDataAt) instead of the bytes.
  std::string Bytes;
  /// The bytes taken out: views of the model that was stripped.
  std::vector<llvm::ArrayRef<char>> RawData;

  /// The bytes that \p Token stands for; nothing if it is no token.
  std::optional<llvm::ArrayRef<char>> rawDataAt(llvm::StringRef Token) const;
};

/// Takes the tensors' bytes out of the serialised ModelProto \p Model, so that protobuf need not copy them and so
/// that a model may exceed protobuf's 2 GiB. Errors: what is no protobuf message, or is cut off.
llvm::Expected<StrippedModel> stripRawData(llvm::ArrayRef<char> Model);

} // namespace deepshare::onnx

#endif // DEEPSHARE_LIB_ONNX_RAWDATA_H
