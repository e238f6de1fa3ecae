/*===- driver.c - The simulator with a fault of its own
--------------------===*\
|*
|* A driver library like any other to --device=PATH. It is linked with the
|* simulator and takes all functions from it but the few below, which
|* DSRT_TEST_DRIVER changes:
|*
|*   no-device    a machine with the driver and no GPU
|*   old          a driver that is older than the PTX
|*   out-of-date  a driver that does not start
|*   slow         large copies take 0.8 s, and code takes 2.2 s to load
|*   count        prints at the end how much was launched and captured
|*
\*===----------------------------------------------------------------------===*/

#define _GNU_SOURCE
#include "runtime/simulator/driver/Api.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int behaves(const char *how) {
  const char *wanted = getenv("DSRT_TEST_DRIVER");
  return wanted && strcmp(wanted, how) == 0;
}

static int launches, captures, replays, copies;

static void print_counts(void) {
  printf("%d launches, %d captures, %d replays, %d copies to the device\n",
         launches, captures, replays, copies);
}

EXPORT CUresult cuInit(unsigned flags) {
  if (behaves("out-of-date"))
    return CUDA_ERROR_UNKNOWN;
  if (behaves("count"))
    atexit(print_counts);
  return NEXT(cuInit)(flags);
}

EXPORT CUresult cuDeviceGetCount(int *count) {
  CUresult result = NEXT(cuDeviceGetCount)(count);
  if (behaves("no-device"))
    *count = 0;
  return result;
}

EXPORT CUresult cuDriverGetVersion(int *version) {
  *version = 12020;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuModuleLoadDataEx(CUmodule *module, const void *image,
                                   unsigned count, CUjit_option *options,
                                   void **values) {
  if (behaves("old"))
    return (CUresult)222; /* CUDA_ERROR_UNSUPPORTED_PTX_VERSION */
  if (behaves("slow"))
    usleep(2200000);
  return NEXT(cuModuleLoadDataEx)(module, image, count, options, values);
}

EXPORT CUresult cuLaunchKernelEx(const CUlaunchConfig *config,
                                 CUfunction function, void **parameters,
                                 void **extra) {
  ++launches;
  if (behaves("slow")) /* other threads may come in between */
    usleep(200);
  return NEXT(cuLaunchKernelEx)(config, function, parameters, extra);
}

EXPORT CUresult cuStreamEndCapture(CUstream stream, CUgraph *graph) {
  ++captures;
  return NEXT(cuStreamEndCapture)(stream, graph);
}

EXPORT CUresult cuGraphLaunch(CUgraphExec graph, CUstream stream) {
  ++replays;
  return NEXT(cuGraphLaunch)(graph, stream);
}

EXPORT CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from,
                                     size_t bytes, CUstream stream) {
  ++copies;
  if (behaves("slow") && bytes > 1 << 20)
    usleep(800000);
  return NEXT(cuMemcpyHtoDAsync_v2)(to, from, bytes, stream);
}
