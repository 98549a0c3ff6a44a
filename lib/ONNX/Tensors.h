//===- Tensors.h - TensorProto and Tensor -----------------------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_ONNX_TENSORS_H
#define DEEPSHARE_LIB_ONNX_TENSORS_H

#include "ExternalData.h"
#include "Proto.h"
#include "RawData.h"

#include "deepshare/IR/Tensor.h"

namespace deepshare::onnx {

/// Where an import finds tensors' bytes.
struct TensorSource {
  const StrippedModel &Stripped;
  /// What keeps the bytes of Stripped.RawData alive.
  std::shared_ptr<const void> Owner;
  ExternalDataReader &External;
};

/// An error, naming the tensor by \p Name, unless \p Type is one of ONNX's element types, whether or not the IR knows
/// it.
llvm::Error checkElementType(int32_t Type, llvm::StringRef Name);

/// Reads a tensor whose `raw_data`, if any, is a token of Source.Stripped. Errors name the tensor by \p Name. Clears
/// the modelled fields of \p P but not its name.
llvm::Expected<Tensor> readTensor(TensorProto &P, llvm::StringRef Name, const TensorSource &Source);

/// What an export does with tensors' bytes.
struct TensorSink {
  /// If not null, tensors of at least `Threshold` bytes go there.
  ExternalDataWriter *External = nullptr;
  /// Leave out the bytes of larger tensors: for shape inference, which needs only the dimensions of these.
  std::optional<size_t> LargestKept;
};

/// Makes \p P describe \p T; the name stays as unmodelled() has it.
void writeTensor(const Tensor &T, TensorProto &P, const TensorSink &Sink);

} // namespace deepshare::onnx

#endif // DEEPSHARE_LIB_ONNX_TENSORS_H
