# nvptx.sh PROGRAM OUT [arguments of ds-run]: the expectations of a program on the
# simulator of three chips, with the code that one artifact has for each: by the
# emitters that a compile chooses, then all kernels by the fallback. Activations
# stay BF16, so that a program means what it means on the host. EMITTERS may say
# "any_fallback" alone, for programs that expect the same bytes of two kernels.
program=$1 out=$2
shift 2
for emitters in ${EMITTERS:-all any_fallback}; do
  ds-opt "$program" --ds-compile="target=nvptx chip=sm_90a,sm_89,sm_80 activations=bf16 emitters=${emitters#all}" |
    ds-translate --emit=shared -o "$out.nvptx.so" || exit 1
  for chip in 80 89 90; do
    echo "sm_$chip, emitters: $emitters"
    DSRT_SIMULATOR_CHIP=$chip ds-run "$out.nvptx.so" "$@" --device=simulator || exit 1
  done
done
