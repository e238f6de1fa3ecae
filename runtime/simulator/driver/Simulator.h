//===- Simulator.h - What only the simulator has ----------------*- C -*-===//
//
// Functions of libdsrt-simulator.so beside those of the CUDA driver. Programs
// look them up by name, and find none on a GPU.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_SIMULATOR_DRIVER_SIMULATOR_H
#define DSRT_SIMULATOR_DRIVER_SIMULATOR_H

#ifdef __cplusplus
extern "C" {
#endif

/// The text of the last error of a kernel or of a PTX text, with the place;
/// empty if there was none. Valid until the calling thread calls it again.
const char *dsrtSimulatorError(void);

/// What kernels have done since the process started, by their names: lines
/// of counts that are not 0, or an object {"kernels": {name: {count: number}},
/// "total": {...}} if 'json' is not 0. python-free-docs/Simulator.md lists the
/// counts. Valid until the calling thread calls it again.
const char *dsrtSimulatorCounts(int json);

/// From now on 'line' is called after each launch, with a text of one line and
/// 'context'; it must call no function of the driver. Null ends it.
void dsrtSimulatorSetTrace(void (*line)(const char *text, void *context),
                           void *context);

#ifdef __cplusplus
}
#endif

#endif // DSRT_SIMULATOR_DRIVER_SIMULATOR_H
