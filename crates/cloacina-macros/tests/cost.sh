#!/usr/bin/env bash
# Measures what a `workflow!` costs a build: the processor seconds that rustc takes for N tasks with it, less those without it.
#
#   crates/cloacina-macros/tests/cost.sh            a chain of 200 tasks, of 2000, and workflows with a mistake
#   crates/cloacina-macros/tests/cost.sh chain 500  one of them: chain, typed, hub (all depend on a task that was forgotten),
#                                                   misspelt (each task names another that there is not)
set -euo pipefail
cd "$(dirname "$0")/../../.."
cargo build --quiet -p cloacina-core
target=${CARGO_TARGET_DIR:-target}/debug
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT

program() { # shape, number of tasks, with or without
    local i id before="" list=""
    echo '#![allow(unused)] use cloacina_core::{Output, task, workflow}; fn main() {}'
    for ((i = 0; i < $2; i++)); do
        id=$(printf 'transform_of_region_%07d' "$i")
        case $1 in
            chain) echo "#[task(dependencies = [$before])] async fn $id() {}" ;;
            typed) echo "#[task] async fn $id(${before:+before: Output<$before>}) -> u32 { 0 }" ;;
            hub) echo "#[task(dependencies = [\"the_hub_of_all_regions\"])] async fn $id() {}" ;;
            misspelt) echo "#[task(dependencies = [\"${id/region/reg1on}\"])] async fn $id() {}" ;;
        esac
        before=$id list+="$id, "
    done
    if [ "$3" = with ]; then echo "workflow! { name: \"w\", tasks: [$list] }"; fi
}

seconds() { # shape, number of tasks, with or without
    program "$@" >"$folder/main.rs"
    TIMEFORMAT=%U
    { time rustc --edition 2024 --emit metadata --out-dir "$folder" "$folder/main.rs" \
        --extern "cloacina_core=$target/libcloacina_core.rlib" -L "dependency=$target/deps" \
        2>"$folder/said" || true; } 2>&1
}

measure() { # shape, number of tasks
    local without with
    without=$(seconds "$@" without)
    with=$(seconds "$@" with)
    awk -v of="$2 tasks, $1" -v without="$without" -v with="$with" \
        'BEGIN { printf "%-22s %6.2f s of %6.2f s\n", of, with - without, with }'
    grep -E '^(warning|error: internal)' "$folder/said" || true
}

if [ $# -eq 2 ]; then
    measure "$1" "$2"
else
    measure chain 200
    measure typed 200
    measure chain 2000
    measure hub 100
    measure misspelt 200
fi
