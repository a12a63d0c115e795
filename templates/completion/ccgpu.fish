# Completion of ccgpu for fish 3.1 and newer. Made by `ccgpu completion fish`.
# The words come from ccgpu itself: it is asked at each Tab, and answers without a network.

function __ccgpu_complete
    set -l words (commandline -opc)
    set -l typed (commandline -ct)
    set -l current (string unescape -- "$typed"; or string replace -r '^["\']' '' -- "$typed") # an open quote
    set -l program (string replace -r '^~/' "$HOME/" -- $words[1])
    command -q $program; or set program ccgpu # it is an alias
    set -e words[1]
    set -l lines (command $program __complete fish $words "$current" 2>/dev/null)
    set -l head (string split ' ' -- $lines[1]) # PATHS SPACE START
    test (count $head) -eq 3; or return
    set -e lines[1]
    for line in $lines
        echo -- $line
    end
    set -l start (string sub -l $head[3] -- "$current")
    set -l rest (string sub -s (math $head[3] + 1) -- "$current")
    switch $head[1]
        case files
            for path in (__fish_complete_path "$rest")
                echo -- "$start$path"
            end
        case folders
            for path in (__fish_complete_directories "$rest")
                echo -- "$start$path"
            end
    end
end

complete -c ccgpu -e
complete -c ccgpu -f -a '(__ccgpu_complete)'
