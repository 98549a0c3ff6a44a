//===- Text.cpp - fuzzes the parser of ONNX text --------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Fuzz.h"

#include "deepshare/IR/Verifier.h"
#include "deepshare/ONNX/ONNX.h"

using namespace deepshare;
using namespace deepshare::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *Data, size_t Size) {
  llvm::Expected<std::unique_ptr<Model>> M = parseModelText(toText(Data, Size), "fuzz");
  if (refused(M.takeError()))
    return 0;
  requireSuccess(verify(**M), "the importer made no graph");
  llvm::Expected<std::string> Printed = printModelText(**M);
  requireSuccess(Printed.takeError(), "what parses does not print");
  // ONNX's printer writes some names and attributes in ways that its parser does not read.
  refused(parseModelText(*Printed, "printed").takeError());
  refused(inferShapes(**M));
  return 0;
}
