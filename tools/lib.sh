# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# tools/lib.sh - what the bash scripts of tools/ share. Sourced, never run.
#
# Sets RH_ROOT to the top of the tree. Colour only on a terminal, and never when NO_COLOR is set.

RH_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck disable=SC2034  # for the scripts that source this file
readonly RH_ROOT

rh_red='' rh_green='' rh_yellow='' rh_bold='' rh_plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
    rh_red=$'\e[31m' rh_green=$'\e[32m' rh_yellow=$'\e[33m' rh_bold=$'\e[1m' rh_plain=$'\e[0m'
fi
# shellcheck disable=SC2034  # for the scripts that source this file
readonly rh_red rh_green rh_yellow rh_bold rh_plain

# rh_usage SCRIPT: the comment block at the head of a script, without the SPDX line, is its --help.
rh_usage() {
    awk 'NR <= 2 { next } /^#/ { sub(/^# ?/, ""); print; next } { exit }' "$1"
}

rh_say() {
    printf '%s\n' "$*"
}

rh_warn() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
}

# rh_die STATUS MESSAGE
rh_die() {
    local status=$1
    shift
    rh_warn "$*"
    exit "$status"
}
