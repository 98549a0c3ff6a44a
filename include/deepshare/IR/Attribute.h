//===- Attribute.h - typed node attributes ----------------------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_IR_ATTRIBUTE_H
#define DEEPSHARE_IR_ATTRIBUTE_H

#include "deepshare/IR/Tensor.h"

#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace deepshare {

class Graph;

/// An attribute that this IR does not model (sparse tensors, type protos): its whole serialised form.
struct OpaqueAttribute {
  /// ONNX's AttributeProto.AttributeType.
  int32_t Type = 0;
};

/// Inside a function body: the value of the attribute \p Name of the node that calls the function.
struct AttributeReference {
  std::string Name;
  /// ONNX's AttributeProto.AttributeType.
  int32_t Type = 0;
};

using AttributeValue = std::variant<int64_t, float, std::string, Tensor, std::unique_ptr<Graph>, std::vector<int64_t>,
                                    std::vector<float>, std::vector<std::string>, std::vector<Tensor>,
                                    std::vector<std::unique_ptr<Graph>>, OpaqueAttribute, AttributeReference>;

/// A named attribute of a node.
struct Attribute {
  std::string Name;
  AttributeValue Value;
  /// Fields of the serialised form that we do not model, as lib/ONNX wrote them.
  std::string Unmodelled;
};

} // namespace deepshare

#endif // DEEPSHARE_IR_ATTRIBUTE_H
