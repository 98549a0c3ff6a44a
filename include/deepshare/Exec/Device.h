//===- Device.h - where ATen computes ---------------------------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_EXEC_DEVICE_H
#define DEEPSHARE_EXEC_DEVICE_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <c10/core/Device.h>

namespace deepshare {

/// The device \p Name: "cpu", "cuda" (the first GPU) or "cuda:1". Error for another name, and if this machine or this
/// build of libtorch does not have the device.
llvm::Expected<at::Device> openDevice(llvm::StringRef Name);

} // namespace deepshare

#endif // DEEPSHARE_EXEC_DEVICE_H
