//===- Forms.h - what the tables of several targets ask about -*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_PASSES_TARGETS_FORMS_H
#define DEEPSHARE_PASSES_TARGETS_FORMS_H

#include "../ConstantNode.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>

namespace deepshare::forms {

/// "input 2 (repeats) is not a constant" unless it is one.
inline std::string needConstant(const Node &N, unsigned Input, const char *What) {
  if (constantTensor(N.input(Input)))
    return {};
  return fmt::format("input {} ({}) {}", Input, What, N.input(Input) ? "is not a constant" : "is missing");
}

/// "attribute 'axis' is missing" unless it is there.
inline std::string needAttributes(const Node &N, std::initializer_list<const char *> Names) {
  for (const char *Name : Names)
    if (!N.attribute(Name))
      return fmt::format("attribute '{}' is missing", Name);
  return {};
}

/// Refuses pads that are not the same at both ends of an axis.
inline std::string needSymmetricPads(const Node &N) {
  std::vector<int64_t> Pads = N.intsAttribute("pads");
  for (size_t Axis = 0; Axis < Pads.size() / 2; ++Axis)
    if (Pads[Axis] != Pads[Axis + Pads.size() / 2])
      return fmt::format("pads [{}] are not the same at both ends", fmt::join(Pads, ", "));
  return {};
}

/// Refuses automatic padding.
inline std::string needExplicitPads(const Node &N) {
  std::string Auto = N.stringAttribute("auto_pad", "NOTSET");
  return Auto == "NOTSET" ? std::string() : fmt::format("auto_pad '{}' could not be made explicit", Auto);
}

/// Refuses a BatchNormalization that is more than a factor and an offset a channel.
inline std::string refuseStatistics(const Node &N) {
  return isInferenceNormalization(N) ? std::string() : "it is in training mode, or normalises single elements";
}

/// The first of the reasons that is not empty.
inline std::string firstOf(std::initializer_list<std::string> Reasons) {
  for (const std::string &Reason : Reasons)
    if (!Reason.empty())
      return Reason;
  return {};
}

} // namespace deepshare::forms

#endif // DEEPSHARE_PASSES_TARGETS_FORMS_H
