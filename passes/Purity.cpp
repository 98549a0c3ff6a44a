//===- Purity.cpp - which nodes give the same result each time ------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#include "Purity.h"

#include "llvm/ADT/StringSwitch.h"

using namespace deepshare;

static bool isRandom(const Node &N) {
  return llvm::StringSwitch<bool>(N.opType())
      .Cases("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", true)
      .Cases("Multinomial", "Bernoulli", true)
      .Case("Dropout", N.input(2) != nullptr) // in training mode, unless the input says no
      .Default(false);
}

bool deepshare::isPure(const Node &N) { return N.domain().empty() && N.subgraphs().empty() && !isRandom(N); }
