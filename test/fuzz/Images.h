//===- Images.h - reads all of an image set ---------------------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_TEST_FUZZ_IMAGES_H
#define DEEPSHARE_TEST_FUZZ_IMAGES_H

#include "Fuzz.h"

#include "deepshare/Data/ImageSet.h"

#include <vector>

namespace deepshare::fuzz {

/// Opens an image set and reads the first and the last image with their labels. May be refused.
inline void readImages(llvm::StringRef Path) {
  llvm::Expected<std::unique_ptr<ImageSet>> Set = openImageSet(Path, {});
  if (refused(Set.takeError()) || (*Set)->size() == 0)
    return;
  uint64_t Elements = 1;
  for (int64_t Size : (*Set)->shape())
    Elements *= Size;
  // What an image set says that it holds, it has in a file: no shape is out of thin air.
  require(Elements < (1 << 28), "images of " + llvm::Twine(Elements) + " elements");
  std::vector<float> Pixels(Elements);
  std::vector<int64_t> Labels;
  for (uint64_t Index : {uint64_t(0), (*Set)->size() - 1}) {
    refused((*Set)->batch({Index}, Pixels));
    if ((*Set)->hasLabels())
      (*Set)->labels(Index, Labels);
  }
}

} // namespace deepshare::fuzz

#endif // DEEPSHARE_TEST_FUZZ_IMAGES_H
