# compile-cost.sh CONFIG FEW BOUND: a model of 61 layers may cost at most BOUND times what
# one of FEW layers costs, in processor time, the least of two compiles each.
set -eu
sed "s/\"num_hidden_layers\": 61/\"num_hidden_layers\": $2/" "$1" > few.json
cmp -s "$1" few.json && { echo "error: $1 has no 61 layers"; exit 1; }
seconds() { # CONFIG: user and system time of one compile
  sh -c 'ds-compile "$1" --weights=seed:1 --emit=object -o object.o 2> log && times' - "$1" |
    awk 'NR == 2 { split($1 "m" $2, t, /[ms]+/); print t[1] * 60 + t[2] + t[3] * 60 + t[4] }'
}
for i in 1 2; do
  seconds "$1" >> all.seconds
  seconds few.json >> few.seconds
done
all=$(sort -g all.seconds | head -1) few=$(sort -g few.seconds | head -1)
[ -n "$few" ] || { cat log; exit 1; }
echo "61 layers: $all s, $2 layers: $few s"
awk -v all=$all -v few=$few -v bound=$3 'BEGIN { exit !(all <= bound * few) }'
