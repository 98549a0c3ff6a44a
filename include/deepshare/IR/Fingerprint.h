//===- Fingerprint.h - identifies a model's structure -----------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_IR_FINGERPRINT_H
#define DEEPSHARE_IR_FINGERPRINT_H

#include "deepshare/IR/Model.h"

#include <string>

namespace deepshare {

/// The sha256, in hex, of the structure of a model's main graph: operators, edges, attributes that are numbers or
/// strings, and the types of its inputs and initialisers. Neither names nor weights take part, so that a plan made for
/// a network still fits after the network was tuned.
std::string structureFingerprint(const Model &M);

} // namespace deepshare

#endif // DEEPSHARE_IR_FINGERPRINT_H
