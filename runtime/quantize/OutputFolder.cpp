//===- OutputFolder.cpp - A folder that appears when it is whole ----------===//
//
// A file reaches the disk before its name does, and all names before the folder
// is renamed, so that not even a power failure leaves half of one.
//
//===----------------------------------------------------------------------===//

#include "runtime/quantize/OutputFolder.h"

#include "runtime/text/Json.h"
#include "runtime/weights/Quote.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <vector>

namespace dsrt {

namespace fs = std::filesystem;

//===----------------------------------------------------------------------===//
// Files
//===----------------------------------------------------------------------===//

File::~File() {
  if (descriptor >= 0)
    ::close(descriptor);
}

Status File::failed(const char *action) const {
  return error(DSRT_IO_ERROR, "cannot {} {}: {}", action, quote(path),
               std::strerror(errno));
}

Result<File> File::open(const std::string &path) {
  // O_NONBLOCK: a pipe of that name must not be waited for.
  File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  file.path = path;
  if (file.descriptor < 0)
    return file.failed("open");
  return file;
}

Result<File> File::create(const std::string &path, uint64_t bytes) {
  File file(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  file.path = path;
  if (file.descriptor < 0 ||
      ::ftruncate(file.descriptor, static_cast<off_t>(bytes)) != 0)
    return file.failed("create");
  return file;
}

Status File::read(void *data, uint64_t bytes, uint64_t offset) const {
  char *position = static_cast<char *>(data);
  while (bytes > 0) {
    const ssize_t count =
        ::pread(descriptor, position, bytes, static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR)
      continue;
    if (count < 0)
      return failed("read");
    if (count == 0)
      return error(DSRT_IO_ERROR, "{} ends at byte {}: it was shortened",
                   quote(path), offset);
    position += count;
    offset += static_cast<uint64_t>(count);
    bytes -= static_cast<uint64_t>(count);
  }
  return Status();
}

Status File::write(const void *data, uint64_t bytes, uint64_t offset) const {
  const char *position = static_cast<const char *>(data);
  while (bytes > 0) {
    errno = EIO; // where the system says no more than "nothing written"
    const ssize_t count =
        ::pwrite(descriptor, position, bytes, static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      return failed("write");
    position += count;
    offset += static_cast<uint64_t>(count);
    bytes -= static_cast<uint64_t>(count);
  }
  return Status();
}

Status File::finish() {
  if (::fsync(descriptor) != 0)
    return failed("write");
  if (::close(std::exchange(descriptor, -1)) != 0)
    return failed("write");
  return Status();
}

/// Brings the names in a folder to the disk.
static Status syncFolder(const std::string &path) {
  const int descriptor =
      ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = descriptor >= 0 && ::fsync(descriptor) == 0;
  Status status = synced
                      ? Status()
                      : error(DSRT_IO_ERROR, "cannot write the folder {}: {}",
                              quote(path), std::strerror(errno));
  if (descriptor >= 0)
    ::close(descriptor);
  return status;
}

static Status renamePath(const std::string &from, const std::string &to) {
  if (::rename(from.c_str(), to.c_str()) != 0)
    return error(DSRT_IO_ERROR, "cannot rename {} to {}: {}", quote(from),
                 quote(to), std::strerror(errno));
  return Status();
}

//===----------------------------------------------------------------------===//
// The folder
//===----------------------------------------------------------------------===//

static bool contains(const fs::path &folder, const fs::path &path) {
  return std::mismatch(folder.begin(), folder.end(), path.begin(), path.end())
             .first == folder.end();
}

/// Absolute, without links and dots, and without a slash at the end.
static std::string resolved(const std::string &path) {
  std::error_code code;
  fs::path result = fs::weakly_canonical(fs::absolute(path, code), code);
  if (!result.has_filename())
    result = result.parent_path();
  return result.string();
}

/// What has the final name must give way to a rename.
Status OutputFolder::checkTarget() const {
  struct stat self, above;
  const std::string parent = fs::path(target).parent_path().string();
  if (::stat(parent.c_str(), &above) != 0 ||
      ::access(parent.c_str(), W_OK | X_OK) != 0)
    return error(DSRT_IO_ERROR, "cannot write {} into the folder {}: {}",
                 quote(out), quote(parent), std::strerror(errno));
  std::error_code code;
  if (::lstat(out.c_str(), &self) != 0)
    return Status();
  if (!S_ISDIR(self.st_mode) || !fs::is_empty(out, code))
    return error(DSRT_INVALID_ARGUMENT,
                 "cannot write {}: it exists already; remove it or name "
                 "another one",
                 quote(out));
  if (self.st_dev != above.st_dev)
    return error(DSRT_INVALID_ARGUMENT,
                 "cannot write {}: a disk is mounted there; name a folder "
                 "within it",
                 quote(out));
  return Status();
}

Result<OutputFolder> OutputFolder::prepare(const std::string &in,
                                           const std::string &out) {
  OutputFolder folder;
  folder.out = out;
  while (folder.out.size() > 1 && folder.out.back() == '/')
    folder.out.pop_back();
  const std::string last = fs::path(folder.out).filename().string();
  if (last.empty() || last == "." || last == "..")
    return error(DSRT_INVALID_ARGUMENT,
                 "-o: expected the name of a new folder, got {}", quote(out));
  folder.target = resolved(folder.out);
  folder.partialPath = folder.out + ".partial";

  const std::string source = resolved(in);
  for (const std::string &made : {folder.target, resolved(folder.partialPath)})
    if (contains(source, made) || contains(made, source))
      return error(DSRT_INVALID_ARGUMENT,
                   "cannot write {}: it is, contains, or lies in the folder {} "
                   "that is read; name another one",
                   quote(out), quote(in));
  DSRT_TRY(folder.checkTarget());
  return folder;
}

std::string OutputFolder::unfinished(const std::string &name) const {
  return partialPath + "/unfinished/" + name;
}
std::string OutputFolder::finished(const std::string &name) const {
  return partialPath + "/finished/" + name;
}

/// True of a folder in which no file was finished.
static bool holdsNothing(const std::string &partial) {
  std::error_code code;
  for (const fs::directory_entry &entry :
       fs::directory_iterator(partial, code)) {
    const fs::path name = entry.path().filename();
    if (name != "unfinished" && name != "state" &&
        (name != "finished" || !fs::is_empty(entry.path(), code)))
      return false;
  }
  return !code;
}

Status OutputFolder::resume(const std::string &state) {
  struct stat information;
  if (::lstat(partialPath.c_str(), &information) != 0)
    return Status();
  if (!lock.isOpen()) {
    const int descriptor =
        ::open(partialPath.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    lock = File(descriptor);
    // Some network file systems cannot lock; they are not to be refused.
    if (descriptor >= 0 && ::flock(descriptor, LOCK_EX | LOCK_NB) != 0 &&
        errno == EWOULDBLOCK)
      return error(DSRT_IO_ERROR, "another process is writing {}", quote(out));
  }
  Result<std::string> found = readTextFile(partialPath + "/state");
  if (!S_ISDIR(information.st_mode) ||
      (!holdsNothing(partialPath) && (!found.ok() || *found != state)))
    return error(DSRT_INVALID_ARGUMENT,
                 "{} was not left by a run on the same files with the same "
                 "options; remove it or name another output",
                 quote(partialPath));
  std::error_code code;
  fs::remove_all(unfinished(""), code);
  return Status();
}

bool OutputFolder::isFinished(const std::string &name, uint64_t bytes,
                              std::string_view beginning) const {
  std::error_code code;
  if (fs::file_size(finished(name), code) != bytes || code)
    return false;
  Result<File> file = File::open(finished(name));
  std::string found(beginning.size(), '\0');
  return file.ok() && file->read(found.data(), found.size(), 0).ok() &&
         found == beginning;
}

Status OutputFolder::checkSpace(uint64_t bytes) const {
  const std::string parent = fs::path(target).parent_path().string();
  struct statvfs disk;
  if (::statvfs(parent.c_str(), &disk) != 0)
    return error(DSRT_IO_ERROR, "cannot tell the free space in {}: {}",
                 quote(parent), std::strerror(errno));
  const uint64_t available =
      static_cast<uint64_t>(disk.f_bavail) * disk.f_frsize;
  if (bytes > available)
    return error(DSRT_IO_ERROR,
                 "cannot write {}: {} bytes are needed ({:.1f} GB), {} are "
                 "free on its disk ({:.1f} GB)",
                 quote(out), bytes, static_cast<double>(bytes) / 1e9, available,
                 static_cast<double>(available) / 1e9);
  return Status();
}

Status OutputFolder::begin(const std::string &state) {
  auto makeFolder = [](const std::string &path) {
    if (::mkdir(path.c_str(), 0777) != 0 && errno != EEXIST)
      return error(DSRT_IO_ERROR, "cannot make the folder {}: {}", quote(path),
                   std::strerror(errno));
    return Status();
  };
  DSRT_TRY(makeFolder(partialPath));
  DSRT_TRY(resume(state));
  DSRT_TRY(makeFolder(unfinished("")));
  DSRT_TRY(makeFolder(finished("")));
  Result<File> file = createFile("state", state.size());
  if (!file.ok())
    return file.status();
  DSRT_TRY(file->write(state.data(), state.size(), 0));
  DSRT_TRY(file->finish());
  DSRT_TRY(renamePath(unfinished("state"), partialPath + "/state"));
  return syncFolder(partialPath);
}

Result<File> OutputFolder::createFile(const std::string &name,
                                      uint64_t bytes) const {
  return File::create(unfinished(name), bytes);
}

Status OutputFolder::finishFile(const std::string &name) const {
  DSRT_TRY(renamePath(unfinished(name), finished(name)));
  return syncFolder(finished(""));
}

Status OutputFolder::createFolder(const std::string &name) const {
  std::error_code code;
  fs::create_directories(finished(name), code);
  if (code)
    return error(DSRT_IO_ERROR, "cannot make the folder {}: {}",
                 quote(finished(name)), code.message());
  return Status();
}

Status OutputFolder::writeText(const std::string &name,
                               std::string_view text) const {
  Result<File> file = File::create(finished(name), text.size());
  if (!file.ok())
    return file.status();
  DSRT_TRY(file->write(text.data(), text.size(), 0));
  return file->finish();
}

Status OutputFolder::copyFile(const std::string &from,
                              const std::string &name) const {
  Result<File> source = File::open(from);
  if (!source.ok())
    return source.status();
  std::error_code code;
  const uint64_t bytes = fs::file_size(from, code);
  if (code)
    return error(DSRT_IO_ERROR, "cannot read {}: {}", quote(from),
                 code.message());
  Result<File> copy = File::create(finished(name), bytes);
  if (!copy.ok())
    return copy.status();
  std::vector<char> buffer(std::min<uint64_t>(bytes, 1 << 20));
  for (uint64_t at = 0; at < bytes; at += buffer.size()) {
    const uint64_t count = std::min<uint64_t>(buffer.size(), bytes - at);
    DSRT_TRY(source->read(buffer.data(), count, at));
    DSRT_TRY(copy->write(buffer.data(), count, at));
  }
  return copy->finish();
}

Status OutputFolder::complete() {
  std::error_code code;
  DSRT_TRY(syncFolder(finished("")));
  for (fs::recursive_directory_iterator it(finished(""), code), end;
       !code && it != end; it.increment(code))
    if (it->is_directory(code))
      DSRT_TRY(syncFolder(it->path().string()));
  DSRT_TRY(renamePath(finished(""), target));
  DSRT_TRY(syncFolder(fs::path(target).parent_path().string()));
  discard();
  return Status();
}

void OutputFolder::discard() {
  std::error_code code;
  fs::remove_all(partialPath, code);
}

} // namespace dsrt
