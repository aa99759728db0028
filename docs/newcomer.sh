#!/usr/bin/env bash
# Follows the README and the first pages of the guide as a newcomer would: runs their shell commands in order, puts their blocks into the files that
# they name, and compares what the programs print with what the pages show.
#
#   docs/newcomer.sh [folder]
#
# The folder must be empty or missing; without one, a temporary one is used and removed. A block belongs to a file if the line before it names
# `Cargo.toml` or `src/main.rs` and ends with a colon; a `text` block that follows a `sh` block is what that must print.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:-}
if [ -z "$folder" ]; then
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
fi
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
if [ -n "$(ls -A "$folder")" ]; then
  echo "$folder is not empty" >&2
  exit 1
fi
# The clone that the pages speak of.
ln -s "$root" "$folder/cloacina"
blocks=$folder/blocks said=$folder/said
# The packages are built with the same crates.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$folder/target}

# Writes each block of a page, or of one of its sections, to a file that is named by its place, its language and where it belongs.
split() {
  mkdir -p "$blocks"
  rm -f "$blocks"/*
  awk -v out="$blocks" -v section="$2" '
    BEGIN { inside = (section == "") }
    !block && /^## / && section != "" { inside = ($0 == "## " section) }
    !inside { next }
    block && /^```/ { close(file); block = 0; before = ""; next }
    block { print > file; next }
    /^```/ {
      language = substr($0, 4); sub(/,.*/, "", language)
      place = "none"
      if (before ~ /`Cargo\.toml`.*:$/) place = "manifest"
      if (before ~ /`src\/main\.rs`:$/) place = "program"
      file = sprintf("%s/%03d.%s.%s", out, ++count, place, language)
      printf "" > file
      block = 1
      next
    }
    NF { before = $0 }
  ' "$1"
}

follow() {
  local page=$1 ran=no block
  printf '\n== %s\n' "$page${2:+, $2}"
  split "$root/$page" "${2:-}"
  for block in "$blocks"/*; do
    case $block in
      *.manifest.toml)
        # As `cargo new` leaves it, with these dependencies in the place of what it has.
        sed -i.old '/^\[dependencies\]/,$d' Cargo.toml && rm -f Cargo.toml.old
        cat "$block" >>Cargo.toml
        # The versions that the library is built with. A newcomer gets the newest ones that fit.
        cp "$root/Cargo.lock" Cargo.lock
        ran=no
        ;;
      *.program.rust)
        cp "$block" src/main.rs
        ran=no
        ;;
      *.sh)
        cat "$block"
        # In this shell, so that a `cd` stays.
        . "$block" >"$said"
        ran=yes
        ;;
      *.text)
        if [ $ran = yes ]; then
          diff -u --label "$page" --label "what it printed" "$block" "$said"
          echo "prints what the page shows"
        fi
        ran=no
        ;;
    esac
  done
}

cd "$folder"
follow README.md "A complete program"
cd "$folder"
follow docs/guide/src/first-workflow.md
follow docs/guide/src/tasks-and-data.md
follow docs/guide/src/rules-and-failures.md
