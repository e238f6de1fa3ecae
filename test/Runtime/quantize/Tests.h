//===- Tests.h - What the tests of ds-quantize share ------------*- C++ -*-===//

#ifndef TEST_RUNTIME_QUANTIZE_TESTS_H
#define TEST_RUNTIME_QUANTIZE_TESTS_H

#include "runtime/core/Status.h"

#include <string>
#include <vector>

namespace dsrt::test {

/// Prints "PASS text" or "FAIL text"; returns whether it holds.
bool expect(bool holds, const std::string &text);

// The commands of ds-test-quantize, see main.cpp; each returns the exit code.
int testGoldens(const std::string &folder);
int testKernels();
int testProgress();
int makeCheckpoint(const std::vector<std::string> &arguments);
int splitCheckpoint(const std::string &from, const std::string &folder,
                    bool rounded);
int compareCheckpoints(const std::vector<std::string> &arguments);

} // namespace dsrt::test

#endif // TEST_RUNTIME_QUANTIZE_TESTS_H
