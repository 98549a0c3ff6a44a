// Read before every file that clang-tidy checks: in C++20 clang instantiates the constexpr destructor of libstdc++ 12's
// vector too early for libtorch 1.13, which has vectors of a type that is still incomplete. GCC does not. Here vector
// is not constexpr; the one function of its headers that was declared constexpr before them gets another name.
#include <algorithm>
#include <memory>
#include <string>

#undef _GLIBCXX20_CONSTEXPR
#define _GLIBCXX20_CONSTEXPR
#define __fill_a1 __fill_a1_of_vector
#include <vector>
#undef __fill_a1
#undef _GLIBCXX20_CONSTEXPR
#define _GLIBCXX20_CONSTEXPR constexpr
