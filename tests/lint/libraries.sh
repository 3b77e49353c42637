#!/bin/sh
# A library is spoken to in one place only, and jansson's own parsing and dumping is not used at all.
#
#   sh tests/lint/libraries.sh [ROOT]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "${1:-.}"

find src include -name '*.[ch]' -exec awk -f "$here/strip.awk" {} + | awk '
    BEGIN {
        homes["yaml.h"] = " src/config/yaml_tree.c "
        homes["curl/curl.h"] = " src/replicate/transfer_curl.c src/replicate/transfer_handle.c src/replicate/transfer_curl_int.h src/replicate/transfer_prune.c src/replicate/transfer_global.c "
        homes["microhttpd.h"] = " src/server/http.c src/server/http_shards.c src/server/reply.c "
    }
    function complain(text) { print file ":" line ": " text; bad = 1 }
    {
        file = $0; sub(/:.*/, "", file)
        rest = substr($0, length(file) + 2)
        line = rest; sub(/:.*/, "", line)
        text = substr(rest, length(line) + 2)
    }
    text ~ /^[ \t]*#[ \t]*include[ \t]*</ {
        header = text
        sub(/^[^<]*</, "", header)
        sub(/>.*/, "", header)
        if (header in homes && index(homes[header], " " file " ") == 0)
            complain("<" header "> belongs in" homes[header] "alone")
    }
    text ~ /(^|[^A-Za-z0-9_])json_(load|dump)(s|b|f|fd|_file|_callback)[ \t]*\(/ {
        complain("JSON is read by json_parse or base/json_scan.h, and written by json_append")
    }
    END { exit bad }'
