//===- main.cpp - Tests of the simulator ----------------------------------===//
//
// ds-test-simulator device             what the device says of itself
// ds-test-simulator integers           instructions on integers and bits
// ds-test-simulator floats             arithmetic and conversions of floats
// ds-test-simulator kernels FOLDER     the kernels of FOLDER/*.ptx
// ds-test-simulator faults FOLDER      kernels that must be stopped
// ds-test-simulator streams FOLDER     streams, events, graphs, modules
// ds-test-simulator warps FOLDER       lanes, barriers and atomics
// ds-test-simulator matrices FOLDER    copies, mbarriers and matrices
// ds-test-simulator races FOLDER       accesses that nothing orders
// ds-test-simulator global-races FOLDER  the same in global memory
// ds-test-simulator statistics FOLDER  counts and traces of launches
// ds-test-simulator load FILES         PTX texts that are only loaded
// ds-test-simulator coverage FOLDER    what the files of coverage leave out
// ds-test-simulator speed              instructions per second
// ds-test-simulator tensors FOLDER     tensor maps and bulk copies
// ds-test-simulator warpgroups         products of warpgroups
//
// Each prints a line per case. What is no fault, no forgotten wait and no
// function that a GPU approximates should also hold on a GPU; none has been
// tried.
//
//===----------------------------------------------------------------------===//

#include "Gpu.h"

#include <fmt/format.h>

using namespace dsrt::test;

int main(int argc, char **argv) {
  std::string command = argc > 1 ? argv[1] : "";
  std::string folder = argc > 2 ? argv[2] : "";
  CUcontext context = nullptr;
  expectSuccess(driver().cuInit(0), "cuInit");
  expectSuccess(driver().cuDevicePrimaryCtxRetain(&context, 0),
                "cuDevicePrimaryCtxRetain");
  expectSuccess(driver().cuCtxSetCurrent(context), "cuCtxSetCurrent");
  if (command == "device")
    describeDevice();
  else if (command == "integers")
    testIntegers();
  else if (command == "floats")
    testFloats();
  else if (command == "kernels" && !folder.empty())
    testKernels(folder);
  else if (command == "faults" && !folder.empty())
    testFaults(folder);
  else if (command == "streams" && !folder.empty())
    testStreams(folder);
  else if (command == "warps" && !folder.empty())
    testWarps(folder);
  else if (command == "matrices" && !folder.empty())
    testMatrices(folder);
  else if (command == "races" && !folder.empty())
    testRaces(folder);
  else if (command == "global-races" && !folder.empty())
    testGlobalRaces(folder);
  else if (command == "statistics" && !folder.empty())
    testStatistics(folder);
  else if (command == "load")
    for (int i = 2; i < argc; ++i)
      PtxModule(readFile(argv[i]));
  else if (command == "coverage" && !folder.empty())
    checkCoverage(folder);
  else if (command == "speed")
    testSpeed();
  else if (command == "tensors" && !folder.empty())
    testTensors(folder);
  else if (command == "warpgroups")
    testWarpgroups();
  else {
    fmt::print(stderr, "ds-test-simulator: error: unknown command '{}'\n",
               command);
    return 1;
  }
  return exitCode();
}
