//===- Communicator.cpp - processes that work together --------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/Exec/Communicator.h"

#include "deepshare/Exec/Guard.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/xxhash.h"

#include <ATen/ATen.h>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

using namespace deepshare;

struct Communicator::Impl {
  unsigned Rank, Size;
  c10::intrusive_ptr<c10d::ProcessGroupGloo> Group;
};

Communicator::Communicator(std::unique_ptr<Impl> I) : I(std::move(I)) {}
Communicator::~Communicator() = default;

unsigned Communicator::rank() const { return I->Rank; }
unsigned Communicator::size() const { return I->Size; }

static llvm::Expected<std::string> variable(llvm::StringRef Name) {
  std::optional<std::string> Value = llvm::sys::Process::GetEnv(Name);
  if (!Value || Value->empty())
    return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                   "WORLD_SIZE is set, but the environment variable " + Name + " is not");
  return *Value;
}

static llvm::Expected<unsigned> number(llvm::StringRef Name, unsigned Least, unsigned Most) {
  llvm::Expected<std::string> Text = variable(Name);
  if (!Text)
    return Text.takeError();
  unsigned Value;
  if (!llvm::to_integer(*Text, Value, 10) || Value < Least || Value > Most)
    return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                   "environment variable " + Name + ": expected a number from " + llvm::Twine(Least) +
                                       " to " + llvm::Twine(Most) + ", got '" + *Text + "'");
  return Value;
}

llvm::Expected<std::unique_ptr<Communicator>> Communicator::fromEnvironment() {
  if (!llvm::sys::Process::GetEnv("WORLD_SIZE"))
    return nullptr;
  llvm::Expected<unsigned> Size = number("WORLD_SIZE", 1, 1 << 16);
  if (!Size)
    return Size.takeError();
  if (*Size == 1)
    return nullptr;
  llvm::Expected<unsigned> Rank = number("RANK", 0, *Size - 1);
  if (!Rank)
    return Rank.takeError();
  llvm::Expected<std::string> Address = variable("MASTER_ADDR");
  if (!Address)
    return Address.takeError();
  llvm::Expected<unsigned> Port = number("MASTER_PORT", 1, 65535);
  if (!Port)
    return Port.takeError();
  return guarded("cannot join the other processes", [&]() -> llvm::Expected<std::unique_ptr<Communicator>> {
    c10d::TCPStoreOptions StoreOptions;
    StoreOptions.port = static_cast<uint16_t>(*Port);
    StoreOptions.isServer = *Rank == 0;
    StoreOptions.numWorkers = *Size;
    auto Store = c10::make_intrusive<c10d::TCPStore>(*Address, StoreOptions);
    auto Options = c10d::ProcessGroupGloo::Options::create();
    Options->devices.push_back(c10d::ProcessGroupGloo::createDefaultDevice());
    auto Group =
        c10::make_intrusive<c10d::ProcessGroupGloo>(Store, static_cast<int>(*Rank), static_cast<int>(*Size), Options);
    return std::unique_ptr<Communicator>(
        new Communicator(std::make_unique<Impl>(Impl{*Rank, *Size, std::move(Group)})));
  });
}

llvm::Error Communicator::sum(at::Tensor &T) {
  return guarded("another process has ended or is out of reach", [&]() -> llvm::Error {
    at::Tensor OnCPU = T.to(at::kCPU).contiguous();
    std::vector<at::Tensor> Tensors{OnCPU};
    I->Group->allreduce(Tensors)->wait();
    T.copy_(OnCPU);
    return llvm::Error::success();
  });
}

llvm::Error Communicator::agree(llvm::StringRef What, llvm::StringRef Text) {
  // Each process fills in its own place.
  auto Own = static_cast<int64_t>(llvm::xxh3_64bits(Text));
  at::Tensor Hashes = at::zeros({int64_t(size())}, at::kLong);
  Hashes[rank()] = Own;
  if (llvm::Error E = sum(Hashes))
    return E;
  if (Hashes.eq(Own).all().item<bool>())
    return llvm::Error::success();
  return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                 "processes do not agree on " + What + ": give them the same files and options");
}
