# shellcheck shell=bash
# Completion of ccgpu for bash 4.4 and newer. Made by `ccgpu completion bash`.
# The words come from ccgpu itself: it is asked at each Tab, and answers without a network.

_ccgpu() {
  local program=${1/#\~\//$HOME/} current=$2
  local answer line
  local -a lines head
  COMPREPLY=()
  type -P "$program" >/dev/null || program=ccgpu # it is an alias
  answer=$("$program" __complete bash "$COMP_WORDBREAKS" "${COMP_LINE:0:COMP_POINT}" 2>/dev/null) || return 0
  mapfile -t lines <<<"$answer"
  read -r -a head <<<"${lines[0]}" # PATHS SPACE START
  COMPREPLY=("${lines[@]:1}")
  if [[ ${head[1]-} == nospace ]]; then
    compopt -o nospace
  fi
  case ${head[0]-}:${#COMPREPLY[@]} in
    files:0) compopt -o default ;; # readline's own, which quotes and marks folders
    folders:0) compopt -o dirnames ;;
    files:*)
      [[ ${COMP_WORDS[COMP_CWORD]} != [\"\']* ]] || return 0
      while IFS= read -r line; do
        if [[ -d $line ]]; then
          line+=/
        fi
        printf -v line %q "$line"
        COMPREPLY+=("$line")
      done < <(compgen -f -- "$current")
      if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == */ ]]; then
        compopt -o nospace
      fi
      ;;
  esac
}

complete -F _ccgpu ccgpu
