//===- Numpy.cpp - fuzzes .npy arrays and .npz archives --------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Images.h"

#include "deepshare/Data/Numpy.h"

using namespace deepshare;
using namespace deepshare::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *Data, size_t Size) {
  static const ScratchFolder Folder("numpy");
  std::string Path = Folder.write("input.npz", toText(Data, Size));
  llvm::Expected<std::map<std::string, NumpyArray>> Arrays = readNumpy(Path);
  if (!refused(Arrays.takeError()))
    requireSuccess(writeNpz(*Arrays, Folder.file("again.npz")), "what was read cannot be written");
  readImages(Path);
  return 0;
}
