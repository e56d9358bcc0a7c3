#!/bin/sh
# fuzz.sh [SECONDS] [FOLDER]: feed damaged files to gstex.h for some time (an hour unless told), with libFuzzer and the
# sanitizers for memory and undefined behaviour, on one core. Inputs that found something new are kept in
# FOLDER/corpus (out/fuzz unless told) from run to run; a finding ends the run and stands in FOLDER.
#
# On Debian: apt-get install clang libclang-rt-14-dev llvm-14. docs/fuzzing.md says what has been found.
set -eu
seconds=${1:-3600}
root=$(cd "$(dirname "$0")/.." && pwd)
folder=${2:-$root/out/fuzz}
clang=${CLANG:-clang}
version=$("$clang" -dumpversion | cut -d. -f1)
mkdir -p "$folder/corpus"
cp -n "$root"/tests/data/*.gstex "$folder/corpus/"

build() { # OUTPUT FLAGS..
    output=$1
    shift
    "$clang" -std=c99 -g -O1 -I"$root/gstex/native" "$@" "$root/tests/native/fuzz_decoder.c" -o "$output" -lm
}
build "$folder/fuzz" -fsanitize=fuzzer,address,undefined,float-cast-overflow -fno-sanitize-recover=all

cd "$folder"
"$clang" --version | head -1
./fuzz -max_total_time="$seconds" -max_len=16384 -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 corpus 2>log.txt || {
    tail -40 log.txt
    exit 1
}
grep -E "DONE|stat::|^Done" log.txt

# What part of gstex.h the inputs reach.
tool() { command -v "$1-$version" || command -v "$1"; }
if profdata=$(tool llvm-profdata) && cov=$(tool llvm-cov); then
    build "$folder/covered" -fsanitize=fuzzer -fprofile-instr-generate -fcoverage-mapping
    LLVM_PROFILE_FILE=covered.profraw ./covered -runs=0 corpus 2>/dev/null
    "$profdata" merge -sparse covered.profraw -o covered.profdata
    "$cov" report ./covered -instr-profile=covered.profdata "$root/gstex/native/gstex.h" | tail -1 |
        awk '{print "gstex.h: " $10 " of lines, " $13 " of branches"}'
fi
