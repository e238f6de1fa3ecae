//===- Checkpoint.cpp - The tensors of a checkpoint folder ----------------===//
//
// The headers of the files are read in parallel; of several broken files the
// first is reported.
//
//===----------------------------------------------------------------------===//

#include "runtime/weights/Checkpoint.h"

#include "runtime/weights/CheckpointIndex.h"
#include "runtime/weights/Parallel.h"
#include "runtime/weights/Quote.h"

#include <algorithm>
#include <filesystem>
#include <optional>

namespace dsrt {

namespace fs = std::filesystem;

static constexpr const char *kIndexName = "model.safetensors.index.json";

Result<Checkpoint> Checkpoint::open(const std::string &folder) {
  std::error_code code;
  if (!fs::is_directory(folder, code))
    return error(
        DSRT_NOT_FOUND, "expected {} to be a checkpoint folder, found {}",
        quote(folder), fs::exists(folder, code) ? "a file" : "nothing there");
  Checkpoint checkpoint;
  checkpoint.path = folder;
  std::string indexPath = folder + "/" + kIndexName;
  Status status = fs::exists(indexPath, code) ? checkpoint.openShards(indexPath)
                                              : checkpoint.openSingle();
  if (!status.ok())
    return status;
  return checkpoint;
}

Status Checkpoint::openFiles(const std::vector<std::string> &names) {
  std::vector<std::optional<Result<SafetensorsFile>>> opened(names.size());
  parallelFor(names.size(), [&](size_t i) {
    opened[i].emplace(SafetensorsFile::open(path + "/" + names[i]));
  });
  files.reserve(names.size());
  for (auto &file : opened) {
    if (!file->ok())
      return file->status();
    files.push_back(std::move(**file));
  }
  return Status();
}

Status Checkpoint::openShards(const std::string &indexPath) {
  Result<Mapping> mapping = Mapping::open(indexPath);
  if (!mapping.ok())
    return mapping.status();
  std::string_view text(reinterpret_cast<const char *>(mapping->data()),
                        mapping->size());
  Result<CheckpointIndex> index = parseCheckpointIndex(text, indexPath);
  if (!index.ok())
    return index.status();

  std::error_code code;
  for (const std::string &name : index->files)
    if (!fs::exists(path + "/" + name, code))
      return error(DSRT_NOT_FOUND,
                   "{} names the file {}, which is not in the folder; complete "
                   "the checkpoint",
                   quote(indexPath), quote(name));
  DSRT_TRY(openFiles(index->files));

  all.reserve(index->entries.size());
  for (const CheckpointIndex::Entry &entry : index->entries) {
    const SafetensorsFile &file = files[entry.file];
    const Tensor *tensor = file.find(entry.tensor);
    if (!tensor)
      return error(DSRT_MALFORMED,
                   "{} places tensor {} in {}, which does not hold it",
                   quote(indexPath), quote(entry.tensor), quote(file.path()));
    all.push_back({tensor, &file});
  }
  std::sort(all.begin(), all.end(),
            [](const CheckpointTensor &a, const CheckpointTensor &b) {
              return a.file != b.file ? a.file < b.file : a.tensor < b.tensor;
            });
  byName.reserve(all.size());
  for (size_t i = 0; i < all.size(); ++i)
    if (!byName.emplace(all[i].tensor->name, i).second)
      return error(DSRT_MALFORMED, "{} lists tensor {} twice", quote(indexPath),
                   quote(all[i].tensor->name));
  return Status();
}

/// The one file of weights in a folder without an index.
static Result<std::string> findSingleFile(const std::string &folder) {
  std::error_code code;
  if (fs::exists(folder + "/model.safetensors", code))
    return std::string("model.safetensors");
  std::vector<std::string> names;
  fs::directory_iterator end;
  for (fs::directory_iterator it(folder, code); !code && it != end;
       it.increment(code))
    if (it->path().extension() == ".safetensors")
      names.push_back(it->path().filename().string());
  if (code)
    return error(DSRT_IO_ERROR, "cannot list {}: {}", quote(folder),
                 code.message());
  if (names.size() == 1)
    return names.front();
  return error(DSRT_NOT_FOUND,
               "expected model.safetensors or {} in {}, found {} other files "
               "*.safetensors",
               kIndexName, quote(folder), names.size());
}

Status Checkpoint::openSingle() {
  Result<std::string> name = findSingleFile(path);
  if (!name.ok())
    return name.status();
  DSRT_TRY(openFiles({*name}));
  const SafetensorsFile &file = files.front();
  all.reserve(file.tensors().size());
  byName.reserve(file.tensors().size());
  for (const Tensor &tensor : file.tensors()) {
    byName.emplace(tensor.name, all.size());
    all.push_back({&tensor, &file});
  }
  return Status();
}

CheckpointTensor Checkpoint::find(std::string_view name) const {
  auto found = byName.find(name);
  return found == byName.end() ? CheckpointTensor() : all[found->second];
}

} // namespace dsrt
