//===- Cifar.cpp - CIFAR-10's and CIFAR-100's binary batches --------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// A record is one label byte (CIFAR-10) or a coarse and a fine one (CIFAR-100; the fine one is the label), then 3,072
// bytes of pixels, channels first (https://www.cs.toronto.edu/~kriz/cifar.html).
//
//===----------------------------------------------------------------------===//

#include "Formats.h"

using namespace deepshare;
using namespace deepshare::data;

static constexpr size_t PixelBytes = 3 * 32 * 32;

/// True if \p Data holds whole records with \p LabelBytes label bytes, whose labels are in range.
static bool fits(llvm::StringRef Data, size_t LabelBytes) {
  size_t Stride = LabelBytes + PixelBytes;
  if (Data.size() % Stride != 0)
    return false;
  for (size_t At = 0; At < Data.size(); At += Stride) {
    auto First = static_cast<uint8_t>(Data[At]), Second = static_cast<uint8_t>(Data[At + 1]);
    if (LabelBytes == 1 ? First >= 10 : First >= 20 || Second >= 100)
      return false;
  }
  return true;
}

llvm::Expected<std::unique_ptr<ImageSet>> data::openCifar(llvm::StringRef Path, llvm::ArrayRef<std::string> Files,
                                                          const Normalization &Norm) {
  Records R;
  R.Path = Path.str();
  R.Shape = {3, 32, 32};
  size_t LabelBytes = 0;
  for (llvm::StringRef File : Files) {
    llvm::Expected<Bytes> Content = mapFile(File);
    if (!Content)
      return Content.takeError();
    llvm::StringRef Data = Content->Data;
    if (Data.empty())
      return fileError(File, "is empty");
    size_t Found = fits(Data, 1) ? 1 : fits(Data, 2) ? 2 : 0;
    if (!Found)
      return fileError(File, "is no CIFAR batch: its " + llvm::Twine(Data.size()) +
                                 " bytes are not whole records of 3073 (CIFAR-10) or 3074 (CIFAR-100) bytes with "
                                 "labels in range");
    if (LabelBytes && Found != LabelBytes)
      return fileError(File, "mixes CIFAR-10 and CIFAR-100 batches");
    LabelBytes = Found;
    R.Stride = LabelBytes + PixelBytes;
    R.Chunks.push_back({Data.data() + LabelBytes, Data.size() / R.Stride});
    R.Owners.push_back(Content->Owner);
    for (size_t At = LabelBytes - 1; At < Data.size(); At += R.Stride)
      R.Labels.push_back(static_cast<uint8_t>(Data[At]));
  }
  return makeRecordSet(std::move(R), Norm);
}
