//===- ImageSetTest.cpp - reading image sets ------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Data/ImageSet.h"

#include "Files.h"

#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"

#include <stb_image_write.h>
#include <zip.h>
#include <zlib.h>

#include <numeric>

using namespace deepshare;

namespace {

using Set = std::unique_ptr<ImageSet>;

Set open(llvm::StringRef Path, const Normalization &Norm = {}) {
  llvm::Expected<Set> Result = openImageSet(Path, Norm);
  EXPECT_TRUE(bool(Result)) << llvm::toString(Result.takeError());
  return Result ? std::move(*Result) : nullptr;
}

std::string errorOf(llvm::StringRef Path, const Normalization &Norm = {}) {
  llvm::Expected<Set> Result = openImageSet(Path, Norm);
  if (Result)
    return "";
  return llvm::toString(Result.takeError());
}

#define EXPECT_ERROR(PATH, PART)                                                                                       \
  do {                                                                                                                 \
    std::string Text = errorOf(PATH);                                                                                  \
    EXPECT_NE(Text.find(PART), std::string::npos) << "'" << Text << "'";                                               \
    EXPECT_EQ(Text.find(std::string(PATH).substr(0, std::string(PATH).rfind('/'))), 0u) << Text;                       \
  } while (false)

std::vector<float> read(const ImageSet &Images, std::vector<uint64_t> Indices) {
  size_t Size = Indices.size();
  for (int64_t Dim : Images.shape())
    Size *= Dim;
  std::vector<float> Result(Size);
  llvm::Error E = Images.batch(Indices, Result);
  EXPECT_FALSE(bool(E)) << llvm::toString(std::move(E));
  return Result;
}

struct Member {
  std::string Name, Content;
  bool Deflate = false;
};

std::string writeZip(const TemporaryFolder &Folder, llvm::StringRef Name, const std::vector<Member> &Members) {
  std::string Path = Folder.path(Name);
  int Code;
  zip_t *Zip = zip_open(Path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &Code);
  for (const Member &M : Members) {
    zip_source_t *Source = zip_source_buffer(Zip, M.Content.data(), M.Content.size(), 0);
    int64_t Index = zip_file_add(Zip, M.Name.c_str(), Source, 0);
    zip_set_file_compression(Zip, Index, M.Deflate ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0);
  }
  EXPECT_EQ(zip_close(Zip), 0);
  return Path;
}

std::string readWhole(llvm::StringRef Path) {
  auto File = llvm::MemoryBuffer::getFile(Path);
  return (*File)->getBuffer().str();
}

std::string writePng(const TemporaryFolder &Folder, llvm::StringRef Name, int Height, int Width, int Channels,
                     llvm::StringRef Pixels) {
  std::string Path = Folder.write(Name, "");
  EXPECT_TRUE(stbi_write_png(Path.c_str(), Width, Height, Channels, Pixels.data(), Width * Channels));
  return Path;
}

TEST(Npy, BytesAreChannelsLastAndScaled) {
  TemporaryFolder Folder;
  Set Images = open(Folder.write("a.npy", npy("|u1", "(2, 2, 2, 3)", countingBytes(24))));
  ASSERT_TRUE(Images);
  EXPECT_EQ(Images->size(), 2u);
  EXPECT_EQ(Images->shape(), llvm::ArrayRef<int64_t>({3, 2, 2}));
  EXPECT_FALSE(Images->hasLabels());
  std::vector<float> Values = read(*Images, {1, 0});
  std::vector<int> Expected = {12, 15, 18, 21, 13, 16, 19, 22, 14, 17, 20, 23, 0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11};
  for (size_t Index = 0; Index < Expected.size(); ++Index)
    EXPECT_EQ(Values[Index], Expected[Index] / 255.0f);
}

TEST(Npy, NormalisesEachChannel) {
  TemporaryFolder Folder;
  std::string Path = Folder.write("a.npy", npy("|u1", "(1, 1, 1, 2)", std::string("\x0a\xff", 2)));
  Set Images = open(Path, {{0.5f, 0.25f}, {2.0f, 0.5f}});
  ASSERT_TRUE(Images);
  EXPECT_EQ(read(*Images, {0}), (std::vector<float>{(10 / 255.0f - 0.5f) / 2.0f, (1.0f - 0.25f) / 0.5f}));
  Set Same = open(Path, {{0.5f}, {2.0f}});
  ASSERT_TRUE(Same);
  EXPECT_EQ(read(*Same, {0}), (std::vector<float>{(10 / 255.0f - 0.5f) / 2.0f, (1.0f - 0.5f) / 2.0f}));
  EXPECT_NE(errorOf(Path, {{0, 0, 0}, {1, 1, 1}}).find("of 2 channels, or one of each for all, got 3"),
            std::string::npos);
  EXPECT_NE(errorOf(Path, {{0, 0}, {1}}).find("2 means and 1 standard"), std::string::npos);
  EXPECT_NE(errorOf(Path, {{0, 0}, {1, 0}}).find("positive standard deviations"), std::string::npos);
}

TEST(Npy, FloatsPassAsStored) {
  TemporaryFolder Folder;
  Set Images = open(Folder.write("a.npy", npy("<f4", "(2, 3)", bytesOf<float>({1, 2, 3, 4, 5, 6}))));
  ASSERT_TRUE(Images);
  EXPECT_EQ(Images->shape(), llvm::ArrayRef<int64_t>({3}));
  EXPECT_EQ(read(*Images, {1}), (std::vector<float>{4, 5, 6}));
  Images = open(Folder.write("b.npy", npy("<f8", "(1, 1, 2)", bytesOf<double>({0.5, -2}))), {{1}, {2}});
  ASSERT_TRUE(Images);
  EXPECT_EQ(Images->shape(), llvm::ArrayRef<int64_t>({1, 2}));
  EXPECT_EQ(read(*Images, {0}), (std::vector<float>{-0.25f, -1.5f}));
}

TEST(Npy, GreyBytesGetAChannel) {
  TemporaryFolder Folder;
  Set Images = open(Folder.write("a.npy", npy("|u1", "(3, 2, 2)", countingBytes(12))));
  ASSERT_TRUE(Images);
  EXPECT_EQ(Images->shape(), llvm::ArrayRef<int64_t>({1, 2, 2}));
}

TEST(Npy, RefusesWhatItCannotRead) {
  TemporaryFolder Folder;
  auto File = [&](llvm::StringRef Content) { return Folder.write("x.npy", Content); };
  EXPECT_ERROR(File(npy("<f4", "(1, 2)", std::string(8, 0), "True")), "Fortran order");
  EXPECT_ERROR(File(npy(">f4", "(1, 2)", std::string(8, 0))), "element type '>f4' is not supported");
  EXPECT_ERROR(File(npy("<i4", "(1, 2)", std::string(8, 0))), "images must be uint8, float32 or float64");
  EXPECT_ERROR(File(npy("<f4", "(1, 2)", std::string(7, 0))), "truncated: expected 8 bytes of elements, got 7");
  EXPECT_ERROR(File(npy("<f4", "(1, 2)", std::string(9, 0))), "expected 8 bytes of elements, got 9");
  EXPECT_ERROR(File(npy("<f4", "(2,)", std::string(8, 0))), "shape of [N, ...], got rank 1");
  EXPECT_ERROR(File(npy("<f4", "(0, 2)", "")), "holds no images");
  EXPECT_ERROR(File(npy("<f4", "(2, 0)", "")), "holds no images");
  EXPECT_ERROR(File(npy("<f4", "(-1, 2)", "")), "malformed .npy header");
  EXPECT_ERROR(File(npy("<f4", "(1, 2", "")), "malformed .npy header");
  EXPECT_ERROR(File(npy("<f4", "(4611686018427387904, 4611686018427387904)", "")), "shape is too large");
  EXPECT_ERROR(File(npy("<f4", "(4611686018427387904, 1)", "")), "shape is too large");
  EXPECT_ERROR(File(npy("|u1", "(1, 3, 8, 8)", std::string(192, 0))), "must be [N,H,W,C], got [N,3,8,8]");
  EXPECT_ERROR(File("GIF89a and more"), "is no image set");
  EXPECT_ERROR(File(""), "is no image set");
  EXPECT_ERROR(Folder.path("absent.npy"), "No such file");
}

TEST(Npy, EveryTruncationIsAnError) {
  TemporaryFolder Folder;
  std::string Whole = npy("|u1", "(2, 2, 2, 3)", countingBytes(24));
  for (size_t Length = 0; Length < Whole.size(); ++Length)
    EXPECT_NE(errorOf(Folder.write("t.npy", Whole.substr(0, Length))), "") << Length;
}

TEST(Npy, ChangedHeadersDoNotCrash) {
  TemporaryFolder Folder;
  std::string Whole = npy("|u1", "(2, 2, 2, 3)", countingBytes(24));
  for (size_t At = 0; At < Whole.size() - 24; ++At)
    for (char Byte : {'\0', '\xff', '{', '}', '(', ')', ',', '\'', '9', '-'}) {
      std::string Changed = Whole;
      Changed[At] = Byte;
      llvm::Expected<Set> Result = openImageSet(Folder.write("c.npy", Changed), {});
      if (Result)
        read(**Result, {0});
      else
        llvm::consumeError(Result.takeError());
    }
}

TEST(Npz, StoredAndDeflated) {
  TemporaryFolder Folder;
  for (bool Deflate : {false, true}) {
    Set Images = open(writeZip(Folder, "a.npz",
                               {{"labels.npy", npy("<i8", "(2,)", bytesOf<int64_t>({7, 3})), Deflate},
                                {"images.npy", npy("|u1", "(2, 2, 2, 3)", countingBytes(24)), Deflate},
                                {"other.npy", "nothing", Deflate}}));
    ASSERT_TRUE(Images);
    EXPECT_EQ(Images->size(), 2u);
    ASSERT_TRUE(Images->hasLabels());
    EXPECT_EQ(Images->label(0), 7);
    EXPECT_EQ(Images->label(1), 3);
    EXPECT_EQ(read(*Images, {1})[0], 12 / 255.0f);
  }
}

TEST(Npz, LabelsOfPixels) {
  TemporaryFolder Folder;
  Set Images = open(writeZip(Folder, "a.npz",
                             {{"images.npy", npy("|u1", "(2, 1, 2, 3)", countingBytes(12)), true},
                              {"labels.npy", npy("|u1", "(2, 1, 2)", std::string("\x01\x02\xff\x03", 4)), true}}));
  ASSERT_TRUE(Images);
  EXPECT_TRUE(Images->hasLabels());
  EXPECT_EQ(Images->labelShape(), llvm::ArrayRef<int64_t>({1, 2}));
  std::vector<int64_t> Labels;
  Images->labels(1, Labels);
  Images->labels(0, Labels);
  EXPECT_EQ(Labels, (std::vector<int64_t>{ImageSet::NoLabel, 3, 1, 2}));
  EXPECT_ERROR(writeZip(Folder, "b.npz",
                        {{"images.npy", npy("|u1", "(2, 1, 2, 3)", countingBytes(12)), true},
                         {"labels.npy", npy("|u1", "(1, 1, 4)", "abcd"), true}}),
               "has 2 images but 1 labels");
}

TEST(Npz, PartsForSeveralInputs) {
  TemporaryFolder Folder;
  std::vector<Member> Members = {{"right.npy", npy("<f4", "(2, 3)", bytesOf<float>({1, 2, 3, 4, 5, 6}))},
                                 {"labels.npy", npy("<i8", "(2,)", bytesOf<int64_t>({7, 3}))},
                                 {"left.npy", npy("|u1", "(2, 1, 2, 1)", std::string("\x00\xff\x33\x66", 4))}};
  std::string Path = writeZip(Folder, "a.npz", Members);
  Set Images = llvm::cantFail(openImageSet(Path, {}, {"left", "right"}));
  EXPECT_EQ(Images->size(), 2u);
  EXPECT_EQ(Images->label(1), 3);
  EXPECT_EQ(Images->shape(), llvm::ArrayRef<int64_t>({5}));
  ASSERT_EQ(Images->parts().size(), 2u);
  EXPECT_EQ(Images->parts()[0].Name, "left");
  EXPECT_EQ(Images->parts()[0].Shape, (std::vector<int64_t>{1, 1, 2}));
  EXPECT_EQ(Images->parts()[1].Name, "right");
  EXPECT_EQ(Images->parts()[1].Shape, std::vector<int64_t>{3});
  EXPECT_EQ(read(*Images, {1, 0}), (std::vector<float>{0.2f, 0.4f, 4, 5, 6, 0, 1, 1, 2, 3}));
  Set Last = sampleImages(std::move(Images), 1, 0);
  EXPECT_EQ(Last->parts().size(), 2u);
  auto ErrorOf = [&](std::vector<std::string> Parts) {
    return llvm::toString(openImageSet(Path, {}, Parts).takeError());
  };
  EXPECT_EQ(ErrorOf({"left", "middle"}),
            Path + ": expected an array for each input of the model, 'left', 'middle', got labels, left, right");
  EXPECT_EQ(ErrorOf({"left", "labels"}), Path + "(labels.npy): images must be uint8, float32 or float64, got element "
                                                "type '<i8'");
  Members[0].Content = npy("<f4", "(1, 3)", bytesOf<float>({1, 2, 3}));
  writeZip(Folder, "a.npz", Members);
  EXPECT_EQ(ErrorOf({"left", "right"}), Path + "(right.npy): has 1 images, but 'left' has 2");
}

TEST(Npz, LargeMember) {
  // More than the first piece, which the header is parsed from.
  TemporaryFolder Folder;
  std::vector<float> Values(100000);
  for (size_t Index = 0; Index < Values.size(); ++Index)
    Values[Index] = static_cast<float>(Index);
  Set Images = open(writeZip(Folder, "a.npz", {{"arr_0.npy", npy("<f4", "(10, 1, 100, 100)", bytesOf(Values)), true}}));
  ASSERT_TRUE(Images);
  EXPECT_EQ(read(*Images, {9})[9999], 99999.0f);
}

TEST(Npz, RefusesWhatItCannotRead) {
  TemporaryFolder Folder;
  std::string Images = npy("|u1", "(2, 2, 2, 3)", countingBytes(24));
  auto Zip = [&](const std::vector<Member> &Members) { return writeZip(Folder, "x.npz", Members); };
  EXPECT_ERROR(Zip({{"a.npy", Images}, {"b.npy", Images}}), "expected an array 'images' or a single array, got a, b");
  EXPECT_ERROR(Zip({{"readme.txt", "x"}}), "or a single array, got none");
  EXPECT_ERROR(Zip({{"images.npy", Images}, {"labels.npy", npy("|u1", "(3,)", "abc")}}), "has 2 images but 3 labels");
  EXPECT_ERROR(Zip({{"images.npy", Images}, {"labels.npy", npy("|u1", "(0,)", "")}}), "has 2 images but 0 labels");
  EXPECT_ERROR(Zip({{"images.npy", Images}, {"labels.npy", npy("<f4", "(2,)", "abcdefgh")}}),
               "labels must be integers of shape [N] or [N,H,W]");
  EXPECT_ERROR(Zip({{"images.npy", npy("|u1", "(1000000000000, 2, 2, 3)", "")}}), "truncated: expected");
  EXPECT_ERROR(Zip({{"images.npy", "not an array"}}), "is no .npy array");
  EXPECT_ERROR(Folder.write("x.npz", "PK\x03\x04 and no more"), "");
}

TEST(Npz, RefusesAnImpossibleSize) {
  TemporaryFolder Folder;
  std::string Path = writeZip(Folder, "x.npz", {{"images.npy", npy("|u1", "(2, 2, 2, 3)", countingBytes(24)), true}});
  std::string Whole = readWhole(Path);
  // Both headers (local and central) hold the uncompressed size; the central one counts.
  size_t Central = Whole.find("PK\x01\x02");
  ASSERT_NE(Central, std::string::npos);
  Whole.replace(Central + 24, 4, "\xf0\xff\xff\xff");
  EXPECT_NE(errorOf(Folder.write("x.npz", Whole)), "");
}

TEST(Npz, EveryTruncationIsAnError) {
  TemporaryFolder Folder;
  std::string Whole =
      readWhole(writeZip(Folder, "a.npz", {{"images.npy", npy("|u1", "(2, 2, 2, 3)", countingBytes(24)), true}}));
  for (size_t Length = 0; Length < Whole.size(); ++Length)
    EXPECT_NE(errorOf(Folder.write("t.npz", Whole.substr(0, Length))), "") << Length;
}

TEST(Npz, ChangedBytesDoNotCrash) {
  TemporaryFolder Folder;
  std::string Whole =
      readWhole(writeZip(Folder, "a.npz", {{"images.npy", npy("|u1", "(2, 2, 2, 3)", countingBytes(24)), true}}));
  for (size_t At = 0; At < Whole.size(); ++At)
    for (char Mask : {'\xff', '\x01', '\x80'}) {
      std::string Changed = Whole;
      Changed[At] ^= Mask;
      llvm::Expected<Set> Result = openImageSet(Folder.write("c.npz", Changed), {});
      if (!Result)
        llvm::consumeError(Result.takeError());
    }
}

TEST(Idx, ImagesAndLabels) {
  TemporaryFolder Folder;
  std::string Images = idx({3, 2, 2}, countingBytes(12));
  std::string Path = Folder.write("train-images-idx3-ubyte", Images);
  EXPECT_FALSE(open(Path)->hasLabels());
  std::string Labels = Folder.write("train-labels-idx1-ubyte", idx({3}, "\x05\x09\x01"));
  Set Opened = open(Path);
  ASSERT_TRUE(Opened && Opened->hasLabels());
  EXPECT_EQ(Opened->shape(), llvm::ArrayRef<int64_t>({1, 2, 2}));
  EXPECT_EQ(Opened->label(1), 9);
  EXPECT_EQ(read(*Opened, {2}), (std::vector<float>{8 / 255.0f, 9 / 255.0f, 10 / 255.0f, 11 / 255.0f}));
  Folder.write("train-labels-idx1-ubyte", idx({2}, "\x05\x09"));
  EXPECT_ERROR(Path, "has 2 labels for the 3 images");
  Folder.write("train-labels-idx1-ubyte", "other");
  EXPECT_ERROR(Path, "is no idx file");
}

TEST(Idx, Gzipped) {
  TemporaryFolder Folder;
  std::string Path = Folder.path("t10k-images-idx3-ubyte.gz");
  std::string Images = idx({300, 28, 28}, countingBytes(300 * 784));
  gzFile File = gzopen(Path.c_str(), "wb");
  gzwrite(File, Images.data(), Images.size());
  gzclose(File);
  Folder.write("t10k-labels-idx1-ubyte", idx({300}, std::string(300, 4)));
  Set Opened = open(Path);
  ASSERT_TRUE(Opened);
  EXPECT_EQ(Opened->size(), 300u);
  EXPECT_EQ(Opened->label(299), 4);
  std::string Whole = readWhole(Path);
  for (size_t Length = 0; Length < Whole.size(); Length += 1 + Whole.size() / 200)
    EXPECT_NE(errorOf(Folder.write("t10k-images-idx3-ubyte.gz", Whole.substr(0, Length))), "") << Length;
}

TEST(Idx, EveryTruncationIsAnError) {
  TemporaryFolder Folder;
  std::string Whole = idx({3, 2, 2}, countingBytes(12));
  for (size_t Length = 0; Length < Whole.size(); ++Length)
    EXPECT_NE(errorOf(Folder.write("t-idx3-ubyte", Whole.substr(0, Length))), "") << Length;
  EXPECT_ERROR(Folder.write("big", idx({0xffffffff, 0xffffffff, 0xffffffff}, "")), "shape is too large");
  EXPECT_ERROR(Folder.write("flat", idx({4}, "abcd")), "expected images of rank 3 (idx3), got rank 1");
}

std::string cifar(std::vector<std::string> Labels) {
  std::string Result;
  for (const std::string &Label : Labels)
    Result += Label + countingBytes(3072);
  return Result;
}

TEST(Idx, NoImagesOfImpossibleSizes) {
  TemporaryFolder Folder;
  std::string Path = Folder.write("images-idx3-ubyte", idx({0, 0xffffffff, 0xffffffff}, ""));
  EXPECT_ERROR(Path, "holds no images");
}

TEST(Cifar, FilesAndFolders) {
  TemporaryFolder Folder;
  std::string First = Folder.write("b/data_batch_1.bin", cifar({"\x03", "\x09"}));
  Folder.write("b/data_batch_2.bin", cifar({"\x04"}));
  Folder.write("b/test_batch.bin", cifar({"\x01"}));
  Folder.write("b/batches.meta.txt", "airplane");
  Set Images = open(Folder.path("b"));
  ASSERT_TRUE(Images);
  EXPECT_EQ(Images->size(), 3u);
  EXPECT_EQ(Images->label(0), 3);
  EXPECT_EQ(Images->label(2), 4);
  EXPECT_EQ(read(*Images, {2})[1025], 1 / 255.0f);
  EXPECT_EQ(open(First)->size(), 2u);
  Images = open(Folder.write("hundred.bin", cifar({std::string("\x02\x63", 2)})));
  ASSERT_TRUE(Images);
  EXPECT_EQ(Images->label(0), 99);
  EXPECT_ERROR(Folder.write("bad.bin", cifar({"\x0b"})), "is no CIFAR batch");
  EXPECT_ERROR(Folder.write("short.bin", cifar({"\x03"}).substr(1)), "is no CIFAR batch");
  Folder.write("b/data_batch_3.bin", cifar({std::string("\x02\x63", 2)}));
  EXPECT_ERROR(Folder.path("b"), "mixes CIFAR-10 and CIFAR-100");
}

TEST(ImageFolder, ClassesInTheOrderOfTheirNames) {
  TemporaryFolder Folder;
  writePng(Folder, "f/dog/1.png", 1, 2, 3, countingBytes(6));
  writePng(Folder, "f/cat/2.PNG", 1, 2, 1, std::string("\x10\x20", 2));
  writePng(Folder, "f/cat/1.png", 1, 2, 4, countingBytes(8));
  Folder.write("f/cat/readme.txt", "no image");
  Folder.write("f/empty/readme.txt", "no image");
  Set Images = open(Folder.path("f"));
  ASSERT_TRUE(Images);
  EXPECT_EQ(Images->size(), 3u);
  EXPECT_EQ(Images->shape(), llvm::ArrayRef<int64_t>({3, 1, 2}));
  EXPECT_EQ(Images->label(0), 0);
  EXPECT_EQ(Images->label(2), 1);
  auto Scaled = [](std::vector<float> Values) {
    for (float &Value : Values)
      Value /= 255.0f;
    return Values;
  };
  EXPECT_EQ(read(*Images, {0}), Scaled({0, 4, 1, 5, 2, 6}));       // alpha dropped
  EXPECT_EQ(read(*Images, {1}), Scaled({16, 32, 16, 32, 16, 32})); // grey repeated
  EXPECT_EQ(read(*Images, {2}), Scaled({0, 3, 1, 4, 2, 5}));
  writePng(Folder, "f/top.png", 1, 2, 3, countingBytes(6));
  EXPECT_ERROR(Folder.path("f"), "holds images beside class folders");
}

TEST(ImageFolder, RefusesWhatItCannotRead) {
  TemporaryFolder Folder;
  llvm::sys::fs::create_directory(Folder.path("none"));
  EXPECT_ERROR(Folder.path("none"), "holds no PNG");
  writePng(Folder, "sizes/1.png", 1, 2, 3, countingBytes(6));
  EXPECT_FALSE(open(Folder.path("sizes"))->hasLabels());
  std::string Odd = writePng(Folder, "sizes/2.png", 2, 2, 3, countingBytes(12));
  EXPECT_ERROR(Folder.path("sizes"), Odd + ": expected 1x2 pixels like the folder's first image, got 2x2");
  std::string Foreign = Folder.write("foreign/1.png", "no image");
  EXPECT_ERROR(Folder.path("foreign"), Foreign + ": cannot be decoded");
}

TEST(ImageFolder, EveryTruncationIsAnErrorOrDecodes) {
  // Decoders may accept a file without its last bytes (PNG's end chunk, JPEG's last block), but must not crash.
  TemporaryFolder Folder;
  std::string Path = writePng(Folder, "f/1.png", 4, 4, 3, countingBytes(48));
  std::string Jpeg = Folder.path("1.jpg");
  ASSERT_TRUE(stbi_write_jpg(Jpeg.c_str(), 4, 4, 3, countingBytes(48).data(), 90));
  for (const std::string &Whole : {readWhole(Path), readWhole(Jpeg)})
    for (size_t Length = 0; Length <= Whole.size(); ++Length) {
      Folder.write("f/1.png", Whole.substr(0, Length));
      llvm::Expected<Set> Images = openImageSet(Folder.path("f"), {});
      if (!Images) {
        llvm::consumeError(Images.takeError());
        EXPECT_LT(Length, Whole.size());
        continue;
      }
      std::vector<float> Into(48);
      llvm::Error E = (*Images)->batch({0}, Into);
      EXPECT_TRUE(!E || Length < Whole.size());
      llvm::consumeError(std::move(E));
    }
}

TEST(Numpy, ReadsWhatNumpyWrites) {
  std::string Python = DEEPSHARE_SOURCE_DIR "/build/deps/venv/bin/python";
  if (!llvm::sys::fs::can_execute(Python))
    GTEST_SKIP() << Python << " is not there; tools/setup makes it";
  TemporaryFolder Folder;
  std::string Script = "import numpy as n, sys\n"
                       "i = n.arange(48, dtype=n.uint8).reshape(4, 2, 2, 3)\n"
                       "l = n.array([3, 1, 2, 0], dtype=n.int32)\n"
                       "n.savez(sys.argv[1] + '/stored.npz', images=i, labels=l)\n"
                       "n.savez_compressed(sys.argv[1] + '/packed.npz', images=i, labels=l)\n"
                       "n.save(sys.argv[1] + '/array.npy', n.asarray(i[..., ::-1].transpose(0, 3, 1, 2), 'f4', 'C'))\n"
                       "n.save(sys.argv[1] + '/fortran.npy', n.asfortranarray(i))\n"
                       "n.save(sys.argv[1] + '/objects.npy', n.array([{}, {}]))\n";
  std::string Path = Folder.write("make.py", Script);
  ASSERT_EQ(llvm::sys::ExecuteAndWait(Python, {Python, Path, Folder.path("")}), 0);
  for (const char *Name : {"stored.npz", "packed.npz"}) {
    Set Images = open(Folder.path(Name));
    ASSERT_TRUE(Images && Images->hasLabels());
    EXPECT_EQ(Images->label(0), 3);
    EXPECT_EQ(read(*Images, {3})[0], 36 / 255.0f);
  }
  Set Floats = open(Folder.path("array.npy"));
  ASSERT_TRUE(Floats);
  EXPECT_EQ(Floats->shape(), llvm::ArrayRef<int64_t>({3, 2, 2}));
  EXPECT_EQ(read(*Floats, {0}), (std::vector<float>{2, 5, 8, 11, 1, 4, 7, 10, 0, 3, 6, 9}));
  EXPECT_ERROR(Folder.path("fortran.npy"), "Fortran order");
  EXPECT_ERROR(Folder.path("objects.npy"), "element type '|O' is not supported");
}

TEST(Shared, ReadsCifarCalibration) {
  std::string Path = DEEPSHARE_SOURCE_DIR "/../shared/data/cifar10-calib.npz";
  if (!llvm::sys::fs::exists(Path))
    Path = DEEPSHARE_SOURCE_DIR "/../../shared/data/cifar10-calib.npz";
  if (!llvm::sys::fs::exists(Path))
    GTEST_SKIP() << "shared/data/cifar10-calib.npz is not there";
  Set Images = open(Path);
  ASSERT_TRUE(Images && Images->hasLabels());
  EXPECT_EQ(Images->size(), 1024u);
  EXPECT_EQ(Images->shape(), llvm::ArrayRef<int64_t>({3, 32, 32}));
}

/// The images of a sample are those of the set, each at most once, the same for a seed, in the order of the set.
TEST(ImageSample, DrawsImagesOfTheSet) {
  TemporaryFolder Folder;
  std::vector<float> Values(40);
  std::iota(Values.begin(), Values.end(), 0.0f);
  std::string Path = Folder.write("a.npy", npy("<f4", "(40, 1, 1, 1)", bytesOf<float>(Values)));
  Set Sample = sampleImages(open(Path), 8, 3), Again = sampleImages(open(Path), 8, 3),
      Other = sampleImages(open(Path), 8, 4);
  ASSERT_EQ(Sample->size(), 8u);
  EXPECT_EQ(Sample->shape(), llvm::ArrayRef<int64_t>({1, 1, 1}));
  std::vector<float> Drawn = read(*Sample, {0, 1, 2, 3, 4, 5, 6, 7});
  EXPECT_TRUE(std::adjacent_find(Drawn.begin(), Drawn.end(), std::greater_equal<>()) == Drawn.end());
  EXPECT_EQ(Drawn, read(*Again, {0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_NE(Drawn, read(*Other, {0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(sampleImages(open(Path), 0, 3)->size(), 40u);
  EXPECT_EQ(sampleImages(open(Path), 41, 3)->size(), 40u);
}

} // namespace
