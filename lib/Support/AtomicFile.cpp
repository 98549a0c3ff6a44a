//===- AtomicFile.cpp - files that appear whole or not at all -------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Support/AtomicFile.h"

#include "llvm/ADT/SmallString.h"

#include <fmt/format.h>

using namespace deepshare;
namespace fs = llvm::sys::fs;

static llvm::Error failToWrite(llvm::StringRef Path, const std::string &Reason) {
  return llvm::createStringError(fmt::format("cannot write '{}': {}", Path.str(), Reason));
}

llvm::Expected<AtomicFile> AtomicFile::create(llvm::StringRef Path) {
  AtomicFile File;
  File.Path = Path.str();
  llvm::SmallString<128> Target;
  if (fs::is_symlink_file(Path)) {
    if (fs::real_path(Path, Target))
      return failToWrite(Path, "it is a link to nothing");
    File.Path = Target.str().str();
  }
  fs::file_status Status;
  bool Exists = !fs::status(File.Path, Status) && fs::exists(Status);
  if (Exists && fs::is_directory(Status))
    return failToWrite(File.Path, "it is a folder");
  if (Exists && !fs::is_regular_file(Status)) {
    std::error_code Code;
    File.Stream = std::make_unique<llvm::raw_fd_ostream>(File.Path, Code);
    if (Code)
      return failToWrite(File.Path, Code.message());
    return File;
  }
  llvm::Expected<fs::TempFile> Temp = fs::TempFile::create(File.Path + ".%%%%%%.tmp", fs::all_read | fs::all_write);
  if (!Temp)
    return failToWrite(File.Path, llvm::toString(Temp.takeError()));
  // What only its owner may read stays so.
  if (Exists && fs::setPermissions(Temp->FD, Status.permissions())) {
    llvm::consumeError(Temp->discard());
    return failToWrite(File.Path, "cannot give it the permissions of the file that is there");
  }
  File.Stream = std::make_unique<llvm::raw_fd_ostream>(Temp->FD, /*shouldClose=*/false);
  File.Temp.emplace(std::move(*Temp));
  return File;
}

AtomicFile::~AtomicFile() {
  // A stream with a pending error would end the process.
  if (Stream) {
    Stream->flush();
    Stream->clear_error();
    Stream.reset();
  }
  if (Temp)
    llvm::consumeError(Temp->discard());
}

llvm::Error AtomicFile::finish() {
  Stream->flush();
  std::error_code Code = Stream->error();
  Stream->clear_error();
  Stream.reset();
  return Code ? failToWrite(Path, Code.message()) : llvm::Error::success();
}

llvm::Error AtomicFile::publish() {
  if (!Temp)
    return llvm::Error::success();
  llvm::Error E = Temp->keep(Path);
  Temp.reset();
  return E ? failToWrite(Path, llvm::toString(std::move(E))) : llvm::Error::success();
}

llvm::Error OutputFiles::write(llvm::StringRef Path, llvm::function_ref<void(llvm::raw_ostream &)> Write) {
  if (Path == "-") {
    Write(llvm::outs());
    llvm::outs().flush();
    return llvm::Error::success();
  }
  llvm::Expected<AtomicFile> File = AtomicFile::create(Path);
  if (!File)
    return File.takeError();
  Write(File->stream());
  if (llvm::Error E = File->finish())
    return E;
  add(std::move(*File));
  return llvm::Error::success();
}

llvm::Error OutputFiles::writeText(llvm::StringRef Path, llvm::StringRef Text) {
  return write(Path, [&](llvm::raw_ostream &OS) { OS << Text; });
}

llvm::Error OutputFiles::publish() {
  for (AtomicFile &File : Files)
    if (llvm::Error E = File.publish())
      return E;
  Files.clear();
  return llvm::Error::success();
}

llvm::Error deepshare::writeFile(llvm::StringRef Path, llvm::function_ref<void(llvm::raw_ostream &)> Write) {
  OutputFiles File;
  if (llvm::Error E = File.write(Path, Write))
    return E;
  return File.publish();
}

llvm::Error deepshare::checkWritable(llvm::StringRef Path) {
  llvm::sys::fs::file_status Status;
  if (!fs::status(Path, Status) && fs::exists(Status) && !fs::is_regular_file(Status) && !fs::is_directory(Status))
    return llvm::Error::success(); // a device or pipe: opening it may wait for its reader
  return AtomicFile::create(Path).takeError();
}
