//===- Arrays.cpp - numpy's files as tensors ------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Arrays.h"

#include "deepshare/Data/Numpy.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cstring>

using namespace deepshare;

static constexpr std::pair<const char *, at::ScalarType> Types[] = {
    {"<f4", at::kFloat}, {"<f8", at::kDouble}, {"<f2", at::kHalf}, {"|i1", at::kChar}, {"|u1", at::kByte},
    {"<i2", at::kShort}, {"<i4", at::kInt},    {"<i8", at::kLong}, {"|b1", at::kBool},
};

static llvm::Expected<at::Tensor> toTensor(const NumpyArray &Array, const std::string &Path) {
  for (auto [Name, Type] : Types) {
    if (Array.Type != Name)
      continue;
    at::Tensor T = at::empty(Array.Shape, at::dtype(Type));
    if (!Array.Data.empty())
      std::memcpy(T.data_ptr(), Array.Data.data(), Array.Data.size());
    return T;
  }
  return llvm::createStringError(fmt::format("{}: element type '{}' is not supported", Path, Array.Type));
}

static llvm::Expected<NumpyArray> toArray(const at::Tensor &T, const std::string &Path) {
  for (auto [Name, Type] : Types) {
    if (T.scalar_type() != Type)
      continue;
    auto Owner = std::make_shared<at::Tensor>(T.contiguous());
    llvm::StringRef Data(static_cast<const char *>(Owner->data_ptr()), Owner->nbytes());
    return NumpyArray{Name, T.sizes().vec(), Data, Owner};
  }
  return llvm::createStringError(
      fmt::format("{}: numpy has no counterpart of element type {}", Path, at::toString(T.scalar_type())));
}

template <typename T> static std::string nameList(llvm::ArrayRef<T> Values) {
  std::string Names;
  for (const Value *V : Values)
    Names += (Names.empty() ? "'" : ", '") + V->name().str() + "'";
  return Names.empty() ? "none" : Names;
}

llvm::Expected<std::vector<at::Tensor>> deepshare::readInputs(llvm::ArrayRef<const Value *> Inputs,
                                                              llvm::ArrayRef<std::string> Arguments) {
  std::map<std::string, at::Tensor> Given;
  for (llvm::StringRef Argument : Arguments) {
    auto [Name, File] = Argument.contains('=') ? Argument.split('=') : std::pair(llvm::StringRef(), Argument);
    std::string Path = File.str();
    llvm::Expected<std::map<std::string, NumpyArray>> Arrays = readNumpy(Path);
    if (!Arrays)
      return Arrays.takeError();
    for (const auto &[Member, Array] : *Arrays) {
      llvm::Expected<at::Tensor> T = toTensor(Array, Path);
      if (!T)
        return T.takeError();
      std::string Target = !Name.empty() ? Name.str() : Member;
      if (Target.empty() && Inputs.size() == 1)
        Target = Inputs.front()->name().str();
      if (llvm::none_of(Inputs, [&](const Value *V) { return V->name() == Target; }))
        return llvm::createStringError(
            Target.empty()
                ? fmt::format("{}: which input? give --input name={} (inputs: {})", Path, Path, nameList(Inputs))
                : fmt::format("{}: the model has no input '{}' (inputs: {})", Path, Target, nameList(Inputs)));
      Given[Target] = *T;
    }
  }
  std::vector<at::Tensor> Result;
  for (const Value *Input : Inputs) {
    auto Found = Given.find(Input->name().str());
    if (Found == Given.end())
      return llvm::createStringError(
          fmt::format("input '{}' has no array: give --input {}=file.npy", Input->name().str(), Input->name().str()));
    Result.push_back(Found->second);
  }
  return Result;
}

llvm::Error deepshare::writeOutputs(llvm::ArrayRef<Value *> Outputs, llvm::ArrayRef<at::Tensor> Tensors,
                                    llvm::ArrayRef<std::string> Arguments) {
  for (llvm::StringRef Argument : Arguments) {
    auto [Name, File] = Argument.contains('=') ? Argument.split('=') : std::pair(llvm::StringRef(), Argument);
    std::string Path = File.str();
    std::map<std::string, NumpyArray> Arrays;
    for (auto [Output, T] : llvm::zip_equal(Outputs, Tensors)) {
      if (!Name.empty() && Output->name() != Name)
        continue;
      llvm::Expected<NumpyArray> Array = toArray(T, Path);
      if (!Array)
        return Array.takeError();
      if (!File.ends_with(".npz"))
        Arrays.try_emplace("", *Array);
      else
        Arrays.emplace(Output->name().str(), *Array);
    }
    if (Arrays.empty())
      return llvm::createStringError(
          fmt::format("{}: the model has no output '{}' (outputs: {})", Path, Name.str(), nameList(Outputs)));
    if (llvm::Error E = File.ends_with(".npz") ? writeNpz(Arrays, Path) : writeNpy(Arrays.begin()->second, Path))
      return E;
  }
  return llvm::Error::success();
}
