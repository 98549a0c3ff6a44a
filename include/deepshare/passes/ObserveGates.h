//===- ObserveGates.h - measures gates on calibration images -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_PASSES_OBSERVEGATES_H
#define DEEPSHARE_PASSES_OBSERVEGATES_H

#include "deepshare/passes/Pass.h"

namespace deepshare {

/// Measures the moments of every shareable gate on the context's images and leaves them there.
PassInfo observeGatesPass();

} // namespace deepshare

#endif // DEEPSHARE_PASSES_OBSERVEGATES_H
