//===- Numpy.h - arrays in numpy's files ------------------------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_DATA_NUMPY_H
#define DEEPSHARE_DATA_NUMPY_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace deepshare {

/// An array: row-major, little-endian elements.
struct NumpyArray {
  std::string Type; ///< as numpy writes it: "|u1", "<f4", ...
  std::vector<int64_t> Shape;
  llvm::StringRef Data;
  std::shared_ptr<const void> Owner; ///< keeps Data alive
};

/// Reads a .npy array (mapped; its name is "") or all arrays of a .npz archive, by name. Errors name the file.
llvm::Expected<std::map<std::string, NumpyArray>> readNumpy(llvm::StringRef Path);

/// Writes a .npy file beside \p Path and renames it there.
llvm::Error writeNpy(const NumpyArray &Array, llvm::StringRef Path);

/// Writes an uncompressed .npz archive beside \p Path and renames it there.
llvm::Error writeNpz(const std::map<std::string, NumpyArray> &Arrays, llvm::StringRef Path);

} // namespace deepshare

#endif // DEEPSHARE_DATA_NUMPY_H
