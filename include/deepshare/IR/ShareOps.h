//===- ShareOps.h - the operators of domain ai.deepshare --------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// DReLU(X) -> M: M = X > 0, boolean; one secure comparison an element. With attribute `block` = [b, b] (overload
// "block"), the mean of each b x b tile is compared instead, one comparison a tile; tiles at the border are cut.
//
// DReLUShare(X, M1, ..., Mk) -> Y, k >= 1 (overload "m<k>"): with M the concatenation of the masks along the channel
// axis 1,
//   Y[:,c] = X[:,c] * (M[:,mask[c]] ? on[c] : off[c])   where mask[c] >= 0
//   Y[:,c] = X[:,c] * on[c]                             where mask[c] == -1 (on[c] == off[c])
// Both have a body of standard operators (opset 13 or later, IR version 10 for the overloads), so that any runtime
// can run them. docs/ops.md is their specification.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_IR_SHAREOPS_H
#define DEEPSHARE_IR_SHAREOPS_H

#include "deepshare/IR/Model.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

namespace deepshare {

inline constexpr llvm::StringLiteral ShareDomain = "ai.deepshare";
inline constexpr int64_t ShareDomainVersion = 1;
/// The opset of ONNX's own operators that the bodies need at least.
inline constexpr int64_t ShareOpsMinOpset = 13;

/// True for a DReLU node of ai.deepshare.
bool isDReLU(const Node &N);
/// True for a DReLUShare node of ai.deepshare.
bool isDReLUShare(const Node &N);

/// Given: a value \p X of a model whose opset is ShareOpsMinOpset or later. Execute: inserts a DReLU node before \p
/// Before (with a block of \p Block x \p Block if that is not 1), and its function in the model if it is not there.
/// Result: the mask, named from \p Name.
Value *insertDReLU(Graph::iterator Before, Value *X, unsigned Block, const llvm::Twine &Name);

/// As insertDReLU, for DReLUShare with at least one mask. \p MaskIndex, \p On and \p Off have one entry a channel.
Value *insertDReLUShare(Graph::iterator Before, Value *X, llvm::ArrayRef<Value *> Masks,
                        llvm::ArrayRef<int64_t> MaskIndex, llvm::ArrayRef<float> On, llvm::ArrayRef<float> Off,
                        const llvm::Twine &Name);

} // namespace deepshare

#endif // DEEPSHARE_IR_SHAREOPS_H
