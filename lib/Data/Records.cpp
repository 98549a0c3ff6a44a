//===- Records.cpp - image sets whose records lie in memory ---------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Formats.h"

#include "deepshare/Support/TextFile.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/MemoryBuffer.h"

#include <cassert>
#include <cmath>
#include <cstdlib>
#include <cstring>

using namespace deepshare;
using namespace deepshare::data;

llvm::Error data::fileError(llvm::StringRef Path, const llvm::Twine &Reason) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), Path + ": " + Reason);
}

std::optional<uint64_t> data::product(llvm::ArrayRef<int64_t> Sizes) {
  int64_t Count = 1;
  for (int64_t Size : Sizes)
    if (Size < 0 || llvm::MulOverflow(Count, Size, Count))
      return std::nullopt;
  return Count;
}

llvm::Expected<Bytes> data::mapFile(llvm::StringRef Path) {
  llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>> File = deepshare::mapFile(Path);
  if (!File)
    return fileError(Path, llvm::toString(File.takeError()));
  std::shared_ptr<llvm::MemoryBuffer> Owner = std::move(*File);
  return Bytes{Owner->getBuffer(), Owner};
}

std::shared_ptr<char[]> data::allocate(uint64_t Size) {
  return std::shared_ptr<char[]>(static_cast<char *>(std::malloc(Size)), std::free);
}

llvm::Expected<Normalizer> Normalizer::create(const Normalization &Norm, int64_t Channels, llvm::StringRef Path) {
  if (Norm.Mean.size() != Norm.Std.size())
    return fileError(Path, "normalisation has " + llvm::Twine(Norm.Mean.size()) + " means and " +
                               llvm::Twine(Norm.Std.size()) + " standard deviations");
  if (Norm.Mean.size() > 1 && Norm.Mean.size() != static_cast<uint64_t>(Channels))
    return fileError(Path, "expected mean and standard deviation of " + llvm::Twine(Channels) +
                               " channels, or one of each for all, got " + llvm::Twine(Norm.Mean.size()));
  for (auto [Mean, Std] : llvm::zip_equal(Norm.Mean, Norm.Std))
    if (!std::isfinite(Mean) || !std::isfinite(Std) || Std <= 0)
      return fileError(Path, "normalisation needs finite means and positive standard deviations");
  Normalizer Result;
  bool IsOneForAll = Norm.Mean.size() == 1;
  Result.Mean = IsOneForAll ? std::vector<float>(Channels, Norm.Mean.front()) : Norm.Mean;
  Result.Std = IsOneForAll ? std::vector<float>(Channels, Norm.Std.front()) : Norm.Std;
  Result.Tables.resize(Result.Mean.empty() ? 1 : Result.Mean.size());
  for (auto [Channel, Table] : llvm::enumerate(Result.Tables))
    for (unsigned Value = 0; Value < Table.size(); ++Value)
      Table[Value] = Result.fromFloat(static_cast<float>(Value) / 255.0f, Channel);
  return Result;
}

namespace {

class RecordSet final : public ImageSet {
public:
  RecordSet(Records R, Normalizer Norm) : R(std::move(R)), Norm(std::move(Norm)) {
    for (const Records::Chunk &Chunk : this->R.Chunks)
      Ends.push_back((Ends.empty() ? 0 : Ends.back()) + Chunk.Count);
    Channels = this->R.Shape.front();
    Positions = *product(llvm::ArrayRef(this->R.Shape).drop_front());
  }

  uint64_t size() const override { return Ends.back(); }
  llvm::ArrayRef<int64_t> shape() const override { return R.Shape; }
  bool hasLabels() const override { return !R.Labels.empty(); }
  llvm::ArrayRef<int64_t> labelShape() const override { return R.LabelShape; }
  int64_t label(uint64_t Index) const override { return R.Labels[Index]; }
  void labels(uint64_t Index, std::vector<int64_t> &Into) const override {
    uint64_t Each = R.Labels.size() / size();
    llvm::append_range(Into, llvm::ArrayRef(R.Labels).slice(Index * Each, Each));
  }

  llvm::Error batch(llvm::ArrayRef<uint64_t> Indices, llvm::MutableArrayRef<float> Into) const override {
    assert(Into.size() == Indices.size() * Channels * Positions && "the room must fit the images");
    float *Out = Into.data();
    for (uint64_t Index : Indices) {
      switch (R.Type) {
      case PixelType::UInt8:
        readBytes(record(Index), Out);
        break;
      case PixelType::Float32:
        readFloats<float>(record(Index), Out);
        break;
      case PixelType::Float64:
        readFloats<double>(record(Index), Out);
        break;
      }
      Out += Channels * Positions;
    }
    return llvm::Error::success();
  }

private:
  const char *record(uint64_t Index) const {
    assert(Index < size() && "image index past the set");
    size_t Chunk = llvm::upper_bound(Ends, Index) - Ends.begin();
    uint64_t Before = Chunk ? Ends[Chunk - 1] : 0;
    return R.Chunks[Chunk].First + (Index - Before) * R.Stride;
  }

  void readBytes(const char *Record, float *Out) const {
    const auto *Pixels = reinterpret_cast<const uint8_t *>(Record);
    size_t ChannelStep = R.ChannelsLast ? 1 : Positions, PositionStep = R.ChannelsLast ? Channels : 1;
    for (size_t Channel = 0; Channel < Channels; ++Channel) {
      llvm::ArrayRef<float> Table = Norm.byteTable(Channel);
      for (size_t Position = 0; Position < Positions; ++Position)
        *Out++ = Table[Pixels[Channel * ChannelStep + Position * PositionStep]];
    }
  }

  // Records of a mapped file need not be aligned.
  template <typename T> void readFloats(const char *Record, float *Out) const {
    size_t ChannelStep = R.ChannelsLast ? 1 : Positions, PositionStep = R.ChannelsLast ? Channels : 1;
    for (size_t Channel = 0; Channel < Channels; ++Channel)
      for (size_t Position = 0; Position < Positions; ++Position) {
        T Value;
        std::memcpy(&Value, Record + (Channel * ChannelStep + Position * PositionStep) * sizeof(T), sizeof(T));
        *Out++ = Norm.fromFloat(static_cast<float>(Value), Channel);
      }
  }

  Records R;
  Normalizer Norm;
  std::vector<uint64_t> Ends;
  size_t Channels, Positions;
};

} // namespace

llvm::Expected<std::unique_ptr<ImageSet>> data::makeRecordSet(Records R, const Normalization &Norm) {
  uint64_t Count = 0;
  for (const Records::Chunk &Chunk : R.Chunks)
    Count += Chunk.Count;
  std::optional<uint64_t> Elements = product(R.Shape);
  if (Count == 0 || !Elements || *Elements == 0)
    return fileError(R.Path, "holds no images");
  uint64_t Each = product(R.LabelShape).value_or(0);
  if (!R.Labels.empty() && R.Labels.size() != Count * Each)
    return fileError(R.Path, "has " + llvm::Twine(Count) + " images but " +
                                 llvm::Twine(R.Labels.size() / std::max<uint64_t>(Each, 1)) + " labels");
  llvm::Expected<Normalizer> Checked = Normalizer::create(Norm, R.Shape.front(), R.Path);
  if (!Checked)
    return Checked.takeError();
  return std::make_unique<RecordSet>(std::move(R), std::move(*Checked));
}
