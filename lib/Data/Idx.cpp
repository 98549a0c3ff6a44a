//===- Idx.cpp - MNIST's idx files ----------------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// An idx file is two zero bytes, the element type (8: bytes), the rank, the sizes as 32-bit big-endian numbers, and the
// elements (http://yann.lecun.com/exdb/mnist). Any of them may be gzipped.
//
//===----------------------------------------------------------------------===//

#include "Formats.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <zlib.h>

using namespace deepshare;
using namespace deepshare::data;

namespace {

/// Unpacks a gzip file. The size is not known before: room grows with what really comes out.
llvm::Expected<Bytes> unpack(llvm::StringRef Path) {
  std::unique_ptr<gzFile_s, int (*)(gzFile)> File(gzopen(Path.str().c_str(), "rb"), gzclose);
  if (!File)
    return fileError(Path, "cannot open");
  auto Unpacked = std::make_shared<std::vector<char>>();
  constexpr size_t Step = 1 << 20;
  // The largest published idx file (EMNIST) has 0.6 GB.
  constexpr size_t Limit = size_t(1) << 30, FreeSize = size_t(1) << 26;
  size_t Size = 0;
  for (;;) {
    Unpacked->resize(Size + Step);
    int Got = gzread(File.get(), Unpacked->data() + Size, Step);
    if (Got < 0) {
      int Code;
      return fileError(Path, gzerror(File.get(), &Code));
    }
    Size += Got;
    if (static_cast<size_t>(Got) < Step)
      break;
    // No images pack so well, but zeros that fill memory do.
    if (Size > FreeSize && static_cast<z_off_t>(Size / 100) > gzoffset(File.get()))
      return fileError(Path, "unpacks to more than 100 times its size");
    if (Size > Limit)
      return fileError(Path, "unpacks to more than 1 GiB; unpack it, so that it can be mapped");
  }
  // gzread reports a file that ends early as a short read with an error on the side.
  int Code = Z_OK;
  const char *Message = gzerror(File.get(), &Code);
  if (Code != Z_OK && Code != Z_STREAM_END)
    return fileError(Path, Code == Z_BUF_ERROR ? "truncated" : Message);
  Unpacked->resize(Size);
  return Bytes{llvm::StringRef(Unpacked->data(), Size), Unpacked};
}

struct IdxArray {
  std::vector<int64_t> Shape;
  Bytes Elements;
};

llvm::Expected<IdxArray> readIdx(llvm::StringRef Path) {
  llvm::Expected<Bytes> File = mapFile(Path);
  if (!File)
    return File.takeError();
  if (File->Data.starts_with("\x1f\x8b"))
    File = unpack(Path);
  if (!File)
    return File.takeError();
  llvm::StringRef Rest = File->Data;
  if (Rest.size() < 4 || Rest[0] != 0 || Rest[1] != 0)
    return fileError(Path, "is no idx file");
  if (Rest[2] != 8)
    return fileError(Path, "expected an idx file of bytes (type 8), got type " + llvm::Twine(int(uint8_t(Rest[2]))));
  size_t Rank = static_cast<uint8_t>(Rest[3]);
  Rest = Rest.drop_front(4);
  if (Rest.size() < Rank * 4)
    return fileError(Path, "truncated idx header");
  IdxArray Result;
  for (size_t Axis = 0; Axis < Rank; ++Axis)
    Result.Shape.push_back(llvm::support::endian::read32be(Rest.data() + Axis * 4));
  Rest = Rest.drop_front(Rank * 4);
  std::optional<uint64_t> Size = product(Result.Shape);
  if (!Size)
    return fileError(Path, "the array's shape is too large");
  if (Rest.size() != *Size)
    return fileError(Path, (Rest.size() < *Size ? "truncated: expected " : "expected ") + llvm::Twine(*Size) +
                               " bytes of elements, got " + llvm::Twine(Rest.size()));
  Result.Elements = {Rest, std::move(File->Owner)};
  return Result;
}

/// The labels file that belongs to an images file by the names of MNIST and its successors; empty if there is none.
std::string labelsBeside(llvm::StringRef Images) {
  std::string Name = llvm::sys::path::filename(Images).str();
  size_t At = Name.rfind("images");
  if (At == std::string::npos)
    return "";
  Name.replace(At, 6, "labels");
  if (size_t Rank = Name.find("idx3"); Rank != std::string::npos)
    Name.replace(Rank, 4, "idx1");
  llvm::StringRef Bare = Name;
  Bare.consume_back(".gz");
  for (const std::string &Candidate : {Name, Bare.str(), Bare.str() + ".gz"}) {
    llvm::SmallString<128> Path(llvm::sys::path::parent_path(Images));
    llvm::sys::path::append(Path, Candidate);
    if (llvm::sys::fs::exists(Path))
      return Path.str().str();
  }
  return "";
}

} // namespace

llvm::Expected<std::unique_ptr<ImageSet>> data::openIdx(llvm::StringRef Path, const Normalization &Norm) {
  llvm::Expected<IdxArray> Images = readIdx(Path);
  if (!Images)
    return Images.takeError();
  if (Images->Shape.size() != 3)
    return fileError(Path, "expected images of rank 3 (idx3), got rank " + llvm::Twine(Images->Shape.size()));
  Records R;
  R.Path = Path.str();
  R.Shape = {1, Images->Shape[1], Images->Shape[2]};
  R.Stride = Images->Shape[0] ? Images->Elements.Data.size() / Images->Shape[0] : 0;
  R.Chunks = {{Images->Elements.Data.data(), static_cast<uint64_t>(Images->Shape[0])}};
  R.Owners = {Images->Elements.Owner};
  if (std::string LabelsPath = labelsBeside(Path); !LabelsPath.empty()) {
    llvm::Expected<IdxArray> Labels = readIdx(LabelsPath);
    if (!Labels)
      return Labels.takeError();
    if (Labels->Shape.size() != 1)
      return fileError(LabelsPath, "expected labels of rank 1 (idx1), got rank " + llvm::Twine(Labels->Shape.size()));
    if (Labels->Shape[0] != Images->Shape[0])
      return fileError(LabelsPath, "has " + llvm::Twine(Labels->Shape[0]) + " labels for the " +
                                       llvm::Twine(Images->Shape[0]) + " images of " + Path);
    for (char Label : Labels->Elements.Data)
      R.Labels.push_back(static_cast<uint8_t>(Label));
  }
  return makeRecordSet(std::move(R), Norm);
}
