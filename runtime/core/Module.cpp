//===- Module.cpp - A compiled model, opened and checked ------------------===//
//
// The tables come from a file, so they are input: magic, version, counts,
// ranks, types and shapes are checked here once, and the rest of the runtime
// relies on them. What cannot be checked is that the pointers point somewhere;
// a shared object that is cut short is refused before the loader maps it.
//
//===----------------------------------------------------------------------===//

#include "runtime/core/Module.h"

#include "runtime/core/DerivedWeights.h"
#include "runtime/core/Processor.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <dlfcn.h>
#include <elf.h>
#include <fstream>
#include <limits>
#include <vector>

namespace dsrt {

namespace {

/// The loader of the system maps a file that is cut short without complaint and
/// the process dies at the first touch, so compare the program headers with the
/// size of the file.
Status checkSharedObject(const std::string &path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file)
    return error(DSRT_NOT_FOUND, "cannot open the model '{}': {}", path,
                 std::strerror(errno));
  const uint64_t size =
      static_cast<uint64_t>(std::max<int64_t>(0, file.tellg()));
  Elf64_Ehdr header;
  file.seekg(0);
  if (size < sizeof(header) ||
      !file.read(reinterpret_cast<char *>(&header), sizeof(header)) ||
      std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
      header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_type != ET_DYN ||
      header.e_phentsize != sizeof(Elf64_Phdr))
    return error(DSRT_MALFORMED,
                 "'{}' is not a 64-bit ELF shared object; make one with "
                 "ds-translate --emit=shared",
                 path);
  std::vector<Elf64_Phdr> segments(header.e_phnum);
  file.seekg(static_cast<std::streamoff>(header.e_phoff));
  bool whole = header.e_phoff < size &&
               file.read(reinterpret_cast<char *>(segments.data()),
                         static_cast<std::streamsize>(segments.size() *
                                                      sizeof(Elf64_Phdr)));
  for (const Elf64_Phdr &segment : segments)
    whole = whole && segment.p_offset <= size &&
            segment.p_filesz <= size - segment.p_offset;
  if (!whole)
    return error(DSRT_MALFORMED, "the model '{}' is cut short at {} bytes",
                 path, size);
  return Status();
}

constexpr uint64_t maxCount = 1u << 24;

bool validShape(int64_t dtype, int64_t rank, const int64_t *shape,
                int64_t smallest) {
  if (dtype < DSRT_F32 || dtype > DSRT_INDEX || rank < 0 ||
      rank > DSRT_MAX_RANK)
    return false;
  // The element count must fit, so that no later product overflows.
  int64_t room = std::numeric_limits<int64_t>::max() / 16;
  for (int64_t i = 0; i < rank; ++i) {
    if (shape[i] < smallest || shape[i] > room)
      return false;
    room /= std::max<int64_t>(shape[i], 1);
  }
  return true;
}

} // namespace

Result<Module> Module::open(const std::string &path) {
  DSRT_TRY(checkSharedObject(path));
  // A name without a slash would be searched for in the system's folders.
  std::string file = path.find('/') == std::string::npos ? "./" + path : path;
  std::shared_ptr<void> library(dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL),
                                [](void *handle) {
                                  if (handle)
                                    dlclose(handle);
                                });
  if (!library)
    return error(DSRT_MALFORMED, "cannot load the model '{}': {}", path,
                 dlerror());
  auto query = reinterpret_cast<const dsrt_module *(*)(uint32_t)>(
      dlsym(library.get(), "dsrt_module_query"));
  if (!query)
    return error(DSRT_MALFORMED,
                 "'{}' is not a compiled model: it exports no "
                 "dsrt_module_query",
                 path);
  Result<Module> module = adopt(query(DSRT_ABI_VERSION), path);
  if (module.ok())
    module->library = std::move(library);
  return module;
}

Result<Module> Module::adopt(const dsrt_module *tables,
                             const std::string &path) {
  if (!tables || tables->magic != DSRT_MAGIC)
    return error(DSRT_MALFORMED,
                 "'{}' is not a compiled model: its tables begin with 0x{:08x} "
                 "instead of 0x{:08x}",
                 path, tables ? tables->magic : 0u, DSRT_MAGIC);
  if (tables->abi_version != DSRT_ABI_VERSION)
    return error(DSRT_VERSION_MISMATCH,
                 "'{}' has ABI version {}, this runtime has {}; compile the "
                 "model again with the compiler of this runtime",
                 path, tables->abi_version, DSRT_ABI_VERSION);
  Module module(tables, path);
  DSRT_TRY(module.check());
  DSRT_TRY(checkDerivedWeights(module));
  DSRT_TRY(checkProcessor(tables->cpu_features, path));
  return module;
}

