//===- Application.h - The program around a compiled model ------*- C++ -*-===//
//
// The commands that a standalone executable and ds-run have in common, and what
// the commands share. One file per command.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_SERVE_APPLICATION_H
#define DSRT_SERVE_APPLICATION_H

#include "runtime/core/Model.h"
#include "runtime/core/Session.h"
#include "runtime/serve/Options.h"

#include <string>
#include <vector>

namespace dsrt {

/// What a command works with.
struct Invocation {
  std::string program; // as the user called it: "./app", "ds-run model.so"
  std::vector<std::string> arguments; // after the name of the command
  Model &model;
  double begin; // when the program started, for now()
};

/// The options of every command that runs the model.
struct ModelOptions {
  std::optional<std::string> folder;
  int64_t threads = 0;
  std::optional<std::string> deviceName;
  std::string graphs = "on";
  std::string trace; // "kernel" or empty
  std::optional<std::string> counts;

  void declare(Options &options);
  DeviceOptions device() const;
};

/// Each command returns 0 or another exit code, or the error to print.
Result<int> runGenerate(const Invocation &invocation);
Result<int> runLogits(const Invocation &invocation);
Result<int> runPerplexity(const Invocation &invocation);
Result<int> runTokenize(const Invocation &invocation);
Result<int> runBench(const Invocation &invocation);
Result<int> runDescribe(const Invocation &invocation);
Result<int> runCheck(const Invocation &invocation);
Result<int> runSteps(const Invocation &invocation);

/// Chooses the command by the first argument and prints its error as
/// "tool: error: ...". Returns the exit code.
int runApplication(const std::string &tool, const std::string &program,
                   Model &model, std::vector<std::string> arguments);

/// Makes errors of what would end the process without a word.
void guardProcess();

/// Prints the error and returns the exit code 1.
int fail(const std::string &tool, const Status &status);

/// Prints a line about work that takes long to standard error.
void reportProgress(const std::string &line);

/// Opens the device, checks that all fits, binds the weights and makes a
/// session.
Result<std::unique_ptr<Session>> openSession(Model &model,
                                             const ModelOptions &options,
                                             int64_t sequences,
                                             int64_t context);

/// Fails if an id is not of the model; `origin` is where the ids come from.
Status checkIds(const std::vector<int32_t> &ids, int64_t vocabulary,
                const std::string &origin);

/// Writes to standard output at once; an error if that fails.
Status print(const std::string &text);

/// The text of a file.
Result<std::string> readFile(const std::string &path);

/// Seconds since some fixed point.
double now();

} // namespace dsrt

#endif // DSRT_SERVE_APPLICATION_H
