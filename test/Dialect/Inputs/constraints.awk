# Prints the name <op>_c<n> of each constraint (Cn) in the text of a TableGen file.
/^def OpGroupCollectives/ { op = "collective" }
/^def .*(Op|Attr|Check)[A-Za-z]* *:/ {
  # The op's or attribute's mnemonic is the last string on the line, if there is one.
  line = $0
  while (match(line, /"[a-z_]+"/)) {
    op = substr(line, RSTART + 1, RLENGTH - 2)
    line = substr(line, RSTART + RLENGTH)
  }
}
/^    - \(C[0-9]+\)/ {
  match($0, /[0-9]+/)
  print op "_c" substr($0, RSTART, RLENGTH)
}
