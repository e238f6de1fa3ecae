//===- main.cpp - Tests of the weight loader ------------------------------===//
//
// ds-test-weights headers            what is said to each broken header
// ds-test-weights damage             every truncation, every flipped bit
// ds-test-weights checkpoints TEMP   folders, good and broken
// ds-test-weights large TEMP         opens a checkpoint with V3's tensors
// ds-test-weights bind TEMP          tables against checkpoints
// ds-test-weights scales TEMP        broken scales
// ds-test-weights silent-failures TEMP  FP8 checkpoints that fit and are wrong
// ds-test-weights round-scales FOLDER MODEL  rounds the scales of a copy
// ds-test-weights scale-speed TEMP   the check of 128 MiB of scales, timed
// ds-test-weights model FOLDER       binds all tensors of a checkpoint
// ds-test-weights synthetic          made-up values
// ds-test-weights huge               made-up values of the size of V3
// ds-test-weights writer TEMP        files written and read back
//
// TEMP is a folder that the test may empty. The output goes to FileCheck.
//
//===----------------------------------------------------------------------===//

#include "Tests.h"

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>

namespace dsrt::test {

std::string makeFile(const std::string &header, size_t dataBytes) {
  std::string file;
  for (int i = 0; i < 8; ++i)
    file += static_cast<char>(header.size() >> (8 * i));
  file += header;
  for (size_t i = 0; i < dataBytes; ++i)
    file += static_cast<char>(i);
  return file;
}

void writeFile(const std::string &path, const std::string &bytes) {
  std::ofstream(path, std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

std::string makeFolder(const std::string &path) {
  std::error_code code;
  std::filesystem::remove_all(path, code);
  std::filesystem::create_directories(path, code);
  return path;
}

void report(const std::string &label, const Status &status) {
  fmt::print("{}: {}\n", label, status.ok() ? "ok" : status.message());
}

double now() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

double secondsSince(double start) { return now() - start; }

} // namespace dsrt::test

using namespace dsrt::test;

int main(int argc, char **argv) {
  std::string command = argc > 1 ? argv[1] : "";
  std::string folder = argc > 2 ? argv[2] : "";
  if (command == "headers")
    return testHeaders();
  if (command == "damage")
    return testDamage();
  if (command == "synthetic")
    return testSynthetic();
  if (command == "huge")
    return testHuge();
  if (folder.empty()) {
    fmt::print(stderr, "ds-test-weights: error: expected a folder\n");
    return 1;
  }
  if (command == "checkpoints")
    return testCheckpoints(folder);
  if (command == "large")
    return testLarge(folder);
  if (command == "bind")
    return testBind(folder);
  if (command == "scales")
    return testScales(folder);
  if (command == "silent-failures")
    return testSilentFailures(folder);
  if (command == "round-scales" && argc > 3)
    return roundScales(argv[3], folder);
  if (command == "scale-speed")
    return testScaleSpeed(folder);
  if (command == "model")
    return testModel(folder);
  if (command == "writer")
    return testWriter(folder);
  fmt::print(stderr, "ds-test-weights: error: unknown command '{}'\n", command);
  return 1;
}
