//===- Graphs.h - small models for the tests of lib/Exec -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_TEST_EXEC_GRAPHS_H
#define DEEPSHARE_TEST_EXEC_GRAPHS_H

#include "deepshare/Exec/Exec.h"

#include "llvm/Support/Error.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace deepshare {

/// A model that grows by one node at a time.
struct TestModel {
  explicit TestModel(int64_t Opset = 17) { M.opsets() = {{"", Opset}}; }

  Value *input(llvm::StringRef Name, std::optional<TensorType> Type = std::nullopt) {
    return M.graph().addInput(Name, std::move(Type));
  }
  Value *constant(llvm::StringRef Name, const at::Tensor &T) {
    return M.graph().addInitializer(Name, llvm::cantFail(fromATen(T)));
  }
  Value *node(llvm::StringRef OpType, llvm::ArrayRef<Value *> Inputs, llvm::StringRef Output,
              llvm::StringRef Domain = "") {
    return M.graph().insert(M.graph().end(), OpType, Inputs, Output, Domain);
  }

  Model M;
};

/// The value of \p E, or a failed test.
template <typename T> T valueOf(llvm::Expected<T> E) {
  if (E)
    return std::move(*E);
  ADD_FAILURE() << llvm::toString(E.takeError());
  return T();
}

/// The message of \p E, which must be an error.
template <typename T> std::string messageOf(llvm::Expected<T> E) {
  if (!E)
    return llvm::toString(E.takeError());
  ADD_FAILURE() << "expected an error";
  return "";
}

} // namespace deepshare

#endif // DEEPSHARE_TEST_EXEC_GRAPHS_H
