//===- Records.cpp - fuzzes MNIST idx files and CIFAR batches --------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// The input's first byte says what the rest is: 'c' a CIFAR batch, 'i' idx images, 'l' the idx labels of the images
// below, 'z' idx images in gzip's format, which the target packs so that its checksum is right.
//
//===----------------------------------------------------------------------===//

#include "Images.h"

#include <zlib.h>

using namespace deepshare;
using namespace deepshare::fuzz;

/// Two images of 1x2.
static constexpr char Images[] = "\0\0\x08\x03\0\0\0\x02\0\0\0\x01\0\0\0\x02\x01\x02\x03\x04";

static std::string writeGzip(const ScratchFolder &Folder, llvm::StringRef Bytes) {
  std::string Path = Folder.file("images-idx3-ubyte.gz");
  gzFile File = gzopen(Path.c_str(), "wb");
  if (!Bytes.empty())
    gzwrite(File, Bytes.data(), Bytes.size());
  gzclose(File);
  return Path;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *Data, size_t Size) {
  static const ScratchFolder Folder("records");
  llvm::StringRef Bytes = toText(Data, Size);
  if (Bytes.empty())
    return 0;
  char Kind = Bytes.front();
  Bytes = Bytes.drop_front();
  llvm::sys::fs::remove(Folder.file("labels-idx1-ubyte"));
  if (Kind == 'c') {
    readImages(Folder.write("batch.bin", Bytes));
  } else if (Kind == 'z') {
    readImages(writeGzip(Folder, Bytes));
  } else if (Kind == 'l') {
    Folder.write("labels-idx1-ubyte", Bytes);
    readImages(Folder.write("images-idx3-ubyte", llvm::StringRef(Images, sizeof(Images) - 1)));
  } else {
    readImages(Folder.write("images-idx3-ubyte", Bytes));
  }
  return 0;
}
