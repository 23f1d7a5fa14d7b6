# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# tools/build.sh - packages and a Release build with the simulator, for tools/demo and tools/bench. Sourced
# after lib.sh, never run.
#
# Sets and exports RAILHEAD_BUILD. A RAILHEAD_BUILD from outside is taken as it is: whoever sets it has built.

# rh_build NAME: into $RAILHEAD_BUILD_ROOT/NAME, or build/NAME in the tree.
rh_build() {
    local folder log
    if [ -n "${RAILHEAD_BUILD:-}" ]; then
        [ -x "$RAILHEAD_BUILD/railhead" ] || rh_die 1 "RAILHEAD_BUILD=$RAILHEAD_BUILD holds no railhead"
        export RAILHEAD_BUILD
        return
    fi
    folder=${RAILHEAD_BUILD_ROOT:-$RH_ROOT/build}/$1
    mkdir -p "$folder" || rh_die 1 "cannot make $folder"
    log=$folder/$1.log
    printf 'installing what is missing, and building ... ' >&2
    if "$RH_ROOT/tools/deps" all >"$log" 2>&1 &&
        cmake -S "$RH_ROOT" -B "$folder" -G Ninja -DCMAKE_BUILD_TYPE=Release -DRAILHEAD_TESTS=ON >>"$log" 2>&1 &&
        cmake --build "$folder" --target railhead railsim >>"$log" 2>&1; then
        printf 'done\n' >&2
    else
        printf 'failed\n' >&2
        tail -n 40 "$log" >&2
        rh_die 1 "the build failed; all of it is in $log"
    fi
    export RAILHEAD_BUILD=$folder
}
