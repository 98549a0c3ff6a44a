//===- RawData.cpp - separates tensors' bytes from a serialised model -----===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// Protobuf copies every bytes field while it parses. This walk over the wire format copies everything but `raw_data`:
//
//   ModelProto { graph { initializer { dims, data_type, raw_data: <100 MB> } } }
//     => the same message with raw_data: <8-byte token>, and a view of the 100 MB
//
// It descends only into the messages that can hold such tensors; all else passes unchanged.
//
//===----------------------------------------------------------------------===//

#include "RawData.h"

#include "llvm/ADT/StringRef.h"

#include <fmt/format.h>

#include <cstring>

using namespace deepshare::onnx;

namespace {
/// The message types that the walk descends into.
enum class Message { Model, Function, Graph, Node, Attribute, Tensor };

/// Wire types of protobuf's encoding.
enum WireType : unsigned { Varint = 0, Fixed64 = 1, Bytes = 2, GroupStart = 3, GroupEnd = 4, Fixed32 = 5 };
} // namespace

// Field numbers of onnx.proto; they never change.
static constexpr uint64_t RawDataField = 9;

// Protobuf's own limit for nested messages.
static constexpr unsigned MaxDepth = 100;

// The type of a message's field if the walk descends into it.
static std::optional<Message> childMessage(Message Parent, uint64_t Field) {
  switch (Parent) {
  case Message::Model:
    return Field == 7 ? std::optional(Message::Graph) : Field == 25 ? std::optional(Message::Function) : std::nullopt;
  case Message::Function:
    return Field == 7 ? std::optional(Message::Node) : Field == 11 ? std::optional(Message::Attribute) : std::nullopt;
  case Message::Graph:
    return Field == 1 ? std::optional(Message::Node) : Field == 5 ? std::optional(Message::Tensor) : std::nullopt;
  case Message::Node:
    return Field == 5 ? std::optional(Message::Attribute) : std::nullopt;
  case Message::Attribute:
    return Field == 5 || Field == 10   ? std::optional(Message::Tensor)
           : Field == 6 || Field == 11 ? std::optional(Message::Graph)
                                       : std::nullopt;
  case Message::Tensor:
    return std::nullopt;
  }
  return std::nullopt;
}

static void appendVarint(std::string &Out, uint64_t Value) {
  for (; Value >= 0x80; Value >>= 7)
    Out += static_cast<char>(Value | 0x80);
  Out += static_cast<char>(Value);
}

namespace {
class Stripper {
public:
  explicit Stripper(llvm::ArrayRef<char> Input) : Input(Input) {}

  llvm::Error strip(Message Type, size_t End, unsigned Depth, std::string &Out) {
    if (Depth > MaxDepth)
      return fail(fmt::format("messages are nested more than {} deep", MaxDepth));
    while (Position < End) {
      size_t Start = Position;
      uint64_t Tag = 0;
      if (llvm::Error E = readVarint(End, Tag))
        return E;
      if ((Tag & 7) != WireType::Bytes) {
        if (llvm::Error E = skip(Tag, End, Depth))
          return E;
        Out.append(Input.data() + Start, Position - Start);
        continue;
      }
      uint64_t Length = 0;
      if (llvm::Error E = readLength(End, Length))
        return E;
      size_t Stop = Position + Length;
      std::optional<Message> Child = childMessage(Type, Tag >> 3);
      if (Child) {
        std::string Stripped;
        if (llvm::Error E = strip(*Child, Stop, Depth + 1, Stripped))
          return E;
        appendBytesField(Out, Tag, Stripped);
      } else if (Type == Message::Tensor && Tag >> 3 == RawDataField) {
        uint64_t Index = RawData.size();
        RawData.push_back(Input.slice(Position, Length));
        appendBytesField(Out, Tag, {reinterpret_cast<const char *>(&Index), sizeof(Index)});
      } else {
        Out.append(Input.data() + Start, Stop - Start);
      }
      Position = Stop;
    }
    return llvm::Error::success();
  }

  std::vector<llvm::ArrayRef<char>> RawData;

private:
  llvm::Error fail(const std::string &Reason) const {
    return llvm::createStringError(
        fmt::format("not an ONNX model, or a damaged one: {} (at byte {} of {})", Reason, Position, Input.size()));
  }

  static void appendBytesField(std::string &Out, uint64_t Tag, llvm::StringRef Content) {
    appendVarint(Out, Tag);
    appendVarint(Out, Content.size());
    Out.append(Content.data(), Content.size());
  }

  llvm::Error readVarint(size_t End, uint64_t &Value) {
    Value = 0;
    for (unsigned Shift = 0; Shift < 70; Shift += 7) {
      if (Position == End)
        return fail("it ends inside a number");
      auto Byte = static_cast<unsigned char>(Input[Position++]);
      if (Shift < 64)
        Value |= static_cast<uint64_t>(Byte & 0x7f) << Shift;
      if (Byte < 0x80)
        return llvm::Error::success();
    }
    return fail("a number has more than 10 bytes");
  }

  llvm::Error readLength(size_t End, uint64_t &Length) {
    if (llvm::Error E = readVarint(End, Length))
      return E;
    if (Length > End - Position)
      return fail(fmt::format("expected a field of {} bytes, got {}: the file is cut off", Length, End - Position));
    return llvm::Error::success();
  }

  llvm::Error skipBytes(uint64_t Count, size_t End) {
    if (Count > End - Position)
      return fail("it ends inside a field: the file is cut off");
    Position += Count;
    return llvm::Error::success();
  }

  // Skips the content of a field whose tag has been read.
  llvm::Error skip(uint64_t Tag, size_t End, unsigned Depth) {
    uint64_t Number = 0;
    switch (Tag & 7) {
    case WireType::Varint:
      return readVarint(End, Number);
    case WireType::Fixed64:
      return skipBytes(8, End);
    case WireType::Fixed32:
      return skipBytes(4, End);
    case WireType::Bytes:
      if (llvm::Error E = readLength(End, Number))
        return E;
      return skipBytes(Number, End);
    case WireType::GroupStart:
      return skipGroup(Tag >> 3, End, Depth + 1);
    default:
      return fail(fmt::format("unknown wire type {}", Tag & 7));
    }
  }

  llvm::Error skipGroup(uint64_t Field, size_t End, unsigned Depth) {
    if (Depth > MaxDepth)
      return fail(fmt::format("groups are nested more than {} deep", MaxDepth));
    while (true) {
      uint64_t Tag = 0;
      if (llvm::Error E = readVarint(End, Tag))
        return E;
      if ((Tag & 7) == WireType::GroupEnd)
        return Tag >> 3 == Field ? llvm::Error::success() : fail("a group ends that did not begin");
      if (llvm::Error E = skip(Tag, End, Depth))
        return E;
    }
  }

  llvm::ArrayRef<char> Input;
  size_t Position = 0;
};
} // namespace

std::optional<llvm::ArrayRef<char>> StrippedModel::rawDataAt(llvm::StringRef Token) const {
  uint64_t Index = 0;
  if (Token.size() != sizeof(Index))
    return std::nullopt;
  std::memcpy(&Index, Token.data(), sizeof(Index));
  return Index < RawData.size() ? std::optional(RawData[Index]) : std::nullopt;
}

llvm::Expected<StrippedModel> deepshare::onnx::stripRawData(llvm::ArrayRef<char> Model) {
  Stripper S(Model);
  StrippedModel Result;
  if (llvm::Error E = S.strip(Message::Model, Model.size(), 1, Result.Bytes))
    return E;
  Result.RawData = std::move(S.RawData);
  return Result;
}
