//===- ds-quantize.cpp - BF16 checkpoints to FP8 and back -----------------===//
//
// ds-quantize IN -o OUT [--scale-fmt ue8m0] [--dequantize]
//
//===----------------------------------------------------------------------===//

#include "runtime/quantize/Conversion.h"
#include "runtime/serve/Application.h"

#include <csignal>
#include <new>

using namespace dsrt;

namespace {

constexpr char tool[] = "ds-quantize";

constexpr char description[] =
    "Writes a checkpoint folder in the FP8 layout of the published "
    "DeepSeek-V3, "
    "or with --dequantize makes BF16 of such a folder.\n"
    "\n"
    "In FP8 are the projections of the attention, of dense layers, and of "
    "routed "
    "and shared experts, those of multi-token prediction too: e4m3 codes under "
    "the old name, and for each block of 128 x 128 an f32 scale in "
    "<name>_scale_inv, by which the codes are multiplied. Embedding, head, "
    "norms, routers and all other files keep their bytes; config.json gets or "
    "loses its quantization_config.\n"
    "\n"
    "OUT appears when it is complete; until then all is in OUT.partial. A run "
    "that was interrupted, in whatever way, goes on when the same command is "
    "given again. IN is only read.\n"
    "\n"
    "  ds-quantize V3-bf16 -o V3                      to FP8\n"
    "  ds-quantize V3-bf16 -o V3.1 --scale-fmt ue8m0  scales as of V3.1\n"
    "  ds-quantize V3 -o V3-bf16 --dequantize         and back";

volatile std::sig_atomic_t interrupted = 0;

void watchInterrupts() {
  struct sigaction action = {};
  action.sa_handler = [](int) { interrupted = 1; };
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

Result<std::string> run(const std::vector<std::string> &arguments) {
  std::optional<std::string> in, out;
  std::string scales;
  bool dequantize = false;
  ConversionOptions conversion;
  Options options(tool, "IN -o OUT [options]", description);
  options.positional("IN", in);
  options.string("-o", "OUT", out, "the folder to make");
  options.choice("--scale-fmt", {"ue8m0"}, scales,
                 "round scales up to powers of two (default: the largest "
                 "magnitude of a block divided by 448)");
  options.flag("--dequantize", dequantize, "from FP8 to BF16");
  options.integer("--threads", "N", 1, 64, conversion.threads,
                  "threads that read, compute and write, with 8 MiB of buffers "
                  "each (default: twice the cores, at most 32); the result "
                  "does not depend on it");
  DSRT_TRY(options.parse(arguments));
  if (options.helpWanted()) {
    DSRT_TRY(print(options.helpText()));
    return std::string();
  }
  const bool hasIn = in && !in->empty();
  if (!hasIn || !out)
    return error(DSRT_INVALID_ARGUMENT,
                 "expected {}: ds-quantize IN -o OUT, see ds-quantize --help",
                 hasIn ? "the folder to make" : "a checkpoint folder");
  if (dequantize && !scales.empty())
    return error(DSRT_INVALID_ARGUMENT,
                 "--scale-fmt: BF16 has no scales, got --dequantize too");
  conversion.in = *in;
  conversion.out = *out;
  conversion.direction =
      dequantize ? Direction::Dequantize : Direction::Quantize;
  conversion.format =
      scales.empty() ? ScaleFormat::Any : ScaleFormat::PowerOfTwo;
  return convertCheckpoint(conversion, interrupted);
}

} // namespace

int main(int argc, char **argv) {
  guardProcess();
  watchInterrupts();
  // Memory that a file's numbers ask for may not exist.
  try {
    Result<std::string> line = run({argv + (argc > 0), argv + argc});
    if (!line.ok())
      return fail(tool, line.status());
    if (!line->empty())
      fmt::print(stderr, "{}: {}\n", tool, *line);
    return 0;
  } catch (const std::bad_alloc &) {
    return fail(tool, error(DSRT_OUT_OF_MEMORY, "out of memory"));
  }
}
