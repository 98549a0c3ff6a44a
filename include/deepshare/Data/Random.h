//===- Random.h - reproducible random numbers -------------------*- C++ -*-===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//

#ifndef DEEPSHARE_DATA_RANDOM_H
#define DEEPSHARE_DATA_RANDOM_H

#include <cstdint>
#include <initializer_list>

namespace deepshare {

/// SplitMix64 (Steele, Lea and Flood, 2014): the same numbers on every machine and with every standard library, and
/// cheap enough to seed for each image.
class Random {
public:
  /// A generator for the stream that \p Keys name, in order: (seed, epoch, index) and the like.
  explicit Random(std::initializer_list<uint64_t> Keys) {
    for (uint64_t Key : Keys)
      State = mix(State + Key);
  }

  uint64_t next() { return mix(State += Increment); }
  /// Uniform in [0, Bound); \p Bound is not 0.
  uint64_t below(uint64_t Bound) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(next()) * Bound) >> 64);
  }
  /// Uniform in [0, 1).
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }

private:
  static constexpr uint64_t Increment = 0x9E3779B97F4A7C15;
  static uint64_t mix(uint64_t Z) {
    Z = (Z ^ (Z >> 30)) * 0xBF58476D1CE4E5B9;
    Z = (Z ^ (Z >> 27)) * 0x94D049BB133111EB;
    return Z ^ (Z >> 31);
  }
  uint64_t State = Increment;
};

} // namespace deepshare

#endif // DEEPSHARE_DATA_RANDOM_H
