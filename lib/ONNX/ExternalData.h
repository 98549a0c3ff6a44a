//===- ExternalData.h - tensors in files beside the model -------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_ONNX_EXTERNALDATA_H
#define DEEPSHARE_LIB_ONNX_EXTERNALDATA_H

#include "Proto.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

#include <memory>
#include <optional>

namespace deepshare::onnx {

/// Maps the external data files of one model.
class ExternalDataReader {
public:
  /// \p Folder is the model's; locations are relative to it.
  explicit ExternalDataReader(llvm::StringRef Folder) : Folder(Folder.empty() ? "." : Folder.str()) {}

  struct Bytes {
    llvm::ArrayRef<char> View;
    std::shared_ptr<const void> Owner;
  };
  /// The bytes that the tensor's `external_data` entries name; \p ExpectedSize of them if the entries do not say how
  /// many. A location that is absolute or leaves the folder, and a range past the file's end, are errors.
  llvm::Expected<Bytes> read(const TensorProto &P, std::optional<uint64_t> ExpectedSize);

  /// The paths of the files that were read, links followed, sorted.
  std::vector<std::string> paths() const;

private:
  llvm::Expected<std::shared_ptr<llvm::MemoryBuffer>> open(llvm::StringRef Location);

  std::string Folder;
  struct File {
    std::string Path;
    std::shared_ptr<llvm::MemoryBuffer> Buffer;
  };
  llvm::StringMap<File> Files; ///< by location
};

/// Collects tensors' bytes in one stream.
class ExternalDataWriter {
public:
  /// Smaller tensors stay inside the model, as the ONNX library does it.
  static constexpr size_t Threshold = 1024;

  /// \p Location is what the tensors will name: the file's name without folder.
  ExternalDataWriter(llvm::raw_ostream &Stream, llvm::StringRef Location) : Stream(Stream), Location(Location) {}

  /// Writes \p Bytes and makes \p P name them.
  void write(llvm::ArrayRef<char> Bytes, TensorProto &P);

private:
  llvm::raw_ostream &Stream;
  std::string Location;
  uint64_t Position = 0;
};

} // namespace deepshare::onnx

#endif // DEEPSHARE_LIB_ONNX_EXTERNALDATA_H
