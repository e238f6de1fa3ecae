//===- OutputFolder.h - A folder that appears when it is whole --*- C++ -*-===//
//
// Everything is made in OUT.partial:
//
//   OUT.partial/state       of what it is made; locked while a process works
//   OUT.partial/unfinished  files that are being written
//   OUT.partial/finished    files that are on the disk; becomes OUT in the end
//
// A process that ends early, however, leaves all this, and the next one goes on
// with what is in `finished`.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_QUANTIZE_OUTPUTFOLDER_H
#define DSRT_QUANTIZE_OUTPUTFOLDER_H

#include "runtime/core/Status.h"

#include <cstdint>
#include <string_view>

namespace dsrt {

/// A descriptor that is closed with its owner.
class File {
public:
  File() = default;
  explicit File(int descriptor) : descriptor(descriptor) {}
  ~File();
  File(File &&other) noexcept { *this = std::move(other); }
  File &operator=(File &&other) noexcept {
    std::swap(descriptor, other.descriptor);
    std::swap(path, other.path);
    return *this;
  }

  static Result<File> open(const std::string &path);
  /// Of that many bytes; an existing one is replaced.
  static Result<File> create(const std::string &path, uint64_t bytes);

  Status read(void *data, uint64_t bytes, uint64_t offset) const;
  Status write(const void *data, uint64_t bytes, uint64_t offset) const;
  /// Waits until all is on the disk, and closes the file.
  Status finish();
  bool isOpen() const { return descriptor >= 0; }

private:
  Status failed(const char *action) const;

  int descriptor = -1;
  std::string path; // for messages
};

class OutputFolder {
public:
  /// Refuses an `out` that cannot become the result, or that is about `in`.
  static Result<OutputFolder> prepare(const std::string &in,
                                      const std::string &out);

  /// Finds out what an earlier process left, and removes its unfinished files.
  /// `state` says of what the folder is made: another one is refused.
  Status resume(const std::string &state);
  /// True if the file is there, of this size and with this beginning.
  bool isFinished(const std::string &name, uint64_t bytes,
                  std::string_view beginning) const;
  /// An error if the disk cannot hold that many more bytes.
  Status checkSpace(uint64_t bytes) const;
  /// Makes the folder, or goes on with it.
  Status begin(const std::string &state);

  Result<File> createFile(const std::string &name, uint64_t bytes) const;
  /// Gives a file that createFile made and that is on the disk its place.
  Status finishFile(const std::string &name) const;
  Status createFolder(const std::string &name) const;
  Status writeText(const std::string &name, std::string_view text) const;
  Status copyFile(const std::string &from, const std::string &name) const;

  /// Gives the folder its final name.
  Status complete();
  /// Removes everything.
  void discard();
  const std::string &partial() const { return partialPath; }

private:
  Status checkTarget() const;
  std::string unfinished(const std::string &name) const;
  std::string finished(const std::string &name) const;

  std::string out;         // as the user wrote it, without slashes at the end
  std::string target;      // absolute
  std::string partialPath; // `out` with an ending
  File lock;               // of the partial folder
};

} // namespace dsrt

#endif // DSRT_QUANTIZE_OUTPUTFOLDER_H
