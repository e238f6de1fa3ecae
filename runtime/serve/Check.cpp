//===- Check.cpp - The command `check` ------------------------------------===//
//
// Runs the entries that have no arguments: programs of the check dialect, which
// hold their inputs and expectations themselves. What a module of tests does
// when it is run.
//
//===----------------------------------------------------------------------===//

#include "runtime/serve/Application.h"

#include <cstring>

namespace dsrt {

Result<int> runCheck(const Invocation &invocation) {
  ModelOptions options;
  Options parser(
      invocation.program, "check [options]",
      "Runs every entry without arguments: test programs, which check "
      "their own results.");
  options.declare(parser);
  DSRT_TRY(parser.parse(invocation.arguments));
  if (parser.helpWanted()) {
    DSRT_TRY(print(parser.helpText()));
    return 0;
  }
  Model &model = invocation.model;
  const dsrt_module &tables = model.module().tables();
  DSRT_TRY(model.openDevice(options.device()));
  DSRT_TRY(model.loadCode());
  if (tables.weight_count > 0)
    DSRT_TRY(model.bindWeights(model.source(options.folder), reportProgress));
  int64_t count = 0;
  for (uint64_t i = 0; i < tables.entry_count; ++i) {
    const dsrt_entry &entry = tables.entries[i];
    if (entry.arg_count > 0 || std::strcmp(entry.name, kPrepareEntry) == 0)
      continue;
    DSRT_TRY(
        Session::runChecks(model, entry, static_cast<int>(options.threads)));
    DSRT_TRY(print(fmt::format("{}: passed\n", entry.name)));
    ++count;
  }
  if (count == 0)
    return error(DSRT_NOT_FOUND, "'{}' has no entry without arguments to check",
                 model.module().path());
  return 0;
}

} // namespace dsrt
