//===- ExternalData.cpp - tensors in files beside the model ---------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "ExternalData.h"

#include "deepshare/Support/TextFile.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <fmt/format.h>

using namespace deepshare;
using namespace deepshare::onnx;

// ONNX asks for offsets that are multiples of the page size, so that readers can map single tensors.
static constexpr uint64_t PageSize = 4096;

llvm::Expected<std::shared_ptr<llvm::MemoryBuffer>> ExternalDataReader::open(llvm::StringRef Location) {
  File &Known = Files[Location];
  if (Known.Buffer)
    return Known.Buffer;
  namespace path = llvm::sys::path;
  namespace fs = llvm::sys::fs;
  if (Location.empty() || Location.contains('\0'))
    return llvm::createStringError("its external data has no usable location");
  if (path::is_absolute(Location))
    return llvm::createStringError(fmt::format(
        "external data '{}' is named by an absolute path; expected one inside the model's folder", Location.str()));
  if (llvm::is_contained(llvm::make_range(path::begin(Location), path::end(Location)), ".."))
    return llvm::createStringError(fmt::format("external data '{}' leaves the model's folder by '..'", Location.str()));

  llvm::SmallString<128> Path(Folder), RealFile, RealFolder;
  path::append(Path, Location);
  if (std::error_code Code = fs::real_path(Folder, RealFolder))
    return llvm::createStringError(fmt::format("cannot find the model's folder '{}': {}", Folder, Code.message()));
  if (std::error_code Code = fs::real_path(Path, RealFile))
    return llvm::createStringError(fmt::format("cannot open external data '{}': {}", Path.str().str(), Code.message()));
  if (!RealFolder.ends_with("/"))
    RealFolder += '/';
  if (fs::is_directory(RealFile))
    return llvm::createStringError(
        fmt::format("external data '{}' is a folder; expected a file in the model's folder", Path.str().str()));
  if (!RealFile.starts_with(RealFolder))
    return llvm::createStringError(fmt::format("external data '{}' is a link that leaves the model's folder (to '{}')",
                                               Path.str().str(), RealFile.str().str()));
  if (!fs::is_regular_file(RealFile))
    return llvm::createStringError(fmt::format("external data '{}' is not a file", Path.str().str()));
  llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>> Buffer = mapFile(RealFile);
  if (!Buffer)
    return llvm::createStringError(
        fmt::format("cannot read external data '{}': {}", Path.str().str(), llvm::toString(Buffer.takeError())));
  Known = {RealFile.str().str(), std::move(*Buffer)};
  return Known.Buffer;
}

std::vector<std::string> ExternalDataReader::paths() const {
  std::vector<std::string> Paths;
  for (const auto &Entry : Files)
    Paths.push_back(Entry.second.Path);
  llvm::sort(Paths);
  return Paths;
}

llvm::Expected<ExternalDataReader::Bytes> ExternalDataReader::read(const TensorProto &P,
                                                                   std::optional<uint64_t> ExpectedSize) {
  llvm::StringRef Location;
  uint64_t Offset = 0;
  std::optional<uint64_t> Length;
  for (const StringStringEntryProto &Entry : P.external_data()) {
    if (Entry.key() == "location") {
      Location = Entry.value();
    } else if (Entry.key() == "offset" || Entry.key() == "length") {
      uint64_t Number = 0;
      if (llvm::StringRef(Entry.value()).getAsInteger(10, Number))
        return llvm::createStringError(
            fmt::format("expected a number as {} of its external data, got '{}'", Entry.key(), Entry.value()));
      if (Entry.key() == "offset")
        Offset = Number;
      else
        Length = Number;
    }
  }
  llvm::Expected<std::shared_ptr<llvm::MemoryBuffer>> File = open(Location);
  if (!File)
    return File.takeError();
  uint64_t Size = (*File)->getBufferSize();
  uint64_t Rest = Offset <= Size ? Size - Offset : 0;
  uint64_t Wanted = Length ? *Length : ExpectedSize.value_or(Rest);
  if (Offset > Size || Wanted > Rest)
    return llvm::createStringError(fmt::format("expected {} bytes at offset {} of external data '{}', got a file of {}",
                                               Wanted, Offset, Location.str(), Size));
  return Bytes{{(*File)->getBufferStart() + Offset, Wanted}, *File};
}

static void addEntry(TensorProto &P, const char *Key, std::string Value) {
  StringStringEntryProto &Entry = *P.add_external_data();
  Entry.set_key(Key);
  Entry.set_value(std::move(Value));
}

void ExternalDataWriter::write(llvm::ArrayRef<char> Bytes, TensorProto &P) {
  uint64_t Padding = (PageSize - Position % PageSize) % PageSize;
  Stream.write_zeros(Padding);
  Position += Padding;
  P.set_data_location(TensorProto::EXTERNAL);
  addEntry(P, "location", Location);
  addEntry(P, "offset", std::to_string(Position));
  addEntry(P, "length", std::to_string(Bytes.size()));
  Stream.write(Bytes.data(), Bytes.size());
  Position += Bytes.size();
}
