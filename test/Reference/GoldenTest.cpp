//===- GoldenTest.cpp - The reference against known values ----------------===//
//
//   ds-test-reference ops model_vectors.json golden/ops
//   ds-test-reference prompt golden/prompt_7.safetensors actual.safetensors
//
// Prints a line per case with its largest error and bound. The values come from
// another implementation; the bounds are those that its readme states: equal
// bits for conversions, quantization and choices, 1e-5 for single ops in f32
// unless the case says more.
//
//===----------------------------------------------------------------------===//

#include "Cases.h"
#include "deepseek/Reference/Files.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <cmath>
#include <cstdlib>

using namespace mlir::deepseek::reference;

void Cases::expect(const std::string &name, double error, double bound) {
  ++count;
  bool good = error <= bound; // false for NaN
  failures += !good;
  llvm::outs() << (good ? "PASS " : "FAIL ") << name << ": max error "
               << llvm::format("%.3g", error) << ", bound "
               << llvm::format("%.3g", bound) << "\n";
}

void Cases::expectClose(const std::string &name, llvm::Expected<Tensor> actual,
                        const Tensor &expected, double bound) {
  if (!actual)
    return fail(name, llvm::toString(actual.takeError()));
  if (actual->size() != expected.size())
    return fail(name, "got " + actual->describe() + ", expected " +
                          expected.describe());
  double error = 0;
  for (int64_t i = 0; i < expected.size(); ++i) {
    double a = actual->getFloat(i), e = expected.getFloat(i);
    double difference = std::isnan(a) && std::isnan(e) ? 0 : std::fabs(a - e);
    error = difference <= error ? error : difference; // keeps NaN
  }
  expect(name, error, bound);
}

void Cases::fail(const std::string &name, const std::string &why) {
  ++count;
  ++failures;
  llvm::outs() << "FAIL " << name << ": " << why << "\n";
}

int Cases::finish() const {
  llvm::outs() << (count - failures) << " of " << count << " cases pass\n";
  return failures != 0;
}

static TensorMap readOrExit(const std::string &path) {
  auto tensors = readTensors(path);
  if (tensors)
    return std::move(*tensors);
  // Nothing can be compared without the file.
  llvm::errs() << "ds-test-reference: error: "
               << llvm::toString(tensors.takeError()) << "\n";
  std::exit(1);
}

int main(int argc, char **argv) {
  std::string mode = argc == 4 ? argv[1] : "";
  Cases cases;
  if (mode == "ops") {
    runVectors(cases, argv[2]);
    std::string folder = argv[3];
    Reader read = [&](const std::string &name) {
      return readOrExit(folder + "/" + name + ".safetensors");
    };
    runDenseGoldens(cases, read);
    runModelGoldens(cases, read);
    return cases.finish();
  }
  if (mode == "prompt") {
    runPromptGoldens(cases, readOrExit(argv[2]), readOrExit(argv[3]));
    return cases.finish();
  }
  llvm::errs() << "usage: ds-test-reference ops model_vectors.json golden/ops\n"
                  "       ds-test-reference prompt golden/prompt_7.safetensors "
                  "actual.safetensors\n";
  return 1;
}
