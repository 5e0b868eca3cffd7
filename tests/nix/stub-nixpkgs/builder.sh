# shellcheck shell=bash
# What the stub's stdenv does: variables, PATH, and the command. Runs inside Nix's sandbox.
# shellcheck disable=SC2154 # the derivation's attributes
if [ -e .attrs.sh ]; then
  # shellcheck source=/dev/null
  . ./.attrs.sh
  for name in "${!outputs[@]}"; do declare -x "$name=${outputs[$name]}"; done
  inputs=("${initialPath[@]}" "${nativeBuildInputs[@]}")
else
  read -r -a inputs <<< "$initialPath $nativeBuildInputs"
fi
# Only a sandbox has nothing of the host.
[ ! -e /usr ] || { echo "this is no sandbox: there is /usr" >&2; exit 1; }
printf -v path '%s/bin:' "${inputs[@]}"
export PATH=${path%:}
# As nixpkgs has it: the first day that a zip file knows.
export SOURCE_DATE_EPOCH=315532800
[ -z "${buildCommandPath:-}" ] || buildCommand=$(< "$buildCommandPath")
eval "$buildCommand"
