//===- Numpy.cpp - .npy arrays and .npz archives --------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// The .npy format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html. A magic string, a version,
// the length of a header, the header (a Python dictionary of descr, fortran_order and shape), then the elements.
//
//===----------------------------------------------------------------------===//

#include "Formats.h"

#include "deepshare/Data/Numpy.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Endian.h"

#include <zip.h>

#include <algorithm>
#include <cstring>
#include <map>

using namespace deepshare;
using namespace deepshare::data;

namespace {

/// What a .npy header says.
struct Array {
  std::string Type; ///< "|u1", "<f4", ...
  std::vector<int64_t> Shape;
  uint64_t DataBytes;
  Bytes Data;

  unsigned itemSize() const { return Type[2] - '0'; }
};

/// Reads the dictionary of a .npy header.
class HeaderParser {
public:
  HeaderParser(llvm::StringRef Text, llvm::StringRef Path) : Text(Text), Path(Path) {}

  llvm::Expected<Array> parse() {
    Array Result;
    bool SeenType = false, SeenOrder = false, SeenShape = false;
    if (!consume("{"))
      return malformed();
    while (!consume("}")) {
      std::optional<llvm::StringRef> Key = string();
      if (!Key || !consume(":"))
        return malformed();
      if (*Key == "descr" && !SeenType) {
        SeenType = true;
        if (llvm::Error E = parseType(Result))
          return E;
      } else if (*Key == "fortran_order" && !SeenOrder) {
        SeenOrder = true;
        if (consume("True"))
          return fileError(Path, "the array is in Fortran order; save numpy.ascontiguousarray of it");
        if (!consume("False"))
          return malformed();
      } else if (*Key == "shape" && !SeenShape) {
        SeenShape = true;
        if (!parseShape(Result.Shape))
          return malformed();
      } else {
        return malformed();
      }
      if (!consume(",") && !Text.ltrim().starts_with("}"))
        return malformed();
    }
    if (!SeenType || !SeenOrder || !SeenShape || !Text.trim().empty())
      return malformed();
    std::optional<uint64_t> Elements = product(Result.Shape);
    if (!Elements || *Elements > INT64_MAX / Result.itemSize())
      return fileError(Path, "the array's shape is too large");
    Result.DataBytes = *Elements * Result.itemSize();
    return Result;
  }

private:
  llvm::Error malformed() { return fileError(Path, "malformed .npy header"); }

  bool consume(llvm::StringRef Token) {
    Text = Text.ltrim();
    return Text.consume_front(Token);
  }

  std::optional<llvm::StringRef> string() {
    llvm::StringRef Quote = consume("'") ? "'" : consume("\"") ? "\"" : "";
    size_t End = Quote.empty() ? llvm::StringRef::npos : Text.find(Quote);
    if (End == llvm::StringRef::npos)
      return std::nullopt;
    llvm::StringRef Result = Text.take_front(End);
    Text = Text.drop_front(End + 1);
    return Result;
  }

  llvm::Error parseType(Array &Result) {
    std::optional<llvm::StringRef> Type = string();
    if (!Type)
      return fileError(Path, "expected an array of numbers, got one of records");
    static constexpr llvm::StringLiteral Known[] = {"|u1", "|i1", "<u2", "<i2", "<u4", "<i4",
                                                    "<u8", "<i8", "<f2", "<f4", "<f8", "|b1"};
    if (!llvm::is_contained(Known, *Type))
      return fileError(Path, "element type '" + *Type +
                                 "' is not supported; images are uint8, float32 or float64 and labels integers, all "
                                 "little-endian");
    Result.Type = Type->str();
    return llvm::Error::success();
  }

  bool parseShape(std::vector<int64_t> &Shape) {
    if (!consume("("))
      return false;
    while (!consume(")")) {
      int64_t Size;
      Text = Text.ltrim();
      if (Text.consumeInteger(10, Size) || Size < 0)
        return false;
      Shape.push_back(Size);
      if (!consume(",") && !Text.ltrim().starts_with(")"))
        return false;
    }
    return true;
  }

