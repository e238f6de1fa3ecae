# agree.sh CONFIG-FOLDER TEMPORARY-FOLDER
# A model with made-up weights: the compiled program against the reference, which
# interprets the imported graph (f32), or the stage kernels entry by entry (bf16: the
# same roundings). 70 tokens: more than one page of the cache, one block of attention.
#
# In bf16 a sum in another order rounds another way here and there: hidden.1, before
# any router, shows nothing else; later a token may change an expert, and made-up
# experts have nothing in common. Values are about 1 large.
set -eu
model=$1
mkdir -p "$2"
cd "$2"
seq -s, 3 13 906 | cut -d, -f1-70 > ids
compile() { # DTYPE: app, and the graph it was compiled from
  ds-import "$model" --weights=seed:1 --dtype=$1 --trace -o graph.mlir
  ds-compile "$model" --weights=seed:1 --dtype=$1 --trace -o app 2> app.log
}
# PROGRAM BOUND-OF-HIDDEN.1 BOUND: whole prompt and chunks of 9, each by its entry
agree() {
  for entry in prefill decode; do
    chunk=512
    test $entry = prefill || chunk=9
    ds-eval $1 --entry=$entry --prompt-ids-file=ids -o expected
    ./app logits --prompt-ids-file ids --entry $entry --chunk $chunk -o out
    ds-test-compare tensors expected out --only hidden.1 $2
    ds-test-compare tensors expected out --only logits,hidden $3
    ds-test-compare top1 expected out --margin 0.1 --least 0.9
    if grep -q '"num_nextn_predict_layers": [12]' "$model/config.json"; then
      ds-test-compare tensors expected out --only mtp_logits --rows 69 $3
    fi
  done
}

compile bf16
ds-opt graph.mlir --ds-compile=stop-after=kernels -o kernels.mlir
agree kernels.mlir "--rms 0.005" "--rms 0.3"

compile f32
agree graph.mlir "--atol 1e-4" "--atol 1e-4"
# The continuation, by the cache.
ds-eval graph.mlir --prompt-ids=5,7,11,900 -n 12 --json |
  grep -o '"ids":[^]]*' > expected.ids
./app --prompt-ids 5,7,11,900 -n 12 --ignore-eos --json |
  grep -o '"ids":[^]]*' > got.ids
cmp expected.ids got.ids
