//===- main.cpp - The main program of compiled models ---------------------===//
//
// Linked with the object of a compiled model it is a standalone executable.
//
//===----------------------------------------------------------------------===//

#include "runtime/serve/Application.h"

int main(int argc, char **argv) {
  const std::string program = argc > 0 ? argv[0] : "model";
  const std::string tool = program.substr(program.find_last_of('/') + 1);
  dsrt::Result<dsrt::Module> module =
      dsrt::Module::adopt(dsrt_module_query(DSRT_ABI_VERSION), program);
  if (!module.ok())
    return dsrt::fail(tool, module.status());
  dsrt::Model model(std::move(*module));
  return dsrt::runApplication(
      tool, program, model,
      std::vector<std::string>(argv + (argc > 0), argv + argc));
}