  llvm::StringRef Text;
  llvm::StringRef Path;
};

/// Bytes before the header's text at most, and the largest header that is believed.
constexpr size_t MaxPreamble = 12;
constexpr uint64_t MaxHeader = 1 << 16;

/// Parses the header that \p Start (the file's first bytes, at least MaxPreamble + MaxHeader of them if it has as many)
/// begins with. \p HeaderBytes: where the elements start.
llvm::Expected<Array> parseHeader(llvm::StringRef Start, llvm::StringRef Path, uint64_t &HeaderBytes) {
  llvm::StringRef Rest = Start;
  if (!Rest.consume_front("\x93NUMPY"))
    return fileError(Path, "is no .npy array");
  if (Rest.size() < 4)
    return fileError(Path, "truncated .npy header");
  unsigned Major = static_cast<uint8_t>(Rest[0]);
  if (Major < 1 || Major > 3)
    return fileError(Path, ".npy version " + llvm::Twine(Major) + " is not supported");
  size_t LengthBytes = Major == 1 ? 2 : 4;
  Rest = Rest.drop_front(2);
  if (Rest.size() < LengthBytes)
    return fileError(Path, "truncated .npy header");
  uint64_t Length =
      Major == 1 ? llvm::support::endian::read16le(Rest.data()) : llvm::support::endian::read32le(Rest.data());
  Rest = Rest.drop_front(LengthBytes);
  if (Length > MaxHeader)
    return fileError(Path, ".npy header of " + llvm::Twine(Length) + " bytes is too large");
  if (Rest.size() < Length)
    return fileError(Path, "truncated .npy header");
  HeaderBytes = Start.size() - Rest.size() + Length;
  return HeaderParser(Rest.take_front(Length), Path).parse();
}

llvm::Error wrongSize(llvm::StringRef Path, uint64_t Expected, uint64_t Got) {
  return fileError(Path, (Got < Expected ? "truncated: expected " : "expected ") + llvm::Twine(Expected) +
                             " bytes of elements, got " + llvm::Twine(Got));
}

llvm::Expected<Array> parseNpy(llvm::StringRef Path, Bytes File) {
  uint64_t HeaderBytes;
  llvm::Expected<Array> Result = parseHeader(File.Data, Path, HeaderBytes);
  if (!Result)
    return Result;
  llvm::StringRef Elements = File.Data.drop_front(HeaderBytes);
  if (Elements.size() != Result->DataBytes)
    return wrongSize(Path, Result->DataBytes, Elements.size());
  Result->Data = {Elements, std::move(File.Owner)};
  return Result;
}

template <typename T> std::vector<int64_t> widen(llvm::StringRef Data) {
  std::vector<int64_t> Values(Data.size() / sizeof(T));
  for (size_t Index = 0; Index < Values.size(); ++Index) {
    T Value;
    std::memcpy(&Value, Data.data() + Index * sizeof(T), sizeof(T));
    Values[Index] = static_cast<int64_t>(Value);
  }
  return Values;
}

llvm::Expected<std::vector<int64_t>> labelsOf(const Array &Labels, llvm::StringRef Path) {
  bool IsVector = Labels.Shape.size() == 1 || (Labels.Shape.size() == 2 && Labels.Shape[1] == 1);
  char Kind = Labels.Type[1];
  if ((!IsVector && Labels.Shape.size() != 3) || (Kind != 'u' && Kind != 'i'))
    return fileError(Path, "labels must be integers of shape [N] or [N,H,W], got element type '" +
                               llvm::Twine(Labels.Type) + "' and rank " + llvm::Twine(Labels.Shape.size()));
  bool Signed = Kind == 'i';
  switch (Labels.itemSize()) {
  case 1:
    return Signed ? widen<int8_t>(Labels.Data.Data) : widen<uint8_t>(Labels.Data.Data);
  case 2:
    return Signed ? widen<int16_t>(Labels.Data.Data) : widen<uint16_t>(Labels.Data.Data);
  case 4:
    return Signed ? widen<int32_t>(Labels.Data.Data) : widen<uint32_t>(Labels.Data.Data);
  default:
    return widen<int64_t>(Labels.Data.Data);
  }
}

llvm::Expected<std::unique_ptr<ImageSet>> makeArraySet(llvm::StringRef Path, const Array &Images, const Array *Labels,
                                                       const Normalization &Norm) {
  Records R;
  R.Path = Path.str();
  if (Images.Type == "|u1")
    R.Type = PixelType::UInt8;
  else if (Images.Type == "<f4")
    R.Type = PixelType::Float32;
  else if (Images.Type == "<f8")
    R.Type = PixelType::Float64;
  else
    return fileError(Path, "images must be uint8, float32 or float64, got element type '" + Images.Type + "'");
  if (Images.Shape.size() < 2)
    return fileError(Path, "images need a shape of [N, ...], got rank " + llvm::Twine(Images.Shape.size()));
  uint64_t Count = Images.Shape[0];
  llvm::ArrayRef<int64_t> Stored = llvm::ArrayRef(Images.Shape).drop_front();
  if (R.Type == PixelType::UInt8 && Stored.size() == 3) {
    if (Stored[2] > 4 && (Stored[0] == 1 || Stored[0] == 3))
      return fileError(Path, "uint8 images must be [N,H,W,C], got [N," + llvm::Twine(Stored[0]) + "," +
                                 llvm::Twine(Stored[1]) + "," + llvm::Twine(Stored[2]) + "]");
    R.ChannelsLast = true;
    R.Shape = {Stored[2], Stored[0], Stored[1]};
  } else if (R.Type == PixelType::UInt8 && Stored.size() == 2) {
    R.Shape = {1, Stored[0], Stored[1]};
  } else {
    R.Shape.assign(Stored.begin(), Stored.end());
  }
  R.Stride = Count ? Images.DataBytes / Count : 0;
  R.Chunks = {{Images.Data.Data.data(), Count}};
  R.Owners = {Images.Data.Owner};
  if (Labels) {
    llvm::Expected<std::vector<int64_t>> Read = labelsOf(*Labels, Path);
    if (!Read)
      return Read.takeError();
    R.Labels = std::move(*Read);
    if (Labels->Shape.size() == 3) {
      R.LabelShape.assign(Labels->Shape.begin() + 1, Labels->Shape.end());
      // What data sets of segmentation write in bytes for pixels that do not count.
      if (Labels->itemSize() == 1)
        std::replace(R.Labels.begin(), R.Labels.end(), int64_t(255), int64_t(ImageSet::NoLabel));
    }
    if (static_cast<uint64_t>(Labels->Shape[0]) != Count)
      return fileError(Path, "has " + llvm::Twine(Count) + " images but " + llvm::Twine(Labels->Shape[0]) + " labels");
  }
  return makeRecordSet(std::move(R), Norm);
}

/// Bytes up to which an array may be as compressed as it likes.
constexpr uint64_t LargestUnpacked = 1 << 30;

/// An open .npz archive.
class Archive {
public:
  static llvm::Expected<Archive> open(llvm::StringRef Path) {
    int Code = 0;
    Archive Result(Path);
    Result.Zip.reset(zip_open(Result.Path.c_str(), ZIP_RDONLY, &Code));
    if (!Result.Zip) {
      zip_error_t Error;
      zip_error_init_with_code(&Error, Code);
      auto Release = llvm::make_scope_exit([&] { zip_error_fini(&Error); });
      return fileError(Path, zip_error_strerror(&Error));
    }
    return Result;
  }