/// Everything that can be told without running the model.
Status Module::check() const {
  auto malformed = [&](const std::string &what) {
    return error(DSRT_MALFORMED, "'{}' is malformed: {}", file, what);
  };
  const dsrt_module &m = *module;
  if (!m.name || !m.target || !m.source || !m.strings || !m.cpu_features)
    return malformed("a name of the module is missing");
  if (m.weight_count > maxCount || m.kernel_count > maxCount ||
      m.entry_count > maxCount || m.eos_count > maxCount)
    return malformed("a table has more than 2^24 rows");
  if ((m.weight_count && !m.weights) || (m.kernel_count && !m.kernels) ||
      (m.entry_count && !m.entries) || (m.eos_count && !m.eos_tokens))
    return malformed("a table is missing");
  for (uint64_t i = 0; i < m.weight_count; ++i)
    if (m.weights[i].key < 0 ||
        !validShape(m.weights[i].dtype, m.weights[i].rank, m.weights[i].shape,
                    0) ||
        m.weights[i].dtype == DSRT_INDEX ||
        (m.weights[i].stacked && m.weights[i].rank == 0) ||
        m.weights[i].last_key < -1 || m.weights[i].scale_of < -1 ||
        m.weights[i].scale_of >= static_cast<int64_t>(m.weight_count))
      return malformed(fmt::format("weight {} has no valid type", i));
  for (uint64_t i = 0; i < m.kernel_count; ++i)
    if (m.kernels[i].name < 0)
      return malformed(fmt::format("kernel {} has no name", i));
  for (uint64_t i = 0; i < m.entry_count; ++i) {
    const dsrt_entry &entry = m.entries[i];
    if (!entry.name || !entry.function)
      return malformed(fmt::format("entry {} has no name or no code", i));
    if (entry.arg_count > maxCount || entry.result_count > maxCount ||
        (entry.arg_count && !entry.args) ||
        (entry.result_count && !entry.results))
      return malformed(
          fmt::format("entry '{}' has no argument table", entry.name));
    if (entry.workspace_bytes > m.workspace_bytes &&
        std::strcmp(entry.name, kPrepareEntry) != 0)
      return malformed(fmt::format(
          "entry '{}' needs {} bytes of workspace, the module plans {}",
          entry.name, entry.workspace_bytes, m.workspace_bytes));
    for (uint64_t k = 0; k < entry.arg_count + entry.result_count; ++k) {
      const dsrt_value &value = k < entry.arg_count
                                    ? entry.args[k]
                                    : entry.results[k - entry.arg_count];
      if (value.name < 0 ||
          !validShape(value.dtype, value.rank, value.shape, -1))
        return malformed(fmt::format("entry '{}': value {} has no valid type",
                                     entry.name, k));
    }
  }
  return checkImages();
}

/// The tables of a module for GPUs.
Status Module::checkImages() const {
  auto malformed = [&](const std::string &what) {
    return error(DSRT_MALFORMED, "'{}' is malformed: {}", file, what);
  };
  const dsrt_module &m = *module;
  if (m.image_count > maxCount || m.device_kernel_count > maxCount)
    return malformed("a table has more than 2^24 rows");
  if ((m.image_count && !m.images) ||
      (m.device_kernel_count && !m.device_kernels))
    return malformed("a table is missing");
  for (uint64_t i = 0; i < m.image_count; ++i) {
    const dsrt_image &image = m.images[i];
    if (!image.chip || !image.ptx || image.ptx_bytes < 1 ||
        image.ptx[image.ptx_bytes - 1] || (image.cubin_bytes && !image.cubin))
      return malformed(fmt::format("image {} has no chip or no PTX", i));
  }
  constexpr int64_t largestBlock = 1024, largestCluster = 16;
  for (uint64_t i = 0; i < m.device_kernel_count; ++i) {
    const dsrt_device_kernel &kernel = m.device_kernels[i];
    bool valid = kernel.name >= 0 && kernel.location >= 0 &&
                 kernel.image >= 0 &&
                 kernel.image < static_cast<int64_t>(m.image_count) &&
                 kernel.shared_bytes >= 0 && kernel.shared_bytes < 1 << 20;
    for (int axis = 0; axis < 3; ++axis)
      valid = valid && kernel.block[axis] >= 1 &&
              kernel.block[axis] <= largestBlock && kernel.cluster[axis] >= 1 &&
              kernel.cluster[axis] <= largestCluster;
    if (!valid)
      return malformed(fmt::format("device kernel {} has no image, no name or "
                                   "no valid sizes",
                                   i));
  }
  return Status();
}

const dsrt_entry *Module::findEntry(const std::string &name) const {
  for (uint64_t i = 0; i < module->entry_count; ++i)
    if (name == module->entries[i].name)
      return &module->entries[i];
  return nullptr;
}

} // namespace dsrt
