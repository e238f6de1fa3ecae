//===- Images.cpp - Which code runs on which chip -------------------------===//

#include "runtime/device/cuda/Images.h"

#include <cstdlib>
#include <cstring>

namespace dsrt::cuda {

namespace {

/// "sm_90a" -> 90, 'a'; "sm_80" -> 80, 0. Other names have capability 0.
struct Chip {
  int capability = 0;
  char suffix = 0;
};

Chip parseChip(const char *name) {
  Chip chip;
  if (std::strncmp(name, "sm_", 3) != 0)
    return chip;
  char *end = nullptr;
  const long number = std::strtol(name + 3, &end, 10);
  if (number < 10 || number > 9999 || (*end && end[1]))
    return chip;
  chip.capability = static_cast<int>(number);
  chip.suffix = *end;
  return chip;
}

bool runsText(Chip chip, int capability) {
  return chip.suffix ? chip.suffix == 'a' && capability == chip.capability
                     : chip.capability > 0 && capability >= chip.capability;
}

} // namespace

int capabilityOf(const char *chip) { return parseChip(chip).capability; }

Result<int64_t> chooseImage(const dsrt_module &module, const std::string &path,
                            int capability, const std::string &device) {
  int64_t best = -1;
  Chip bestChip;
  std::string chips;
  for (uint64_t i = 0; i < module.image_count; ++i) {
    const char *name = module.images[i].chip;
    const Chip chip = parseChip(name);
    chips += (i ? ", " : "") + std::string(name);
    const bool better = chip.capability > bestChip.capability ||
                        (chip.capability == bestChip.capability && chip.suffix);
    if (runsText(chip, capability) && (best < 0 || better)) {
      best = static_cast<int64_t>(i);
      bestChip = chip;
    }
  }
  if (best < 0)
    return error(DSRT_UNSUPPORTED,
                 "'{}' has code for {}, the device {} is an sm_{}; compile the "
                 "model with --chip for it",
                 path, chips, device, capability);
  return best;
}

bool runsMachineCode(const char *name, int capability) {
  const Chip chip = parseChip(name);
  return chip.suffix ? runsText(chip, capability)
                     : capability / 10 == chip.capability / 10 &&
                           capability >= chip.capability;
}

int ptxVersion(const char *ptx) {
  constexpr const char *kDirective = ".version ";
  const char *found = std::strstr(ptx, kDirective);
  if (!found)
    return 0;
  char *end = nullptr;
  const long major = std::strtol(found + std::strlen(kDirective), &end, 10);
  if (*end != '.' || major < 1 || major > 99)
    return 0;
  const long minor = std::strtol(end + 1, nullptr, 10);
  return minor < 0 || minor > 9 ? 0 : static_cast<int>(major * 10 + minor);
}

int cudaVersionFor(int ptx) {
  // Until PTX 8.5 the minor versions were the same; from PTX 9.0 on they are
  // again, from CUDA 13.0.
  switch (ptx) {
  case 86:
    return 12070;
  case 87:
    return 12080;
  case 88:
    return 12090;
  default:
    return (ptx / 10 + 4) * 1000 + ptx % 10 * 10;
  }
}

} // namespace dsrt::cuda