  /// Names of the arrays, without .npy, and their indices.
  std::map<std::string, uint64_t> arrays() const {
    std::map<std::string, uint64_t> Result;
    for (int64_t Index = 0, End = zip_get_num_entries(Zip.get(), 0); Index < End; ++Index)
      if (const char *Name = zip_get_name(Zip.get(), Index, 0)) {
        llvm::StringRef Text(Name);
        if (Text.consume_back(".npy"))
          Result.emplace(Text.str(), Index);
      }
    return Result;
  }

  llvm::Expected<Array> read(llvm::StringRef Name, uint64_t Index) const {
    std::string Member = Path + "(" + Name.str() + ".npy)";
    zip_stat_t Stat;
    if (zip_stat_index(Zip.get(), Index, 0, &Stat) != 0 || !(Stat.valid & ZIP_STAT_SIZE) ||
        !(Stat.valid & ZIP_STAT_COMP_SIZE))
      return fileError(Member, "the archive does not tell the size");
    // What zeros compress to fills any memory, and no images compress so well.
    if (Stat.size > LargestUnpacked && Stat.size / 100 > Stat.comp_size)
      return fileError(Member, "unpacks to " + llvm::Twine(Stat.size) + " bytes from " + llvm::Twine(Stat.comp_size) +
                                   "; save the array as .npy, which is mapped instead of read");
    // Deflate makes at most 1032 bytes of one: a size beyond that is a lie, found before memory is asked for.
    if (Stat.size / 1032 > Stat.comp_size)
      return fileError(Member, "claims " + llvm::Twine(Stat.size) + " bytes from " + llvm::Twine(Stat.comp_size) +
                                   " compressed ones");
    std::unique_ptr<zip_file_t, int (*)(zip_file_t *)> File(zip_fopen_index(Zip.get(), Index, 0), zip_fclose);
    if (!File)
      return fileError(Member, zip_strerror(Zip.get()));
    // The header is checked against the member's size before room for the elements is made.
    std::string Start(std::min<uint64_t>(Stat.size, MaxPreamble + MaxHeader), '\0');
    if (llvm::Error E = fill(*File, Member, Start.data(), Start.size()))
      return E;
    uint64_t HeaderBytes;
    llvm::Expected<Array> Result = parseHeader(Start, Member, HeaderBytes);
    if (!Result)
      return Result;
    if (Stat.size - HeaderBytes != Result->DataBytes)
      return wrongSize(Member, Result->DataBytes, Stat.size - HeaderBytes);
    std::shared_ptr<char[]> Elements = allocate(Result->DataBytes);
    if (!Elements && Result->DataBytes)
      return fileError(Member, "not enough memory for " + llvm::Twine(Result->DataBytes) +
                                   " bytes; save the array as .npy, which is mapped instead of read");
    uint64_t Have = Start.size() - HeaderBytes;
    if (Have)
      std::memcpy(Elements.get(), Start.data() + HeaderBytes, Have);
    if (llvm::Error E = fill(*File, Member, Elements.get() + Have, Result->DataBytes - Have))
      return E;
    // Reading on to the end makes libzip compare the checksum.
    char Beyond;
    if (zip_fread(File.get(), &Beyond, 1) != 0)
      return fileError(Member, zip_file_strerror(File.get()));
    Result->Data = {llvm::StringRef(Elements.get(), Result->DataBytes), Elements};
    return Result;
  }

private:
  explicit Archive(llvm::StringRef Path) : Path(Path), Zip(nullptr, zip_discard) {}

