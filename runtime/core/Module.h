//===- Module.h - A compiled model, opened and checked ----------*- C++ -*-===//
//
// Opens the shared object of a compiled model, or takes the tables linked into
// the executable, and checks that they make sense before anyone follows a
// pointer in them. Knows nothing of weights or sessions.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_CORE_MODULE_H
#define DSRT_CORE_MODULE_H

#include "dsrt/abi.h"
#include "runtime/core/ElementTypes.h"
#include "runtime/core/Status.h"

#include <memory>
#include <string>

namespace dsrt {

class Module {
public:
  /// Opens a shared object.
  static Result<Module> open(const std::string &path);
  /// Takes what dsrt_module_query of this executable returned.
  static Result<Module> adopt(const dsrt_module *tables,
                              const std::string &path);

  const dsrt_module &tables() const { return *module; }
  const std::string &path() const { return file; }

  const char *string(int64_t offset) const { return module->strings + offset; }
  const char *name(const dsrt_value &value) const { return string(value.name); }
  /// True if its kernels run on a GPU.
  bool forDevice() const { return module->image_count > 0; }

  /// The entry, or null.
  const dsrt_entry *findEntry(const std::string &name) const;

private:
  Module(const dsrt_module *module, std::string path)
      : module(module), file(std::move(path)) {}
  Status check() const;
  Status checkImages() const;

  const dsrt_module *module;
  std::string file;
  std::shared_ptr<void> library; // keeps the shared object open
};

} // namespace dsrt

#endif // DSRT_CORE_MODULE_H
