//===- Json.h - reads JSON, with errors that say where -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_SUPPORT_JSON_H
#define DEEPSHARE_SUPPORT_JSON_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"

#include <cstdint>
#include <string>

namespace deepshare {

/// Parses JSON whose nesting stays below 64 levels. \p Name is for messages.
llvm::Expected<llvm::json::Value> parseJson(llvm::StringRef Text, llvm::StringRef Name);

/// One object of a JSON document, read field by field. The first error is kept and says where it is.
class JsonReader {
public:
  /// Reads \p V; \p Where ("plan.json: site 3") starts every message.
  JsonReader(const llvm::json::Value &V, const llvm::Twine &Where);

  bool has(llvm::StringRef Key) const { return Object && Object->get(Key); }
  /// The value of \p Key; an error unless it is there with the type. The results of failed reads are 0 or empty.
  std::string string(llvm::StringRef Key);
  int64_t integer(llvm::StringRef Key, int64_t Low, int64_t High);
  double number(llvm::StringRef Key, double Low, double High);
  const llvm::json::Array &array(llvm::StringRef Key);
  const llvm::json::Value &value(llvm::StringRef Key);
  /// Records an error for each key but \p Known.
  void expectOnly(llvm::ArrayRef<llvm::StringRef> Known);
  /// Records \p Message unless an error is there.
  void fail(const llvm::Twine &Message);
  /// Records the error of \p Inner, which has one, as it is.
  void fail(const JsonReader &Inner);
  bool failed() const { return !Failure.empty(); }
  /// The first error, or success.
  llvm::Error takeError() const;

private:
  const llvm::json::Value *get(llvm::StringRef Key);

  const llvm::json::Object *Object;
  std::string Where;
  std::string Failure;
};

} // namespace deepshare

#endif // DEEPSHARE_SUPPORT_JSON_H
