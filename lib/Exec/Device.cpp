//===- Device.cpp - where ATen computes -----------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Exec/Device.h"

#include <ATen/Context.h>
#include <fmt/format.h>

using namespace deepshare;

llvm::Expected<at::Device> deepshare::openDevice(llvm::StringRef Name) {
  if (Name == "cpu")
    return at::Device(at::kCPU);
  llvm::StringRef Rest = Name;
  unsigned Index = 0;
  if (!Rest.consume_front("cuda") || (!Rest.empty() && (!Rest.consume_front(":") || Rest.getAsInteger(10, Index))))
    return llvm::createStringError(
        fmt::format("device '{}': expected cpu, cuda, or cuda:n for GPU number n", Name.str()));
  if (!at::hasCUDA())
    return llvm::createStringError(
        fmt::format("device '{}': there is no GPU here, or libtorch was built without CUDA", Name.str()));
  if (Index >= at::getNumGPUs())
    return llvm::createStringError(
        fmt::format("device '{}': this machine has {} GPUs, numbered from 0", Name.str(), at::getNumGPUs()));
  return at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(Index));
}
