//===- Convert.cpp - another opset, by ONNX's converter -------------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// The library's converter works on a representation of its own, which holds less than a ModelProto: functions, metadata
// and training information are put back here. It steps from opset to opset and throws where an operator cannot make
// the step, with a message that often does not say which operator; the steps are then taken one by one to find out.
//
//===----------------------------------------------------------------------===//

#include "Exporter.h"

#include "deepshare/ONNX/ONNX.h"
#include "deepshare/Support/Error.h"

#include "onnx/defs/schema.h"
#include "onnx/version_converter/convert.h"

#include "llvm/ADT/StringExtras.h"

#include <fmt/format.h>

#include <set>

using namespace deepshare;
using namespace deepshare::onnx;

// Runs the converter; an error is what it threw, without the place in the library's source.
static llvm::Expected<ModelProto> convert(const ModelProto &P, int64_t Version) {
  try {
    return version_conversion::ConvertVersion(P, static_cast<int>(Version));
  } catch (const std::exception &E) {
    llvm::StringRef Message = llvm::StringRef(E.what()).trim();
    auto [Place, Reason] = Message.split("` failed: ");
    return makeError(Reason.empty() ? Message : Reason);
  }
}

static int64_t versionOf(const ModelProto &P) {
  for (const OperatorSetIdProto &Import : P.opset_import())
    if (canonicalDomain(Import.domain()).empty())
      return Import.version();
  return 0;
}

// The operators of \p G whose definition changes between two opsets.
static void collectChanging(const GraphProto &G, int64_t From, int64_t To, std::set<std::string> &Into) {
  for (const NodeProto &N : G.node()) {
    for (const AttributeProto &A : N.attribute())
      if (A.has_g())
        collectChanging(A.g(), From, To, Into);
    if (canonicalDomain(N.domain()).empty() &&
        (operatorSince(N.op_type(), "", From) != operatorSince(N.op_type(), "", To) ||
         operatorSince(N.op_type(), "", From) == 0))
      Into.insert(N.op_type());
  }
}

// Why \p P does not become opset \p Version.
static llvm::Error explain(ModelProto P, int64_t Version) {
  int64_t From = versionOf(P);
  while (From != Version) {
    int64_t To = From < Version ? From + 1 : From - 1;
    llvm::Expected<ModelProto> Next = convert(P, To);
    if (!Next) {
      std::set<std::string> Operators;
      collectChanging(P.graph(), From, To, Operators);
      return makeError(fmt::format("cannot be converted from opset {} to {}, at the step from {} to {} ({}): {}",
                                   versionOf(P), Version, From, To, llvm::join(Operators, ", "),
                                   llvm::toString(Next.takeError())));
    }
    P = std::move(*Next);
    From = To;
  }
  return makeError(fmt::format("cannot be converted to opset {}", Version));
}

// The first operator of \p G that opset \p Version does not have, as messages name it; empty if there is none.
static std::string findUnknown(const GraphProto &G, int64_t Version) {
  for (const NodeProto &N : G.node()) {
    if (canonicalDomain(N.domain()).empty() && !operatorSince(N.op_type(), "", Version))
      return fmt::format("node '{}' ({})", N.name().empty() && N.output_size() ? N.output(0) : N.name(), N.op_type());
    for (const AttributeProto &A : N.attribute())
      if (A.has_g())
        if (std::string Unknown = findUnknown(A.g(), Version); !Unknown.empty())
          return Unknown;
  }
  return {};
}

// Why the converter cannot be asked at all; empty if it can.
static std::string refuse(const ModelProto &P, int64_t Version) {
  auto [Oldest, Newest] = OpSchemaRegistry::DomainToVersionRange::Instance().Map().at("");
  for (int64_t Wanted : {versionOf(P), Version})
    if (Wanted < Oldest || Wanted > Newest)
      return fmt::format("opset {} is not among those that the ONNX library converts, {} to {}", Wanted, Oldest,
                         Newest);
  std::string Unknown = findUnknown(P.graph(), versionOf(P));
  return Unknown.empty() ? "" : fmt::format("{}: no such operator in opset {}", Unknown, versionOf(P));
}

// Before IR version 4 initialisers are listed as inputs, which callers cannot give all the same. Opsets that are newer
// than that need a newer version, in which the list would mean that they can.
static void hideDefaults(ModelProto &P) {
  constexpr int64_t WithPlainInitializers = 4;
  if (P.ir_version() >= WithPlainInitializers)
    return;
  std::set<std::string> Given;
  for (const TensorProto &Init : P.graph().initializer())
    Given.insert(Init.name());
  auto &Inputs = *P.mutable_graph()->mutable_input();
  Inputs.erase(std::remove_if(Inputs.begin(), Inputs.end(),
                              [&](const ValueInfoProto &Input) { return Given.count(Input.name()); }),
               Inputs.end());
  P.set_ir_version(WithPlainInitializers);
}

llvm::Expected<std::unique_ptr<Model>> deepshare::convertOpset(const Model &M, int64_t Version) {
  ModelProto P;
  exportModel(M, P, {});
  if (std::string Reason = refuse(P, Version); !Reason.empty())
    return makeError(Reason);
  hideDefaults(P);
  llvm::Expected<ModelProto> Converted = convert(P, Version);
  if (!Converted) {
    llvm::consumeError(Converted.takeError());
    return explain(std::move(P), Version);
  }
  *Converted->mutable_functions() = P.functions();
  *Converted->mutable_metadata_props() = P.metadata_props();
  *Converted->mutable_training_info() = P.training_info();
  Converted->set_ir_version(P.ir_version());
  for (const OperatorSetIdProto &Import : P.opset_import())
    if (!canonicalDomain(Import.domain()).empty() &&
        llvm::none_of(Converted->opset_import(),
                      [&](const OperatorSetIdProto &Known) { return Known.domain() == Import.domain(); }))
      *Converted->add_opset_import() = Import;
  llvm::Expected<std::unique_ptr<Model>> New =
      readModelFromBytes(Converted->SerializeAsString(), "the converted model");
  if (New)
    (*New)->setFiles(M.files());
  return New;
}
