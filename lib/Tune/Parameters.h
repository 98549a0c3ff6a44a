//===- Parameters.h - which constants of a model are trained ----*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_LIB_TUNE_PARAMETERS_H
#define DEEPSHARE_LIB_TUNE_PARAMETERS_H

#include "deepshare/IR/Model.h"

#include <vector>

namespace deepshare::tune {

/// What an initialiser is to the node that uses it.
enum class Role {
  Weight, ///< multiplies the input; output channels first, unless the operator says otherwise
  Bias,
  Scale,    ///< of a normalisation
  Slope,    ///< of PRelu
  Mean,     ///< running statistic of BatchNormalization: not trained by gradients
  Variance, ///< likewise
};

struct Parameter {
  Value *Of;
  Role Kind;
  Node *User;
};

/// Every float32 value of the main graph for which \p IsCandidate holds and that a node uses in one of these roles,
/// once each (by its first use), in graph order.
std::vector<Parameter> findParameters(Model &M, llvm::function_ref<bool(const Value &)> IsCandidate);

} // namespace deepshare::tune

#endif // DEEPSHARE_LIB_TUNE_PARAMETERS_H
