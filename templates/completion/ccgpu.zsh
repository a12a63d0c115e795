#compdef ccgpu
# Completion of ccgpu for zsh. Made by `ccgpu completion zsh`.
# The words come from ccgpu itself: it is asked at each Tab, and answers without a network.

_ccgpu() {
  local program=${${(Q)words[1]}/#\~\//$HOME/} line word
  local -a lines head described space
  integer found=1
  whence -p -- "$program" >/dev/null || program=ccgpu # it is an alias
  lines=("${(@f)$("$program" __complete zsh "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
  head=(${=lines[1]}) # PATHS SPACE START
  (( $#head == 3 )) || return 1
  [[ $head[3] == 0 ]] || compset -p $head[3]
  [[ $head[2] == space ]] || space=(-S '')
  for line in "${(@)lines[2,-1]}"; do
    word=${line%%$'\t'*}
    if [[ $word == $line ]]; then
      described+=("${word//:/\\:}")
    else
      described+=("${word//:/\\:}:${line#*$'\t'}")
    fi
  done
  if (( $#described )); then
    _describe -t words ccgpu described "${(@)space}" && found=0
  fi
  case $head[1] in
    files) _files && found=0 ;;
    folders) _files -/ && found=0 ;;
  esac
  return found
}

if [[ $funcstack[1] == _ccgpu ]]; then
  _ccgpu "$@" # loaded from a folder of fpath
else
  compdef _ccgpu ccgpu
fi
