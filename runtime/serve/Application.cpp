//===- Application.cpp - The program around a compiled model --------------===//
//
// Which command runs, how errors are printed, and the few things that commands
// share.
//
//===----------------------------------------------------------------------===//

#include "runtime/serve/Application.h"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <new>
#include <unistd.h>

namespace dsrt {

namespace {
struct Command {
  const char *name;
  Result<int> (*run)(const Invocation &);
};
constexpr Command commands[] = {
    {"generate", runGenerate},     {"logits", runLogits},
    {"perplexity", runPerplexity}, {"tokenize", runTokenize},
    {"bench", runBench},           {"describe", runDescribe},
    {"check", runCheck},           {"steps", runSteps},
};
} // namespace

namespace {
/// A checkpoint is mapped: who shortens one of its files takes the memory away.
void reportLostMapping(int) {
  constexpr char message[] =
      "error: a file of the model was shortened or cannot be read any more\n";
  ssize_t ignored = ::write(2, message, sizeof(message) - 1);
  static_cast<void>(ignored);
  ::_exit(1);
}

} // namespace

void guardProcess() {
  // In place of a closed stream something that cannot be written; else the next
  // file that is opened, the output perhaps, would be taken for the stream.
  for (int stream = 0; stream <= 2; ++stream)
    if (::fcntl(stream, F_GETFD) < 0 && ::open("/dev/null", O_RDONLY) < 0)
      break;
  std::signal(SIGXFSZ, SIG_IGN); // writing then fails with EFBIG
  std::signal(SIGBUS, reportLostMapping);
}

void ModelOptions::declare(Options &options) {
  options.string("--model", "DIR", folder,
                 "checkpoint folder with the weights and the tokenizer "
                 "(default: the one the model was compiled from), or seed:N or "
                 "splat:X for made-up weights");
  options.integer(
      "--threads", "N", 1, 1024, threads,
      "threads to compute with (default: the cores this process may "
      "use)");
  options.string("--device", "DEVICE", deviceName,
                 "of a model compiled for GPUs: auto or cuda, the first GPU "
                 "(default: auto); simulator, which runs its code on the "
                 "processor; or the path of a driver library");
  options.choice("--graphs", {"on", "off"}, graphs,
                 "off: wait for each launch on a GPU, to name a kernel that "
                 "fails (default: on, a step is replayed as a CUDA graph)");
  options.choice("--trace", {"kernel"}, trace,
                 "a line for each launch; the simulator only");
  options.flagOrChoice("--counts", "text", {"text", "json"}, counts,
                       "what each kernel did: instructions, bytes, bank "
                       "conflicts, tensor-core operations; the simulator only; "
                       "on standard error at the end");
}

DeviceOptions ModelOptions::device() const {
  DeviceOptions options;
  options.device = deviceName.value_or(options.device);
  options.graphs = graphs == "on";
  options.traceKernels = !trace.empty();
  options.counts = counts.value_or("");
  return options;
}

int fail(const std::string &tool, const Status &status) {
  // Paths may hold line breaks; an error is one line.
  std::string line = status.message();
  for (char &c : line)
    if (static_cast<unsigned char>(c) < ' ')
      c = ' ';
  // Not fmt::print, which throws where standard error is closed.
  line = fmt::format("{}: error: {}\n", tool, line);
  std::fwrite(line.data(), 1, line.size(), stderr);
  return 1;
}

int runApplication(const std::string &tool, const std::string &program,
                   Model &model, std::vector<std::string> arguments) {
  const double begin = now();
  guardProcess();
  Result<int> (*run)(const Invocation &) = nullptr;
  if (!arguments.empty() && arguments[0].rfind('-', 0) != 0) {
    std::string names;
    for (const Command &command : commands) {
      names += names.empty() ? command.name : fmt::format(", {}", command.name);
      if (arguments[0] == command.name)
        run = command.run;
    }
    if (!run)
      return fail(tool, error(DSRT_INVALID_ARGUMENT,
                              "there is no command '{}'; the commands are {}",
                              arguments[0], names));
    arguments.erase(arguments.begin());
  } else {
    // A module of test programs has nothing to generate with.
    const Module &module = model.module();
    bool generates = module.findEntry("decode") || module.findEntry("prefill");
    run = generates ? runGenerate : runCheck;
  }
  // Memory that a file's numbers ask for may not exist.
  try {
    Result<int> code = run({program, std::move(arguments), model, begin});
    if (!code.ok())
      return fail(tool, code.status());
    Result<std::string> counts = model.device().counts();
    if (!counts.ok())
      return fail(tool, counts.status());
    std::fwrite(counts->data(), 1, counts->size(), stderr);
    return *code;
  } catch (const std::bad_alloc &) {
    return fail(tool, error(DSRT_OUT_OF_MEMORY, "out of memory"));
  }
}

void reportProgress(const std::string &line) {
  fmt::print(stderr, "{}\n", line);
}

/// Before anything is loaded.
static Status checkPlan(Model &model, const SessionOptions &options) {
  Result<SessionPlan> session = SessionPlan::create(model.module(), options);
  if (!session.ok())
    return session.status();
  const MemoryPlan plan(model.module(), *session);
  return checkDeviceMemory(
      model.device(),
      fmt::format("weights ({}) and a session of {} x {} tokens ({})",
                  formatBytes(static_cast<double>(plan.modelBytes())),
                  session->limits.maxSequences, session->limits.context,
                  formatBytes(static_cast<double>(plan.sessionBytes()))),
      plan.modelBytes() + plan.sessionBytes());
}

Result<std::unique_ptr<Session>> openSession(Model &model,
                                             const ModelOptions &options,
                                             int64_t sequences,
                                             int64_t context) {
  SessionOptions session;
  session.threads = static_cast<int>(options.threads);
  session.maxSequences = sequences;
  session.context = context;
  DSRT_TRY(model.openDevice(options.device()));
  if (!model.device().isHost())
    DSRT_TRY(checkPlan(model, session));
  DSRT_TRY(model.bindWeights(model.source(options.folder), reportProgress));
  for (const std::string &note : model.notes())
    fmt::print(stderr, "note: {}\n", note);
  return Session::create(model, session);
}

Status checkIds(const std::vector<int32_t> &ids, int64_t vocabulary,
                const std::string &origin) {
  for (size_t i = 0; i < ids.size(); ++i)
    if (ids[i] < 0 || ids[i] >= vocabulary)
      return error(DSRT_INVALID_ARGUMENT,
                   "{}: token id {} at position {} is out of range, the model "
                   "has ids 0 to {}",
                   origin, ids[i], i, vocabulary - 1);
  return Status();
}

Status print(const std::string &text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() ||
      std::fflush(stdout) != 0)
    return error(DSRT_IO_ERROR, "cannot write to standard output: {}",
                 std::strerror(errno));
  return Status();
}

Result<std::string> readFile(const std::string &path) {
  std::FILE *file = std::fopen(path.c_str(), "rb");
  if (!file)
    return error(DSRT_NOT_FOUND, "cannot open '{}': {}", path,
                 std::strerror(errno));
  std::string text;
  char buffer[65536];
  size_t count;
  while ((count = std::fread(buffer, 1, sizeof(buffer), file)) > 0)
    text.append(buffer, count);
  int failure = std::ferror(file) ? errno : 0;
  std::fclose(file);
  if (failure)
    return error(DSRT_IO_ERROR, "cannot read '{}': {}", path,
                 std::strerror(failure));
  return text;
}

double now() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

} // namespace dsrt
