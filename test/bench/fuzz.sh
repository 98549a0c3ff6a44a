#!/usr/bin/env bash
# Fuzzes: each target for MINUTES of CPU time (30), or until it finds something. Says how long each ran and how many
# inputs it tried; what it found lies in build/fuzz/findings, and what it learned in build/fuzz/corpus for the next time.
#
#   test/bench/fuzz.sh [MINUTES [TARGET...]]      targets: model text plan cost-model numpy records image
set -euo pipefail
cd "$(dirname "$0")/../.."
minutes=${1:-30}
targets=("${@:2}")
((${#targets[@]})) || targets=(model text plan cost-model numpy records image)

source tools/environment
configure asan build/asan >/dev/null
cmake --build --preset fuzz >/dev/null
source test/fuzz/run
failed=0
for target in "${targets[@]}"; do
  (ulimit -S -t $((minutes * 60)) && fuzz "$target") || failed=1
done
exit $failed
