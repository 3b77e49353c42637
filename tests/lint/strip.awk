# C without what a lint must not look into: comments become spaces, and so does the text inside string and character
# literals unless keep_strings is set. Lines stay where they are, so that line numbers stay true.
# Every line is printed as FILE:LINE:TEXT.

FNR == 1 { in_comment = 0 }

{
    out = ""
    quote = ""
    length_of_line = length($0)
    for (i = 1; i <= length_of_line; i++) {
        c = substr($0, i, 1)
        two = substr($0, i, 2)
        if (in_comment) {
            if (two == "*/") { in_comment = 0; out = out "  "; i++ } else out = out " "
        } else if (quote != "") {
            if (c == "\\") { out = out (keep_strings ? two : "  "); i++ }
            else if (c == quote) { quote = ""; out = out c }
            else out = out (keep_strings ? c : " ")
        } else if (two == "/*") { in_comment = 1; out = out "  "; i++ }
        else if (two == "//") break
        else { if (c == "\"" || c == "'") quote = c; out = out c }
    }
    print FILENAME ":" FNR ":" out
}
