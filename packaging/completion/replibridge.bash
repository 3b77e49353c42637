# Completion of replibridge's options for bash.
_replibridge()
{
    local cur=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local options="--config --host --port --model --alias --num_workers --limit_concurrency --keepalive_timeout
        --check --explain --request --health --log-level --json_logs --version --help"
    case $previous in
    -c | --config | --request)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        ;;
    --log-level)
        mapfile -t COMPREPLY < <(compgen -W 'error warn info debug' -- "$cur")
        ;;
    --host)
        mapfile -t COMPREPLY < <(compgen -W '127.0.0.1 0.0.0.0 ::1 localhost' -- "$cur")
        ;;
    --port | --model | -m | --alias | --num_workers | --limit_concurrency | --keepalive_timeout | --explain)
        COMPREPLY=()
        ;;
    *)
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
        ;;
    esac
}
complete -F _replibridge replibridge
