//===- ONNX.h - reads and writes ONNX models -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_ONNX_ONNX_H
#define DEEPSHARE_ONNX_ONNX_H

#include "deepshare/IR/Model.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <memory>
#include <string>

namespace deepshare {

class OutputFiles;

/// Reads a model: binary (`.onnx`) or ONNX text (`.onnxtxt`, `.onnxtext`; "-" reads text or binary from standard
/// input). Tensors are views of the memory-mapped file, or of the external data files beside it. What the IR does not
/// model is kept as bytes and written back by writeModel. Accepts IR versions from 3 to the newest that the ONNX
/// library knows, and any opset: what needs to know operators (inferShapes first of all) needs opset 7 or later. A
/// graph without outputs is an error. Errors name the file, and the node or tensor at fault.
llvm::Expected<std::unique_ptr<Model>> readModel(llvm::StringRef Path);

/// Reads a model from bytes that \p Name describes in messages. External data is looked up in \p Folder.
llvm::Expected<std::unique_ptr<Model>> readModelFromBytes(llvm::StringRef Bytes, llvm::StringRef Name,
                                                          llvm::StringRef Folder = "");

/// Parses ONNX text.
llvm::Expected<std::unique_ptr<Model>> parseModelText(llvm::StringRef Text, llvm::StringRef Name);

/// Writes a model: ONNX text if \p Path ends in .onnxtxt or .onnxtext or is "-", else binary. The file is written
/// beside \p Path and renamed, so that an error leaves an existing file whole. A model that had external data, or that
/// would pass protobuf's 2 GiB, gets its larger tensors in `<Path>.data`; an error if that holds tensors of the file
/// that M was read from, unless this is Path. A domain that nodes use needs an opset import: Model::addOpset is the
/// caller's to call.
llvm::Error writeModel(const Model &M, llvm::StringRef Path);

/// The same, to appear with what else is in \p Files.
llvm::Error writeModel(const Model &M, llvm::StringRef Path, OutputFiles &Files);

/// Serialises a model to ONNX's binary format, all tensors inside; an untouched model gives back a message equal to
/// the one that was read.
llvm::Expected<std::string> serializeModel(const Model &M);

/// False if \p M holds sparse tensors or defaults of functions' attributes, for which ONNX text has no form.
bool hasTextForm(const Model &M);

/// Prints a model as ONNX text; an error unless hasTextForm().
llvm::Expected<std::string> printModelText(const Model &M);

/// Infers the types of all values with the ONNX library (constants propagated, functions looked into) and stores them
/// on the values of the main graph and its subgraphs. Known sizes are refined, never contradicted: a contradiction is
/// an error that names the node, and so is an opset older than 7 or newer than the library. What a Loop carries has the
/// shape that it comes with, where the body keeps that. Sizes that are a multiple of the batch, an input's first size
/// that is no number, are known as such; it gets a name if it has none. Names that a file gives to sizes of outputs and
/// in bodies give way to what follows from the inputs. Export writes inferred types as value_info.
llvm::Error inferShapes(Model &M);

/// What the model's metadata says under \p Key; empty if it says nothing.
std::string metadataOf(const Model &M, llvm::StringRef Key);

/// Has the model's metadata say \p Text under \p Key, in the place of what it said.
void setMetadata(Model &M, llvm::StringRef Key, llvm::StringRef Text);

/// The opset of \p Domain that defined operator \p Type as opset \p Version has it; 0 if ONNX knows no such operator
/// there.
int64_t operatorSince(llvm::StringRef Type, llvm::StringRef Domain, int64_t Version);

/// A model whose one function is ONNX's own definition of the operator of \p N, in operators of the opset that N's
/// model imports; null if ONNX does not define the operator by others there. Some definitions depend on the types of
/// N's inputs, which have to be known then.
llvm::Expected<std::unique_ptr<Model>> defineOperator(const Node &N);

/// Converts a copy of \p M to \p Version of ONNX's own operators, with the ONNX library's converter. Operators of other
/// domains and functions stay what they are. An error names the opset at which the converter gives up, and the
/// operator.
llvm::Expected<std::unique_ptr<Model>> convertOpset(const Model &M, int64_t Version);

/// Checks the model against the ONNX library's checker: known operators, right arities and attributes.
llvm::Error checkModel(const Model &M);

} // namespace deepshare

#endif // DEEPSHARE_ONNX_ONNX_H