  static llvm::Error fill(zip_file_t &File, llvm::StringRef Member, char *To, uint64_t Size) {
    while (Size) {
      int64_t Got = zip_fread(&File, To, Size);
      if (Got < 0)
        return fileError(Member, zip_file_strerror(&File));
      if (Got == 0)
        return fileError(Member, "truncated");
      To += Got;
      Size -= Got;
    }
    return llvm::Error::success();
  }

  std::string Path;
  std::unique_ptr<zip_t, void (*)(zip_t *)> Zip;
};

} // namespace

llvm::Expected<std::unique_ptr<ImageSet>> data::openNpy(llvm::StringRef Path, Bytes File, const Normalization &Norm) {
  llvm::Expected<Array> Images = parseNpy(Path, std::move(File));
  if (!Images)
    return Images.takeError();
  return makeArraySet(Path, *Images, nullptr, Norm);
}

llvm::Expected<std::unique_ptr<ImageSet>> data::openNpz(llvm::StringRef Path, const Normalization &Norm,
                                                        llvm::ArrayRef<std::string> Parts) {
  llvm::Expected<Archive> Zip = Archive::open(Path);
  if (!Zip)
    return Zip.takeError();
  std::map<std::string, uint64_t> Arrays = Zip->arrays();
  constexpr size_t MostNamed = 8;
  std::vector<std::string> Named;
  for (const auto &[Name, Index] : Arrays)
    if (Named.size() < MostNamed)
      Named.push_back(Name);
  if (Arrays.size() > MostNamed)
    Named.push_back(std::to_string(Arrays.size() - MostNamed) + " more");
  std::string Names = Named.empty() ? "none" : llvm::join(Named, ", ");
  std::vector<std::string> Chosen = Parts.vec();
  if (Parts.size() < 2)
    Chosen = {Arrays.count("images") || Arrays.size() != 1 ? "images" : Arrays.begin()->first};
  for (const std::string &Name : Chosen)
    if (!Arrays.count(Name))
      return fileError(Path, Parts.size() < 2 ? "expected an array 'images' or a single array, got " + Names
                                              : "expected an array for each input of the model, '" +
                                                    llvm::join(Parts, "', '") + "', got " + Names);
  std::optional<Array> Labels;
  if (auto Found = Arrays.find("labels"); Found != Arrays.end() && !llvm::is_contained(Chosen, "labels")) {
    llvm::Expected<Array> Stored = Zip->read(Found->first, Found->second);
    if (!Stored)
      return Stored.takeError();
    Labels = std::move(*Stored);
  }
  std::vector<std::pair<std::string, std::unique_ptr<ImageSet>>> Sets;
  for (const std::string &Name : Chosen) {
    std::string Member = Chosen.size() == 1 ? Path.str() : (Path + "(" + Name + ".npy)").str();
    llvm::Expected<Array> Pixels = Zip->read(Name, Arrays[Name]);
    if (!Pixels)
      return Pixels.takeError();
    llvm::Expected<std::unique_ptr<ImageSet>> Set =
        makeArraySet(Member, *Pixels, Labels && Sets.empty() ? &*Labels : nullptr, Norm);
    if (!Set)
      return Set.takeError();
    if (!Sets.empty() && (*Set)->size() != Sets.front().second->size())
      return fileError(Member, "has " + llvm::Twine((*Set)->size()) + " images, but '" + Sets.front().first + "' has " +
                                   llvm::Twine(Sets.front().second->size()));
    Sets.emplace_back(Name, std::move(*Set));
  }
  return Sets.size() == 1 ? std::move(Sets.front().second) : joinImages(std::move(Sets));
}

static NumpyArray publicArray(Array A) { return {A.Type, A.Shape, A.Data.Data, std::move(A.Data.Owner)}; }

llvm::Expected<std::map<std::string, NumpyArray>> deepshare::readNumpy(llvm::StringRef Path) {
  llvm::Expected<Bytes> File = mapFile(Path);
  if (!File)
    return File.takeError();
  std::map<std::string, NumpyArray> Result;
  if (!File->Data.starts_with("PK")) { // how every zip archive starts
    llvm::Expected<Array> Single = parseNpy(Path, std::move(*File));
    if (!Single)
      return Single.takeError();
    Result.emplace("", publicArray(std::move(*Single)));
    return Result;
  }
  llvm::Expected<Archive> Zip = Archive::open(Path);
  if (!Zip)
    return Zip.takeError();
  for (const auto &[Name, Index] : Zip->arrays()) {
    llvm::Expected<Array> Member = Zip->read(Name, Index);
    if (!Member)
      return Member.takeError();
    Result.emplace(Name, publicArray(std::move(*Member)));
  }
  return Result;
}
