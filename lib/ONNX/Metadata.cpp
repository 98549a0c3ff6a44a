//===- Metadata.cpp - a model's own notes ---------------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// metadata_props is a field that the IR does not model: it stands in the bytes that the model keeps of the file.
//
//===----------------------------------------------------------------------===//

#include "Proto.h"

#include "deepshare/ONNX/ONNX.h"

#include "llvm/ADT/STLExtras.h"

using namespace deepshare;
using namespace deepshare::onnx;

std::string deepshare::metadataOf(const Model &M, llvm::StringRef Key) {
  ModelProto P;
  restore(P, M.unmodelled());
  for (const StringStringEntryProto &Entry : P.metadata_props())
    if (Entry.key() == Key)
      return Entry.value();
  return "";
}

void deepshare::setMetadata(Model &M, llvm::StringRef Key, llvm::StringRef Text) {
  ModelProto P;
  restore(P, M.unmodelled());
  auto &Entries = *P.mutable_metadata_props();
  Entries.erase(llvm::remove_if(Entries, [&](const StringStringEntryProto &Old) { return Old.key() == Key; }),
                Entries.end());
  StringStringEntryProto *Entry = Entries.Add();
  Entry->set_key(Key.str());
  Entry->set_value(Text.str());
  M.setUnmodelled(remainder(P));
}
