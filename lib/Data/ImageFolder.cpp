//===- ImageFolder.cpp - folders of PNG and JPEG files --------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Files are decoded when a batch needs them. Every image becomes RGB: grey is repeated, alpha is dropped, 16 bits
// become 8. Other files in the folders are left alone.
//
//===----------------------------------------------------------------------===//

#include "Formats.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

#include <stb_image.h>

#include <cassert>
#include <climits>

using namespace deepshare;
using namespace deepshare::data;

namespace {

/// The image files and the subfolders of a folder, each sorted by name; hidden ones are left out.
llvm::Error list(llvm::StringRef Folder, std::vector<std::string> &Images, std::vector<std::string> &Folders) {
  std::error_code Code;
  for (llvm::sys::fs::directory_iterator It(Folder, Code), End; It != End && !Code; It.increment(Code)) {
    llvm::StringRef Path = It->path(), Extension = llvm::sys::path::extension(Path);
    if (llvm::sys::path::filename(Path).starts_with("."))
      continue;
    if (llvm::sys::fs::is_directory(Path))
      Folders.push_back(Path.str());
    else if (Extension.equals_insensitive(".png") || Extension.equals_insensitive(".jpg") ||
             Extension.equals_insensitive(".jpeg"))
      Images.push_back(Path.str());
  }
  if (Code)
    return fileError(Folder, Code.message());
  llvm::sort(Images);
  llvm::sort(Folders);
  return llvm::Error::success();
}

/// Pixels that an image may have: JPEG's largest size takes minutes to decode, from a file of a few bytes.
constexpr int64_t MaxPixels = 1 << 26;

struct ImageSize {
  int Height, Width;
  friend bool operator==(const ImageSize &, const ImageSize &) = default;
};

llvm::Error wrongImageSize(llvm::StringRef Path, ImageSize Expected, ImageSize Got) {
  return fileError(Path, "expected " + llvm::Twine(Expected.Height) + "x" + llvm::Twine(Expected.Width) +
                             " pixels like the folder's first image, got " + llvm::Twine(Got.Height) + "x" +
                             llvm::Twine(Got.Width));
}

llvm::Error decodeError(llvm::StringRef Path) {
  const char *Reason = stbi_failure_reason();
  return fileError(Path, "cannot be decoded as PNG or JPEG: " + llvm::Twine(Reason ? Reason : "unknown reason"));
}

llvm::Expected<ImageSize> readSize(const std::string &Path) {
  ImageSize Size;
  int Channels;
  if (!stbi_info(Path.c_str(), &Size.Width, &Size.Height, &Channels))
    return decodeError(Path);
  if (int64_t(Size.Width) * Size.Height > MaxPixels)
    return fileError(Path, "expected at most " + llvm::Twine(MaxPixels) + " pixels, got " + llvm::Twine(Size.Height) +
                               "x" + llvm::Twine(Size.Width));
  return Size;
}

class FolderSet final : public ImageSet {
public:
  FolderSet(std::vector<std::string> Paths, std::vector<int64_t> Labels, ImageSize Size, Normalizer Norm)
      : Paths(std::move(Paths)), Labels(std::move(Labels)), Shape{3, Size.Height, Size.Width}, Size(Size),
        Norm(std::move(Norm)) {}

  uint64_t size() const override { return Paths.size(); }
  llvm::ArrayRef<int64_t> shape() const override { return Shape; }
  bool hasLabels() const override { return !Labels.empty(); }
  int64_t label(uint64_t Index) const override { return Labels[Index]; }

  llvm::Error batch(llvm::ArrayRef<uint64_t> Indices, llvm::MutableArrayRef<float> Into) const override {
    assert(Into.size() == Indices.size() * *product(Shape) && "the room must fit the images");
    float *Out = Into.data();
    for (uint64_t Index : Indices)
      if (llvm::Error E = decode(Paths[Index], Out))
        return E;
    return llvm::Error::success();
  }

private:
  llvm::Error decode(llvm::StringRef Path, float *&Out) const {
    llvm::Expected<Bytes> File = mapFile(Path);
    if (!File)
      return File.takeError();
    if (File->Data.size() > INT_MAX)
      return fileError(Path, "is too large for an image");
    // The file may have changed since the set was opened.
    llvm::Expected<ImageSize> Now = readSize(Path.str());
    if (!Now)
      return Now.takeError();
    ImageSize Got;
    int Channels;
    std::unique_ptr<stbi_uc, void (*)(void *)> Pixels(
        stbi_load_from_memory(reinterpret_cast<const stbi_uc *>(File->Data.data()), static_cast<int>(File->Data.size()),
                              &Got.Width, &Got.Height, &Channels, STBI_rgb),
        stbi_image_free);
    if (!Pixels)
      return decodeError(Path);
    if (Got != Size) // the file changed since the set was opened
      return wrongImageSize(Path, Size, Got);
    size_t Positions = size_t(Size.Height) * Size.Width;
    for (size_t Channel = 0; Channel < 3; ++Channel) {
      llvm::ArrayRef<float> Table = Norm.byteTable(Channel);
      for (size_t Position = 0; Position < Positions; ++Position)
        *Out++ = Table[Pixels.get()[Position * 3 + Channel]];
    }
    return llvm::Error::success();
  }

  std::vector<std::string> Paths;
  std::vector<int64_t> Labels;
  std::vector<int64_t> Shape;
  ImageSize Size;
  Normalizer Norm;
};

} // namespace

llvm::Expected<std::unique_ptr<ImageSet>> data::openImageFolder(llvm::StringRef Path, const Normalization &Norm) {
  std::vector<std::string> Images, Classes;
  std::vector<int64_t> Labels;
  if (llvm::Error E = list(Path, Images, Classes))
    return E;
  bool Flat = !Images.empty();
  int64_t Label = 0;
  for (llvm::StringRef Class : Classes) {
    std::vector<std::string> Members, Nested;
    if (llvm::Error E = list(Class, Members, Nested))
      return E;
    if (Members.empty())
      continue; // no class: a folder of other things
    if (Flat)
      return fileError(Path, "holds images beside class folders with images (" + llvm::sys::path::filename(Class) +
                                 "); move them into class folders");
    Labels.insert(Labels.end(), Members.size(), Label++);
    Images.insert(Images.end(), Members.begin(), Members.end());
  }
  if (Images.empty())
    return fileError(Path, "holds no PNG, JPEG or CIFAR .bin files, nor folders of PNG or JPEG files");
  llvm::Expected<ImageSize> Size = readSize(Images.front());
  if (!Size)
    return Size.takeError();
  if (!product({3, Size->Height, Size->Width}) || Size->Height <= 0 || Size->Width <= 0)
    return fileError(Images.front(), "holds no pixels");
  for (const std::string &Image : llvm::drop_begin(Images)) {
    llvm::Expected<ImageSize> Got = readSize(Image);
    if (!Got)
      return Got.takeError();
    if (*Got != *Size)
      return wrongImageSize(Image, *Size, *Got);
  }
  llvm::Expected<Normalizer> Checked = Normalizer::create(Norm, 3, Path);
  if (!Checked)
    return Checked.takeError();
  return std::make_unique<FolderSet>(std::move(Images), std::move(Labels), *Size, std::move(*Checked));
}
