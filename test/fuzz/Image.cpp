//===- Image.cpp - fuzzes images of a folder -------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Images.h"

using namespace deepshare::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *Data, size_t Size) {
  static const ScratchFolder Folder("image");
  Folder.write("image.png", toText(Data, Size));
  readImages(Folder.path());
  return 0;
}
