//===- ds-run.cpp - Runs a compiled model from its shared object ----------===//
//
// ds-run model.so [command] [options]: the same commands as a standalone
// executable has.
//
//===----------------------------------------------------------------------===//

#include "runtime/serve/Application.h"

using namespace dsrt;

int main(int argc, char **argv) {
  const std::string tool = "ds-run";
  const std::vector<std::string> arguments(argv + (argc > 0), argv + argc);
  if (arguments.empty() || arguments[0].rfind('-', 0) == 0) {
    const bool help = !arguments.empty() &&
                      (arguments[0] == "--help" || arguments[0] == "-h");
    if (!help)
      return fail(tool, error(DSRT_INVALID_ARGUMENT,
                              "expected a compiled model: ds-run MODEL.so "
                              "[command] [options], see ds-run --help"));
    Status status =
        print("usage: ds-run MODEL.so [command] [options]\n\n"
              "Runs a model that ds-translate or ds-compile "
              "--emit=shared made.\nds-run MODEL.so --help lists the commands.\n");
    return status.ok() ? 0 : fail(tool, status);
  }
  Result<Module> module = Module::open(arguments[0]);
  if (!module.ok())
    return fail(tool, module.status());
  Model model(std::move(*module));
  return runApplication(tool, "ds-run " + arguments[0], model,
                        {arguments.begin() + 1, arguments.end()});
}
