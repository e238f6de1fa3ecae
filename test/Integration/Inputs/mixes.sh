# mixes.sh FOLDER SEED "OPTIONS" MODEL CHIP COUNT [CHIP COUNT]...
# Compiles the model for each chip that this machine has and runs COUNT random mixes of
# sequences on each: all logits have to be the bytes that the first chip's program gives
# for each sequence alone (ds-test-mixes).
set -eu
folder=$1 seed=$2 options=$3 model=$4
shift 4
mkdir -p "$folder"
cd "$folder"
programs=
while [ $# -gt 0 ]; do
  if [ $1 != x86-64-v4 ] || grep -q avx512vl /proc/cpuinfo; then
    ds-compile "$model" $options --chip=$1 --emit=shared -o $1.so 2> $1.log
    programs="$programs $1.so $2"
  fi
  shift 2
done
ds-test-mixes $seed $programs
