//===- ChannelsFirst.h -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_PASSES_CHANNELSFIRST_H
#define DEEPSHARE_PASSES_CHANNELSFIRST_H

#include "deepshare/passes/Pass.h"

namespace deepshare {

/// Lets gates whose channels are on another axis see them on axis 1, between transpositions, so that they take part in
/// sharing.
PassInfo channelsFirstPass();

} // namespace deepshare

#endif // DEEPSHARE_PASSES_CHANNELSFIRST_H
