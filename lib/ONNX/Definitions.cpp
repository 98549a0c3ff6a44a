//===- Definitions.cpp - how ONNX defines its operators -------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Exporter.h"
#include "Types.h"

#include "deepshare/ONNX/ONNX.h"

#include "onnx/defs/schema.h"

using namespace deepshare;
using namespace deepshare::onnx;

static const OpSchema *findSchema(llvm::StringRef Type, llvm::StringRef Domain, int64_t Version) {
  return OpSchemaRegistry::Schema(Type.str(), static_cast<int>(Version), Domain.str());
}

int64_t deepshare::operatorSince(llvm::StringRef Type, llvm::StringRef Domain, int64_t Version) {
  const OpSchema *Schema = findSchema(Type, Domain, Version);
  return Schema ? Schema->SinceVersion() : 0;
}

// The function for \p N, if \p Schema has one for opset \p Version.
static bool buildFunction(const OpSchema &Schema, const Node &N, int64_t Version, FunctionProto &Into) {
  if (Schema.HasFunction())
    if (const FunctionProto *Found = Schema.GetFunction(static_cast<int>(Version), /*validate=*/true)) {
      Into = *Found;
      return true;
    }
  if (!Schema.HasContextDependentFunction())
    return false;
  NodeProto P;
  exportNode(N, P, {});
  std::vector<TypeProto> Types(N.numInputs());
  for (unsigned Index = 0; Index < N.numInputs(); ++Index)
    if (N.input(Index) && N.input(Index)->type())
      writeType(*N.input(Index)->type(), Types[Index]);
  return Schema.BuildContextDependentFunction(FunctionBodyBuildContextImpl(P, Types), Into, static_cast<int>(Version));
}

llvm::Expected<std::unique_ptr<Model>> deepshare::defineOperator(const Node &N) {
  const Model &M = N.parent()->model();
  int64_t Version = M.opsetVersion(N.domain());
  const OpSchema *Schema = findSchema(N.opType(), N.domain(), Version);
  if (!Schema)
    return nullptr;
  ModelProto P;
  FunctionProto F;
  try {
    if (!buildFunction(*Schema, N, Version, F))
      return nullptr;
  } catch (const std::exception &E) {
    return nodeError(N, "ONNX's definition of it cannot be read: " + llvm::StringRef(E.what()).trim());
  }
  // A schema leaves out its own defaults, which its body refers to, and the domain where it is ONNX's.
  F.clear_attribute();
  F.clear_attribute_proto();
  for (const auto &[Name, A] : Schema->attributes())
    if (A.default_value.has_type() && A.default_value.type() != AttributeProto::UNDEFINED) {
      AttributeProto &Default = *F.add_attribute_proto();
      Default = A.default_value;
      Default.set_name(Name);
    } else {
      F.add_attribute(Name);
    }
  if (F.opset_import().empty()) {
    OperatorSetIdProto &Import = *F.add_opset_import();
    Import.set_domain(N.domain().str());
    Import.set_version(Version);
  }
  *P.add_functions() = F;
  P.set_ir_version(M.irVersion());
  P.mutable_graph()->set_name("empty");
  for (const OperatorSetIdProto &Import : F.opset_import())
    *P.add_opset_import() = Import;
  return readModelFromBytes(P.SerializeAsString(), "the definition of " + N.opType().str());
}
