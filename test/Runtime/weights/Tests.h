//===- Tests.h - What the tests of the weight loader share ------*- C++ -*-===//

#ifndef TEST_RUNTIME_WEIGHTS_TESTS_H
#define TEST_RUNTIME_WEIGHTS_TESTS_H

#include "runtime/weights/Weights.h"

#include <string>

namespace dsrt::test {

/// The bytes of a file with this header, as it is, and this much data of
/// ascending bytes.
std::string makeFile(const std::string &header, size_t dataBytes);

void writeFile(const std::string &path, const std::string &bytes);

/// An empty folder; what was in it is removed.
std::string makeFolder(const std::string &path);

/// Prints "label: message", or "label: ok".
void report(const std::string &label, const Status &status);

double secondsSince(double start);
double now();

// The commands of ds-test-weights, see main.cpp.
int testHeaders();
int testDamage();
int testCheckpoints(const std::string &folder);
int testLarge(const std::string &folder);
int testBind(const std::string &folder);
int testScales(const std::string &folder);
int testSilentFailures(const std::string &folder);
/// Writes a checkpoint with its scales rounded up to powers of two.
int roundScales(const std::string &model, const std::string &folder);
int testScaleSpeed(const std::string &folder);
int testModel(const std::string &folder);
int testSynthetic();
int testHuge();
int testWriter(const std::string &folder);

} // namespace dsrt::test

#endif // TEST_RUNTIME_WEIGHTS_TESTS_H
