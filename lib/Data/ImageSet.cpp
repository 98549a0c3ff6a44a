//===- ImageSet.cpp - finds out what an image set is ----------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Data/ImageSet.h"

#include "Formats.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace deepshare;
using namespace deepshare::data;

ImageSet::~ImageSet() = default;

/// The CIFAR batches of a folder: the training batches if there are any (the test batch, which lies beside them in the
/// published archives, must never slip into training), else every .bin file.
static llvm::Expected<std::vector<std::string>> cifarBatches(llvm::StringRef Folder) {
  std::vector<std::string> All, Training;
  std::error_code Code;
  for (llvm::sys::fs::directory_iterator It(Folder, Code), End; It != End && !Code; It.increment(Code)) {
    llvm::StringRef Name = llvm::sys::path::filename(It->path());
    if (!Name.ends_with(".bin"))
      continue;
    All.push_back(It->path());
    if (Name.starts_with("data_batch_") || Name == "train.bin")
      Training.push_back(It->path());
  }
  if (Code)
    return fileError(Folder, Code.message());
  std::vector<std::string> &Chosen = Training.empty() ? All : Training;
  llvm::sort(Chosen);
  return Chosen;
}

llvm::Expected<std::unique_ptr<ImageSet>> deepshare::openImageSet(llvm::StringRef Path, const Normalization &Norm,
                                                                  llvm::ArrayRef<std::string> Parts) {
  if (llvm::sys::fs::is_directory(Path)) {
    llvm::Expected<std::vector<std::string>> Batches = cifarBatches(Path);
    if (!Batches)
      return Batches.takeError();
    return Batches->empty() ? openImageFolder(Path, Norm) : openCifar(Path, *Batches, Norm);
  }
  llvm::Expected<Bytes> File = mapFile(Path);
  if (!File)
    return File.takeError();
  llvm::StringRef Data = File->Data;
  if (Data.starts_with("\x93NUMPY"))
    return openNpy(Path, std::move(*File), Norm);
  if (Data.starts_with("PK"))
    return openNpz(Path, Norm, Parts);
  if (Path.ends_with(".bin"))
    return openCifar(Path, {Path.str()}, Norm);
  if (Data.starts_with("\x1f\x8b") || Data.starts_with(llvm::StringRef("\0\0", 2)))
    return openIdx(Path, Norm);
  return fileError(Path, "is no image set: expected a .npy or .npz file, MNIST idx, CIFAR binary (.bin) or a folder of "
                         "PNG or JPEG files");
}
