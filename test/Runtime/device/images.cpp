//===- images.cpp - Which code runs on which chip -------------------------===//
//
// ds-test-images: the image that each chip gets of modules with several, and
// what drivers take the PTX of a text.
//
//===----------------------------------------------------------------------===//

#include "runtime/device/cuda/Images.h"

#include <cstdio>
#include <vector>

using namespace dsrt;

namespace {

void show(const std::vector<const char *> &chips) {
  std::vector<dsrt_image> images;
  for (const char *chip : chips)
    images.push_back({chip, "", 1, nullptr, 0});
  dsrt_module module = {};
  module.images = images.data();
  module.image_count = images.size();
  for (const char *chip : chips)
    std::printf("%s ", chip);
  std::printf("->");
  for (int capability : {75, 80, 86, 89, 90, 100, 103, 120}) {
    Result<int64_t> image =
        cuda::chooseImage(module, "m.so", capability, "GPU");
    std::printf(" %d:%s", capability, image.ok() ? chips[*image] : "none");
  }
  std::printf("\n");
}

void showVersion(const char *ptx) {
  const int version = cuda::ptxVersion(ptx);
  std::printf("PTX %d needs CUDA %d\n", version, cuda::cudaVersionFor(version));
}

} // namespace

int main() {
  show({"sm_90a"});
  show({"sm_80"});
  show({"sm_80", "sm_90a", "sm_89"});
  show({"sm_90", "sm_90a"});
  show({"sm_90a", "sm_90"});
  show({"sm_120a", "sm_100a", "sm_89"});
  show({"gfx942", "sm_", "sm_90ab", "sm_100f"});
  for (const char *chip : {"sm_80", "sm_89", "sm_90a", "sm_100a"}) {
    std::printf("machine code for %s:", chip);
    for (int capability : {80, 86, 89, 90, 100})
      if (cuda::runsMachineCode(chip, capability))
        std::printf(" %d", capability);
    std::printf("\n");
  }
  for (const char *ptx :
       {"//\n.version 8.0\n", ".version 8.5", ".version 8.6\n.target sm_100a",
        ".version 8.7", ".version 8.8", ".version 9.0", ".version 7.8"})
    showVersion(ptx);
  return 0;
}
