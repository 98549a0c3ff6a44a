# Dependencies, and the two functions that declare DeepShare's libraries and executables.

find_package(LLVM 19.1 REQUIRED CONFIG)
find_package(fmt REQUIRED CONFIG)
find_package(Protobuf REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(LIBZIP REQUIRED IMPORTED_TARGET libzip)
find_package(Torch REQUIRED CONFIG)
# tools/setup builds ONNX into build/deps; CMAKE_PREFIX_PATH may name another. Its ONNXConfig.cmake asks for a CMake
# package of protobuf, which Debian has not got; the targets that it loads need only protobuf::libprotobuf.
find_file(ONNX_TARGETS lib/cmake/ONNX/ONNXTargets.cmake REQUIRED HINTS ${PROJECT_SOURCE_DIR}/build/deps/onnx-1.23.2)
include(${ONNX_TARGETS})

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Checkouts share what they compile: paths count from the checkout, precompiled headers by their contents.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1
    CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE})
endif()

# What every target of ours is compiled with. Others' headers are SYSTEM: their warnings are not ours.
add_library(deepshare-options INTERFACE)
target_include_directories(deepshare-options INTERFACE ${PROJECT_SOURCE_DIR}/include)
target_include_directories(deepshare-options SYSTEM INTERFACE ${LLVM_INCLUDE_DIRS})
target_compile_options(deepshare-options INTERFACE -Wall -Wextra -Wno-unused-parameter
  $<$<BOOL:${DEEPSHARE_WERROR}>:-Werror>)
target_link_libraries(deepshare-options INTERFACE LLVM fmt::fmt)
if(DEEPSHARE_SANITIZE)
  # With its sanitizers on, GCC 12 takes instrumented stack objects for uninitialised ones; the other builds warn.
  target_compile_options(deepshare-options INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=undefined
    -fno-omit-frame-pointer -Wno-maybe-uninitialized)
  target_link_options(deepshare-options INTERFACE -fsanitize=address,undefined)
  # The fuzzers of test/fuzz are part of this build: the code that they steer by says where it goes. GCC has no more to
  # say than "here"; Coverage.cpp makes of it what libFuzzer counts.
  set(DEEPSHARE_COVERAGE -fsanitize-coverage=trace-pc,trace-cmp)
  add_library(deepshare-coverage STATIC ${PROJECT_SOURCE_DIR}/test/fuzz/Coverage.cpp)
  target_link_options(deepshare-options INTERFACE -Wl,--wrap=__sanitizer_cov_trace_pc)
  target_link_libraries(deepshare-options INTERFACE deepshare-coverage)
endif()

# deepshare_library(NAME source... [LINK library...] [FUZZED]): the static library DeepShareNAME of the folder it is
# called in. FUZZED: fuzzers steer by its code.
function(deepshare_library name)
  cmake_parse_arguments(ARG "FUZZED" "" "LINK" ${ARGN})
  add_library(DeepShare${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(DeepShare${name} PUBLIC deepshare-options ${ARG_LINK})
  if(ARG_FUZZED)
    target_compile_options(DeepShare${name} PRIVATE ${DEEPSHARE_COVERAGE})
  endif()
endfunction()

# deepshare_tool(NAME source... [LINK library...]): an executable in build/bin.
function(deepshare_tool name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE ${ARG_LINK})
endfunction()

# ATen as a target whose headers count as a system's. Its C++ headers are slow to parse: libraries that use it share
# one precompiled header.
add_library(deepshare-torch INTERFACE)
target_include_directories(deepshare-torch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
target_link_libraries(deepshare-torch INTERFACE ${TORCH_LIBRARIES})
# Without this flag ccache cannot see through GCC's precompiled headers.
target_compile_options(deepshare-torch INTERFACE $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)

# The ONNX library as a target whose headers count as a system's.
add_library(deepshare-onnx INTERFACE)
target_include_directories(deepshare-onnx SYSTEM INTERFACE
  $<TARGET_PROPERTY:ONNX::onnx,INTERFACE_INCLUDE_DIRECTORIES>)
target_link_libraries(deepshare-onnx INTERFACE ONNX::onnx ONNX::onnx_proto protobuf::libprotobuf)

# deepshare_test(NAME source... [LINK library...]): the GoogleTest binary NAME of the folder it is called in. Labels of
# its tests: NAME.
function(deepshare_test name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE ${ARG_LINK} GTest::gtest_main GTest::gmock)
  # The build runs the executable for its list of tests; five seconds are too few on a busy machine.
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 300 PROPERTIES LABELS ${name})
endfunction()
