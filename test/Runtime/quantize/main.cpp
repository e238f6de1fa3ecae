//===- main.cpp - Tests of ds-quantize ------------------------------------===//
//
// ds-test-quantize goldens OPS         golden codes and scales, bit for bit
// ds-test-quantize kernels             every kernel against the definition
// ds-test-quantize progress            the texts of the progress bar
// ds-test-quantize make FOLDER MB FILES [zeros]
//     a BF16 checkpoint of at most that size, a large weight in the last file;
//     with zeros its files are sparse
// ds-test-quantize split CHECKPOINT FOLDER [rounded]
//     its tensors in one file, but the scales in a second one; with rounded
//     they are rounded up to powers of two, and the codes are not
// ds-test-quantize compare EXPECTED ACTUAL [CODES SCALES]
//     two checkpoints, however they are cut into files: the same tensors with
//     the same types and bytes; but of FP8 codes a fraction CODES may differ,
//     of scales each by SCALES of its value
//
// Exit code 1 if something does not hold.
//
//===----------------------------------------------------------------------===//

#include "Tests.h"

namespace dsrt::test {

bool expect(bool holds, const std::string &text) {
  fmt::print("{} {}\n", holds ? "PASS" : "FAIL", text);
  return holds;
}

} // namespace dsrt::test

using namespace dsrt::test;

int main(int argc, char **argv) {
  const std::vector<std::string> arguments(argv + (argc > 0), argv + argc);
  const std::string command = arguments.empty() ? "" : arguments[0];
  if (command == "goldens" && arguments.size() == 2)
    return testGoldens(arguments[1]);
  if (command == "kernels")
    return testKernels();
  if (command == "progress")
    return testProgress();
  if (command == "make" && arguments.size() >= 4)
    return makeCheckpoint(arguments);
  if (command == "split" && arguments.size() >= 3)
    return splitCheckpoint(arguments[1], arguments[2], arguments.size() > 3);
  if (command == "compare" && arguments.size() >= 3)
    return compareCheckpoints(arguments);
  fmt::print(stderr, "ds-test-quantize: error: expected a command, see "
                     "test/Runtime/quantize/main.cpp\n");
  return 1;
}
