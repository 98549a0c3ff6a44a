//===- Onnx.cpp - target: ONNX's own operators ----------------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "deepshare/passes/Target.h"

using namespace deepshare;

Target deepshare::onnxTarget() {
  return {.Name = "onnx",
          .Description = "any ONNX runtime: standard operators only, no functions of ai.deepshare",
          .Pipeline = "lower-share-ops",
          .Operators = {},
          .NewestOpset = 0,
          .RefuseModel = nullptr};
}
