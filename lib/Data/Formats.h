//===- Formats.h - the readers behind openImageSet --------------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_DATA_FORMATS_H
#define DEEPSHARE_LIB_DATA_FORMATS_H

#include "deepshare/Data/ImageSet.h"

#include "llvm/ADT/Twine.h"

#include <array>

namespace deepshare::data {

/// "<Path>: <Reason>"
llvm::Error fileError(llvm::StringRef Path, const llvm::Twine &Reason);

/// Product of \p Sizes, or nothing if one is negative or it overflows.
std::optional<uint64_t> product(llvm::ArrayRef<int64_t> Sizes);

/// Bytes that something else keeps alive.
struct Bytes {
  llvm::StringRef Data;
  std::shared_ptr<const void> Owner;
};
/// Maps a file.
llvm::Expected<Bytes> mapFile(llvm::StringRef Path);
/// Memory for \p Size bytes, not yet written; nothing if there is not enough.
std::shared_ptr<char[]> allocate(uint64_t Size);

/// A Normalization that was checked against a set's channels.
class Normalizer {
public:
  /// \p Channels: the first dimension of the set's shape.
  static llvm::Expected<Normalizer> create(const Normalization &Norm, int64_t Channels, llvm::StringRef Path);
  float fromFloat(float Value, size_t Channel) const {
    return Mean.empty() ? Value : (Value - Mean[Channel]) / Std[Channel];
  }
  /// The 256 results for bytes of a channel.
  llvm::ArrayRef<float> byteTable(size_t Channel) const { return Tables[Mean.empty() ? 0 : Channel]; }

private:
  std::vector<float> Mean, Std;
  std::vector<std::array<float, 256>> Tables;
};

enum class PixelType { UInt8, Float32, Float64 };

/// Records of one size, in pieces of memory.
struct Records {
  std::string Path;
  /// Of one image as batch() gives it.
  std::vector<int64_t> Shape;
  PixelType Type = PixelType::UInt8;
  /// Stored [H,W,C] although the shape is [C,H,W].
  bool ChannelsLast = false;
  struct Chunk {
    const char *First;
    uint64_t Count;
  };
  std::vector<Chunk> Chunks;
  /// Bytes from one record to the next.
  size_t Stride = 0;
  /// A label an image; or as many as LabelShape has elements.
  std::vector<int64_t> Labels;
  std::vector<int64_t> LabelShape;
  std::vector<std::shared_ptr<const void>> Owners;
};
llvm::Expected<std::unique_ptr<ImageSet>> makeRecordSet(Records R, const Normalization &Norm);

llvm::Expected<std::unique_ptr<ImageSet>> openNpy(llvm::StringRef Path, Bytes File, const Normalization &Norm);
llvm::Expected<std::unique_ptr<ImageSet>> openNpz(llvm::StringRef Path, const Normalization &Norm,
                                                  llvm::ArrayRef<std::string> Parts);
llvm::Expected<std::unique_ptr<ImageSet>> openIdx(llvm::StringRef Path, const Normalization &Norm);
/// \p Files: the batches, in order; \p Path is for messages.
llvm::Expected<std::unique_ptr<ImageSet>> openCifar(llvm::StringRef Path, llvm::ArrayRef<std::string> Files,
                                                    const Normalization &Norm);
llvm::Expected<std::unique_ptr<ImageSet>> openImageFolder(llvm::StringRef Path, const Normalization &Norm);

} // namespace deepshare::data

#endif // DEEPSHARE_LIB_DATA_FORMATS_H
