//===- NumpyWriter.cpp - writes .npy arrays and .npz archives -------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Formats.h"

#include "deepshare/Data/Numpy.h"
#include "deepshare/Support/AtomicFile.h"

#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/raw_ostream.h"

#include <zip.h>

using namespace deepshare;
using namespace deepshare::data;

/// What stands before the elements, version 1.0 of the format, padded so that they are aligned to 64 bytes.
static std::string makeHeader(const NumpyArray &Array) {
  std::string Shape;
  for (int64_t Size : Array.Shape)
    Shape += std::to_string(Size) + ", ";
  if (Array.Shape.size() > 1)
    Shape.resize(Shape.size() - 2);
  std::string Text = "{'descr': '" + Array.Type + "', 'fortran_order': False, 'shape': (" + Shape + "), }";
  constexpr size_t Preamble = 10;
  Text.append(63 - (Preamble + Text.size()) % 64, ' ');
  Text += '\n';
  std::string Header("\x93NUMPY\x01\x00", 8);
  Header += static_cast<char>(Text.size() & 0xff);
  Header += static_cast<char>(Text.size() >> 8);
  return Header + Text;
}

llvm::Error deepshare::writeNpy(const NumpyArray &Array, llvm::StringRef Path) {
  return writeFile(Path, [&](llvm::raw_ostream &Out) { Out << makeHeader(Array) << Array.Data; });
}

llvm::Error deepshare::writeNpz(const std::map<std::string, NumpyArray> &Arrays, llvm::StringRef Path) {
  int Code = 0;
  std::unique_ptr<zip_t, void (*)(zip_t *)> Zip(zip_open(Path.str().c_str(), ZIP_CREATE | ZIP_TRUNCATE, &Code),
                                                zip_discard);
  if (!Zip) {
    zip_error_t Error;
    zip_error_init_with_code(&Error, Code);
    auto Release = llvm::make_scope_exit([&] { zip_error_fini(&Error); });
    return fileError(Path, zip_error_strerror(&Error));
  }
  std::vector<std::string> Members; // read when the archive is closed
  Members.reserve(Arrays.size());
  for (const auto &[Name, Array] : Arrays) {
    const std::string &Member = Members.emplace_back(makeHeader(Array) + Array.Data.str());
    zip_source_t *Source = zip_source_buffer(Zip.get(), Member.data(), Member.size(), 0);
    int64_t Index = Source ? zip_file_add(Zip.get(), (Name + ".npy").c_str(), Source, ZIP_FL_ENC_UTF_8) : -1;
    if (Index < 0) {
      zip_source_free(Source);
      return fileError(Path, zip_strerror(Zip.get()));
    }
    zip_set_file_compression(Zip.get(), Index, ZIP_CM_STORE, 0);
  }
  // Closing writes a file beside the path and renames it.
  if (zip_close(Zip.get()) != 0)
    return fileError(Path, zip_strerror(Zip.get()));
  [[maybe_unused]] zip_t *Closed = Zip.release();
  return llvm::Error::success();
}
