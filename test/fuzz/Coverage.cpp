//===- Coverage.cpp - GCC's coverage as libFuzzer counts it ---------------===//
//
// Part of DeepShare, under the Apache License 2.0. See LICENSE.
//
//===----------------------------------------------------------------------===//
//
// libFuzzer comes with clang, which cannot parse libtorch's headers; GCC, which can, has a coverage of its own: a call
// at each edge (-fsanitize-coverage=trace-pc). This counts the calls by their places, in a section that libFuzzer takes
// for counters of its user ("extra counters"). In other programs of the build nobody reads them. libFuzzer has a
// function of the called name, which only complains: the linker sends the calls here (--wrap).
//
//===----------------------------------------------------------------------===//

#include <cstdint>

// A power of two; with some 40,000 places few share a counter.
static constexpr uintptr_t NumCounters = 1 << 18;

[[gnu::section("__libfuzzer_extra_counters"), gnu::used]] static uint8_t Counters[NumCounters];

extern "C" void __wrap___sanitizer_cov_trace_pc() {
  // Counted from a place in this program, so that a run is like another wherever the program is loaded.
  auto Place = reinterpret_cast<uintptr_t>(__builtin_return_address(0)) - reinterpret_cast<uintptr_t>(Counters);
  // Multiplicative hashing (Knuth): the upper bits of the product.
  uint8_t &Counter = Counters[(Place * 0x9E3779B97F4A7C15u) >> 46];
  if (Counter != UINT8_MAX)
    ++Counter;
}

// Comparisons of integers go to libFuzzer (or to weak functions of the sanitizers' runtime); of floats it knows
// nothing.
extern "C" void __sanitizer_cov_trace_cmpf(float, float) {}
extern "C" void __sanitizer_cov_trace_cmpd(double, double) {}
