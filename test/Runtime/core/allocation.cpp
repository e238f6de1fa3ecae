//===- allocation.cpp - No step allocates ---------------------------------===//
//
// Replaces malloc and its relatives by counting ones and runs a sequence to the
// end of its context: prefill, decode, a page boundary, several sequences.
//
//===----------------------------------------------------------------------===//

#include "runtime/core/Model.h"
#include "runtime/core/Session.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>

extern "C" {
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
}

static std::atomic<long> allocations;

extern "C" {
void *malloc(size_t size) {
  ++allocations;
  return __libc_malloc(size);
}
void *calloc(size_t count, size_t size) {
  ++allocations;
  return __libc_calloc(count, size);
}
void *realloc(void *memory, size_t size) {
  ++allocations;
  return __libc_realloc(memory, size);
}
void *aligned_alloc(size_t alignment, size_t size) {
  ++allocations;
  return __libc_memalign(alignment, size);
}
}

using namespace dsrt;

namespace {
void check(const Status &status) {
  if (!status.ok()) {
    std::printf("FAILED: %s\n", status.message().c_str());
    std::exit(1);
  }
}
} // namespace

int main(int argc, char **argv) {
  Result<Module> module = Module::open(argc > 1 ? argv[1] : "");
  check(module.status());
  Model model(std::move(*module));
  check(model.bindWeights(model.source(std::nullopt)));
  SessionOptions options;
  options.threads = 2;
  auto session = Session::create(model, options);
  check(session.status());
  Result<int32_t> first = (*session)->addSequence();
  Result<int32_t> second = (*session)->addSequence();
  check(first.status());
  check(second.status());
  const int32_t prompt[16] = {};

  const long created = allocations;
  StepChunk chunk = {*first, prompt, 16, 0};
  check((*session)->run(&chunk, 1, DSRT_ENTRY_AUTO, true).status());
  int steps = 1;
  while ((*session)->length(*first) < (*session)->limits().context) {
    StepChunk chunks[] = {{*first, prompt, 1, 0}, {*second, prompt, 1, 0}};
    check((*session)->run(chunks, 2, DSRT_ENTRY_AUTO, false).status());
    ++steps;
  }
  const long after = allocations;
  std::printf("before %s, %d steps, %ld allocations\n",
              created > 0 ? "counted" : "NOT COUNTED", steps, after - created);
  return 0;
}
