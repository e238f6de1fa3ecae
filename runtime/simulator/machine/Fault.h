//===- Fault.h - What a kernel did wrong ------------------------*- C++ -*-===//
//
// Thrown where it happens, caught by the launch. The numbers are those of the
// driver API: they are what the launch or the next call that waits returns.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_SIMULATOR_MACHINE_FAULT_H
#define DSRT_SIMULATOR_MACHINE_FAULT_H

#include <stdexcept>
#include <string>

namespace dsrt::simulator {

enum class FaultKind {
  IllegalAddress = 700,
  Deadlock = 702, // the driver's launch timeout
  IllegalInstruction = 715,
  MisalignedAddress = 716,
  InvalidAddressSpace = 717,
  InvalidUse = 719 // races, uninitialised reads, wrong use of barriers, traps
};

class Fault : public std::runtime_error {
public:
  Fault(FaultKind kind, const std::string &message)
      : std::runtime_error(message), kind(kind) {}
  FaultKind kind;
};

} // namespace dsrt::simulator

#endif // DSRT_SIMULATOR_MACHINE_FAULT_H
