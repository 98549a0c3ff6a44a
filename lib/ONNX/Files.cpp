//===- Files.cpp - reads and writes model files ---------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Exporter.h"
#include "Importer.h"
#include "Text.h"

#include "deepshare/ONNX/ONNX.h"
#include "deepshare/Support/AtomicFile.h"
#include "deepshare/Support/TextFile.h"

#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/stubs/logging.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

#include <fmt/format.h>

using namespace deepshare;
using namespace deepshare::onnx;

// Protobuf serialises no message of 2 GiB or more; what surrounds the tensors must fit too.
static constexpr uint64_t LargestMessage = uint64_t(1) << 31;

static llvm::Error prefix(llvm::StringRef File, llvm::Error E) {
  return llvm::createStringError(fmt::format("{}: {}", File.str(), llvm::toString(std::move(E))));
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

static llvm::Expected<std::unique_ptr<Model>> importBuffer(std::shared_ptr<llvm::MemoryBuffer> Buffer,
                                                           llvm::StringRef Folder) {
  llvm::Expected<StrippedModel> Stripped = stripRawData({Buffer->getBufferStart(), Buffer->getBufferSize()});
  if (!Stripped)
    return Stripped.takeError();
  if (Stripped->Bytes.size() >= LargestMessage)
    return llvm::createStringError(
        fmt::format("expected less than 2 GiB beside the tensors' raw_data, got {} bytes", Stripped->Bytes.size()));
  ModelProto P;
  try {
    google::protobuf::LogSilencer Silence;
    if (!P.ParsePartialFromArray(Stripped->Bytes.data(), Stripped->Bytes.size()))
      return llvm::createStringError("not an ONNX model, or a damaged one");
  } catch (const std::exception &E) {
    return llvm::createStringError(fmt::format("not an ONNX model: {}", E.what()));
  }
  ExternalDataReader External(Folder);
  llvm::Expected<std::unique_ptr<Model>> M = importModel(P, {*Stripped, std::move(Buffer), External});
  if (M)
    (*M)->setFiles({"", External.paths()});
  return M;
}

static llvm::Expected<std::unique_ptr<Model>> importText(llvm::StringRef Text, llvm::StringRef Folder) {
  llvm::Expected<std::string> Bytes = parseText(Text);
  if (!Bytes)
    return Bytes.takeError();
  return importBuffer(llvm::MemoryBuffer::getMemBufferCopy(*Bytes), Folder);
}

static bool hasTextName(llvm::StringRef Path) { return Path.ends_with(".onnxtxt") || Path.ends_with(".onnxtext"); }

// A binary model begins with protobuf tags and version numbers, all of them control characters.
static bool looksLikeText(llvm::StringRef Bytes) {
  return llvm::none_of(Bytes.take_front(64), [](char C) {
    return static_cast<unsigned char>(C) < 0x20 && C != '\t' && C != '\n' && C != '\r';
  });
}

llvm::Expected<std::unique_ptr<Model>> deepshare::readModel(llvm::StringRef Path) {
  bool IsStdin = Path == "-";
  llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>> Buffer =
      IsStdin ? llvm::errorOrToExpected(llvm::MemoryBuffer::getSTDIN()) : mapFile(Path);
  if (!Buffer)
    return llvm::createStringError(fmt::format("cannot read '{}': {}", Path.str(), llvm::toString(Buffer.takeError())));
  llvm::StringRef Name = IsStdin ? "standard input" : Path;
  llvm::StringRef Folder = IsStdin ? "" : llvm::sys::path::parent_path(Path);
  bool IsText = IsStdin ? looksLikeText((*Buffer)->getBuffer()) : hasTextName(Path);
  llvm::Expected<std::unique_ptr<Model>> M =
      IsText ? importText((*Buffer)->getBuffer(), Folder) : importBuffer(std::move(*Buffer), Folder);
  if (!M)
    return prefix(Name, M.takeError());
  // No runtime runs one. Models that only carry a function (Definitions.cpp) have none.
  if ((*M)->graph().outputs().empty())
    return prefix(Name, llvm::createStringError(fmt::format("graph '{}': expected at least 1 output, got none",
                                                            (*M)->graph().name().str())));
  (*M)->setFiles({Name.str(), (*M)->files().Data});
  return M;
}

llvm::Expected<std::unique_ptr<Model>> deepshare::readModelFromBytes(llvm::StringRef Bytes, llvm::StringRef Name,
                                                                     llvm::StringRef Folder) {
  llvm::Expected<std::unique_ptr<Model>> M = importBuffer(llvm::MemoryBuffer::getMemBufferCopy(Bytes), Folder);
  if (!M)
    return prefix(Name, M.takeError());
  return M;
}

llvm::Expected<std::unique_ptr<Model>> deepshare::parseModelText(llvm::StringRef Text, llvm::StringRef Name) {
  llvm::Expected<std::unique_ptr<Model>> M = importText(Text, "");
  if (!M)
    return prefix(Name, M.takeError());
  return M;
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

namespace {
/// What the tensors of a model tell of how to write it.
struct TensorSurvey {
  uint64_t TotalBytes = 0;
  bool AnyExternal = false;

  void add(const Tensor &T) {
    TotalBytes += T.bytes().size();
    AnyExternal |= T.storage() == TensorStorage::External;
  }
  void add(const Graph &G) {
    for (const Value *Init : G.initializers())
      if (const Tensor *T = Init->initializer())
        add(*T);
    for (const Node &N : G) {
      for (const Attribute &A : N.attributes()) {
        if (const auto *T = std::get_if<Tensor>(&A.Value))
          add(*T);
        else if (const auto *Many = std::get_if<std::vector<Tensor>>(&A.Value))
          for (const Tensor &T : *Many)
            add(T);
      }
      for (const Graph *Subgraph : N.subgraphs())
        add(*Subgraph);
    }
  }
  explicit TensorSurvey(const Model &M) {
    add(M.graph());
    for (const Function &F : M.functions())
      add(*F.Body);
  }
};

/// Lets protobuf write to an LLVM stream without a copy of the whole message.
class ProtoStream : public google::protobuf::io::CopyingOutputStream {
public:
  explicit ProtoStream(llvm::raw_ostream &Stream) : Stream(Stream) {}
  bool Write(const void *Bytes, int Size) override {
    Stream.write(static_cast<const char *>(Bytes), Size);
    return true;
  }

private:
  llvm::raw_ostream &Stream;
};
} // namespace

static llvm::Error serialize(const ModelProto &P, llvm::raw_ostream &Stream) {
  uint64_t Size = P.ByteSizeLong();
  if (Size >= LargestMessage)
    return llvm::createStringError(
        fmt::format("expected a model of less than 2 GiB, got {} bytes; write it to a file with external data", Size));
  google::protobuf::LogSilencer Silence;
  ProtoStream Copying(Stream);
  google::protobuf::io::CopyingOutputStreamAdaptor Adaptor(&Copying);
  if (!P.SerializePartialToZeroCopyStream(&Adaptor))
    return llvm::createStringError("protobuf cannot serialise the model");
  return llvm::Error::success();
}

llvm::Expected<std::string> deepshare::serializeModel(const Model &M) {
  ModelProto P;
  exportModel(M, P, {});
  std::string Bytes;
  llvm::raw_string_ostream Stream(Bytes);
  if (llvm::Error E = serialize(P, Stream))
    return E;
  return Bytes;
}

static llvm::Error writeText(const Model &M, llvm::StringRef Path, OutputFiles &Files) {
  llvm::Expected<std::string> Text = printModelText(M);
  if (!Text)
    return Text.takeError();
  return Files.write(Path, [&](llvm::raw_ostream &OS) { OS << *Text; });
}

/// That \p Written, of a model at \p Path, is no file that the tensors of \p M come from; its own may be replaced.
static llvm::Error checkNotRead(const Model &M, llvm::StringRef Path, llvm::StringRef Written) {
  const ModelFiles &From = M.files();
  for (const std::string &Data : From.Data)
    if (llvm::sys::fs::equivalent(Written, Data) && !llvm::sys::fs::equivalent(Path, From.Path))
      return llvm::createStringError(
          fmt::format("cannot write '{}': tensors of '{}' are there", Written.str(), From.Path));
  return llvm::Error::success();
}

llvm::Error deepshare::writeModel(const Model &M, llvm::StringRef Path, OutputFiles &Files) {
  if (Path == "-" || hasTextName(Path))
    return writeText(M, Path, Files);
  if (llvm::Error E = checkNotRead(M, Path, Path))
    return E;
  llvm::Expected<AtomicFile> File = AtomicFile::create(Path);
  if (!File)
    return File.takeError();
  TensorSurvey Survey(M);
  std::optional<AtomicFile> Data;
  std::optional<ExternalDataWriter> External;
  // A quarter of the limit is left to everything that is not a tensor.
  if (Survey.AnyExternal || Survey.TotalBytes >= LargestMessage / 4 * 3) {
    std::string DataPath = (Path + ".data").str();
    if (llvm::Error E = checkNotRead(M, Path, DataPath))
      return E;
    llvm::Expected<AtomicFile> Created = AtomicFile::create(DataPath);
    if (!Created)
      return Created.takeError();
    Data.emplace(std::move(*Created));
    External.emplace(Data->stream(), llvm::sys::path::filename(DataPath));
  }
  TensorSink Sink;
  Sink.External = External ? &*External : nullptr;
  ModelProto P;
  exportModel(M, P, Sink);
  if (llvm::Error E = serialize(P, File->stream()))
    return prefix(Path, std::move(E));
  if (llvm::Error E = File->finish())
    return E;
  if (Data) {
    if (llvm::Error E = Data->finish())
      return E;
    Files.add(std::move(*Data));
  }
  Files.add(std::move(*File));
  return llvm::Error::success();
}

llvm::Error deepshare::writeModel(const Model &M, llvm::StringRef Path) {
  OutputFiles Files;
  if (llvm::Error E = writeModel(M, Path, Files))
    return E;
  return Files.publish();
}
