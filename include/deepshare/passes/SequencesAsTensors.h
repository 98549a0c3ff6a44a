//===- SequencesAsTensors.h -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_PASSES_SEQUENCESASTENSORS_H
#define DEEPSHARE_PASSES_SEQUENCESASTENSORS_H

#include "deepshare/passes/Pass.h"

namespace deepshare {

/// Reads from sequences whose elements are known read from the elements.
PassInfo sequencesAsTensorsPass();

} // namespace deepshare

#endif // DEEPSHARE_PASSES_SEQUENCESASTENSORS_H
