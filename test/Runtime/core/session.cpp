//===- session.cpp - Sessions against a model with known answers ----------===//
//
// Runs the fake model by random schedules: several sequences at a time, chunks
// of any size, sequences that come and go so that pages are used again. Every
// row of logits and hidden states is compared with what the model's definition
// (fake_model.c) says.
//
//===----------------------------------------------------------------------===//

#include "runtime/core/Session.h"
#include "runtime/core/Model.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>

using namespace dsrt;

namespace {

constexpr int64_t vocabulary = 32;

[[noreturn]] void stop(const std::string &what) {
  std::printf("FAILED: %s\n", what.c_str());
  std::exit(1);
}

void check(const Status &status) {
  if (!status.ok())
    stop(status.message());
}

/// The model's state after each token.
std::vector<int64_t> states(const std::vector<int32_t> &ids) {
  std::vector<int64_t> result;
  int64_t s = 0;
  for (size_t p = 0; p < ids.size(); ++p) {
    s = (7 * s + ids[p] + static_cast<int64_t>(p)) % 97;
    result.push_back(s);
  }
  return result;
}

struct Sequence {
  int32_t handle;
  std::vector<int32_t> ids;
  std::vector<int64_t> states;
  size_t done = 0;
};

void checkRow(const Sequence &sequence, int64_t position, const float *logits,
              const float *hidden) {
  const int64_t next = (sequence.states[position] + position + 1) % vocabulary;
  const int64_t best = std::max_element(logits, logits + vocabulary) - logits;
  if (best != next)
    stop(
        fmt::format("position {} gives {}, expected {}", position, best, next));
  if (hidden && (hidden[0] != static_cast<float>(sequence.states[position]) ||
                 hidden[1] != static_cast<float>(sequence.ids[position]) ||
                 hidden[2] != static_cast<float>(position)))
    stop(fmt::format("hidden state of position {}", position));
}

/// Random steps until `steps` are done; sequences that end are replaced.
void runRandomSteps(Session &session, std::mt19937 &random, int steps) {
  const StepLimits &limits = session.limits();
  std::vector<Sequence> sequences;
  int64_t rows = 0;
  for (int step = 0; step < steps; ++step) {
    while (static_cast<int64_t>(sequences.size()) < limits.maxSequences) {
      Result<int32_t> handle = session.addSequence();
      check(handle.status());
      std::vector<int32_t> ids(1 + random() % limits.context);
      for (int32_t &id : ids)
        id = static_cast<int32_t>(random() % vocabulary);
      sequences.push_back({*handle, ids, states(ids)});
    }
    std::shuffle(sequences.begin(), sequences.end(), random);
    std::vector<StepChunk> chunks;
    int64_t budget = limits.maxTokens;
    const size_t taken = 1 + random() % sequences.size();
    for (size_t i = 0; i < taken && budget > 0; ++i) {
      Sequence &sequence = sequences[i];
      int64_t left = static_cast<int64_t>(sequence.ids.size() - sequence.done);
      int64_t count = 1 + random() % std::min(budget, left);
      chunks.push_back(
          {sequence.handle, sequence.ids.data() + sequence.done, count, 0});
      budget -= count;
    }
    const bool all = random() % 2;
    Result<StepOutput> output =
        session.run(chunks.data(), static_cast<int64_t>(chunks.size()),
                    DSRT_ENTRY_AUTO, all);
    check(output.status());
    const float *hidden = static_cast<const float *>(output->hidden);
    const bool decoded = std::strcmp(output->entry->name, "decode") == 0;
    if (hidden[3] != static_cast<float>(decoded))
      stop("another entry ran than the step says");
    int64_t token = 0, row = 0;
    for (size_t i = 0; i < chunks.size(); ++i)
      for (int64_t k = 0; k < chunks[i].count; ++k, ++token) {
        const int64_t position = static_cast<int64_t>(sequences[i].done++);
        if (all || k + 1 == chunks[i].count)
          checkRow(sequences[i], position, output->logits + row++ * vocabulary,
                   hidden + token * 4);
      }
    if (row != output->rows)
      stop("number of rows");
    rows += row;
    for (size_t i = sequences.size(); i-- > 0;)
      if (sequences[i].done == sequences[i].ids.size() || random() % 40 == 0) {
        check(session.removeSequence(sequences[i].handle));
        sequences.erase(sequences.begin() + static_cast<std::ptrdiff_t>(i));
      }
  }
  for (const Sequence &sequence : sequences)
    check(session.removeSequence(sequence.handle));
  std::printf("%d steps as the definition says\n", steps);
  if (rows < steps)
    stop("too few rows were compared");
}

void expectFailure(const char *what, const Status &status) {
  std::printf("%s: %s\n", what,
              status.ok() ? "NOT REFUSED" : status.message().c_str());
}

/// What a step must refuse, and that it changes nothing.
void checkRefusals(Session &session) {
  Result<int32_t> first = session.addSequence();
  Result<int32_t> second = session.addSequence();
  check(first.status());
  check(second.status());
  const std::vector<int32_t> ids(400, 3), bad = {1, 32}, negative = {-1};
  auto run = [&](std::vector<StepChunk> chunks, int32_t entry = 0) {
    return session
        .run(chunks.data(), static_cast<int64_t>(chunks.size()), entry, false)
        .status();
  };
  expectFailure("id", run({{*first, bad.data(), 2, 0}}));
  expectFailure("negative id", run({{*first, negative.data(), 1, 0}}));
  expectFailure("context", run({{*first, ids.data(), 321, 0}}));
  expectFailure("step", run({{*first, ids.data(), 17, 0}}));
  expectFailure("huge count", run({{*first, ids.data(), INT64_MAX, 0}}));
  expectFailure("no tokens", run({{*first, ids.data(), 0, 0}}));
  expectFailure("null tokens", run({{*first, nullptr, 1, 0}}));
  expectFailure("no sequence", run({{3, ids.data(), 1, 0}}));
  expectFailure("twice",
                run({{*first, ids.data(), 1, 0}, {*first, ids.data(), 1, 0}}));
  expectFailure("empty step", run({}));
  expectFailure("entry", run({{*first, ids.data(), 1, 0}}, 7));
  for (int32_t sequence : {*first, *second})
    if (session.length(sequence) != 0)
      stop("a refused step changed a sequence");

  check(run({{*first, ids.data(), 16, 0}}));
  expectFailure("prefill of a started sequence",
                run({{*first, ids.data(), 1, 0}}, DSRT_ENTRY_PREFILL));
  check(run({{*second, ids.data(), 1, 0}}, DSRT_ENTRY_DECODE));
  check(session.removeSequence(*first));
  expectFailure("removed", run({{*first, ids.data(), 1, 0}}));
  check(session.removeSequence(*second));
  expectFailure("removed twice", session.removeSequence(*second));
}

} // namespace

int main(int argc, char **argv) {
  if (argc < 2 || argc > 4)
    stop("usage: ds-test-session MODEL.so [DEVICE [STEPS]]");
  Result<Module> module = Module::open(argv[1]);
  check(module.status());
  Model model(std::move(*module));
  DeviceOptions device;
  if (argc > 2)
    device.device = argv[2];
  check(model.openDevice(device));
  const int steps = argc > 3 ? std::atoi(argv[3]) : 2000;
  check(model.bindWeights(model.source(std::nullopt)));
  std::mt19937 random(1);
  for (int threads : {1, 3}) {
    SessionOptions options;
    options.threads = threads;
    auto session = Session::create(model, options);
    check(session.status());
    runRandomSteps(**session, random, steps);
    checkRefusals(**session);
    // Everything was given back.
    runRandomSteps(**session, random, steps / 10);
  }
  SessionOptions tooLong;
  tooLong.context = 321;
  expectFailure("long context", Session::create(model, tooLong).status());
  SessionOptions tooMany;
  tooMany.maxSequences = 5;
  expectFailure("many sequences", Session::create(model, tooMany).status());
  return 0;
}
