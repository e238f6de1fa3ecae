//===- Conversion.cpp - Checkpoints to FP8 and back -----------------------===//
//
// Threads take one piece after the other; whoever does the last piece of a file
// brings it to the disk, while the others are at the next file. There are more
// threads than cores, because each waits for the disk at times.
//
//===----------------------------------------------------------------------===//

#include "runtime/quantize/Conversion.h"

#include "runtime/quantize/ModelFiles.h"
#include "runtime/quantize/OutputFolder.h"
#include "runtime/quantize/Pieces.h"
#include "runtime/quantize/Progress.h"
#include "runtime/weights/Quote.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <sys/resource.h>
#include <sys/stat.h>
#include <system_error>
#include <thread>

namespace dsrt {

namespace {

/// A file that is being written.
struct OpenShard {
  File in, out;
  size_t piecesLeft = 0;
};

class Workers {
public:
  Workers(const Plan &plan, const OutputFolder &folder,
          std::vector<Piece> pieces)
      : plan(plan), folder(folder), pieces(std::move(pieces)),
        shards(plan.shards.size()) {
    for (const Piece &piece : this->pieces)
      ++shards[piece.shard].piecesLeft;
  }

  /// Does all pieces, or stops early with the error of the first that failed.
  Status run(size_t threads, const volatile std::sig_atomic_t &interrupted,
             Progress &progress);

private:
  void work();
  Status openShard(uint32_t number);
  Status finishShard(uint32_t number);
  void fail(size_t piece, const Status &status);

  const Plan &plan;
  const OutputFolder &folder;
  const std::vector<Piece> pieces;
  std::vector<OpenShard> shards;
  std::atomic<uint64_t> doneBytes{0};

  std::mutex mutex; // of all below, and of a shard's files and count
  std::condition_variable ended;
  size_t next = 0, running = 0;
  bool stop = false;
  size_t failedPiece = SIZE_MAX;
  Status failure;
};

} // namespace

Status Workers::openShard(uint32_t number) {
  const ShardPlan &shard = plan.shards[number];
  Result<File> in = File::open(shard.source->path());
  if (!in.ok())
    return in.status();
  Result<File> out = folder.createFile(shard.name, shard.bytes);
  if (!out.ok())
    return out.status();
  DSRT_TRY(out->write(shard.header.data(), shard.header.size(), 0));
  shards[number].in = std::move(*in);
  shards[number].out = std::move(*out);
  return Status();
}

Status Workers::finishShard(uint32_t number) {
  DSRT_TRY(shards[number].out.finish());
  DSRT_TRY(folder.finishFile(plan.shards[number].name));
  shards[number].in = File();
  plan.shards[number].source->release(); // the pages of its header and scales
  return Status();
}

/// Of several failures the first piece's is reported, whichever came first:
/// pieces before it were taken before it, and are done to their end.
void Workers::fail(size_t piece, const Status &status) {
  const std::lock_guard<std::mutex> guard(mutex);
  stop = true;
  if (piece < failedPiece) {
    failedPiece = piece;
    failure = status;
  }
}

void Workers::work() {
  Result<PieceWorker> worker = PieceWorker::create(plan.format);
  if (!worker.ok())
    return fail(pieces.size(), worker.status()); // of no piece
  while (true) {
    size_t number;
    Status status;
    {
      const std::lock_guard<std::mutex> guard(mutex);
      if (stop || next == pieces.size())
        return;
      number = next++;
      const uint32_t shard = pieces[number].shard;
      if (number == 0 || pieces[number - 1].shard != shard)
        status = openShard(shard);
    }
    const Piece &piece = pieces[number];
    const ShardPlan &shard = plan.shards[piece.shard];
    OpenShard &files = shards[piece.shard];
    if (status.ok())
      status = worker->run(shard, piece, files.in, files.out);
    if (!status.ok())
      return fail(number, status);
    doneBytes += bytesRead(shard.tensors[piece.tensor], piece);
    bool isLast;
    {
      const std::lock_guard<std::mutex> guard(mutex);
      isLast = --files.piecesLeft == 0;
    }
    if (isLast)
      status = finishShard(piece.shard);
    if (!status.ok())
      return fail(number, status);
  }
}

Status Workers::run(size_t threads,
                    const volatile std::sig_atomic_t &interrupted,
                    Progress &progress) {
  std::vector<std::thread> team;
  auto body = [this] {
    work();
    const std::lock_guard<std::mutex> guard(mutex);
    --running;
    ended.notify_one();
  };
  std::unique_lock<std::mutex> lock(mutex);
  try {
    for (; running < threads; ++running)
      team.emplace_back(body);
  } catch (const std::system_error &) {
    // Those that there are do the work.
  }
  if (team.empty())
    return error(DSRT_IO_ERROR, "the system refuses to start a thread");
  while (running > 0) {
    ended.wait_for(lock, std::chrono::milliseconds(100));
    stop = stop || interrupted;
    // Who reads the text may be slow.
    lock.unlock();
    progress.show(doneBytes);
    lock.lock();
  }
  lock.unlock();
  for (std::thread &thread : team)
    thread.join();
  return failure;
}

/// What the new folder is made of: the options, and the files with their sizes
/// and times.
static Result<std::string> stateText(const ConversionOptions &options,
                                     const Plan &plan) {
  std::string text = fmt::format(
      "ds-quantize: {}\n",
      options.direction == Direction::Dequantize ? "to bf16"
      : plan.format == ScaleFormat::PowerOfTwo   ? "to fp8, scales ue8m0"
                                                 : "to fp8");
  std::vector<std::string> names = plan.files;
  for (const ShardPlan &shard : plan.shards)
    names.push_back(shard.name);
  names.push_back(kConfigName);
  if (!plan.index.empty())
    names.push_back(kIndexName);
  for (const std::string &name : names) {
    struct stat file;
    if (::stat((options.in + "/" + name).c_str(), &file) != 0)
      return error(DSRT_IO_ERROR, "cannot read {}",
                   quote(options.in + "/" + name));
    text += fmt::format("{} {}.{:09} {}\n", file.st_size, file.st_mtim.tv_sec,
                        file.st_mtim.tv_nsec, name);
  }
  return text;
}

static Status checkSpace(const ConversionOptions &options, const Plan &plan,
                         const OutputFolder &folder,
                         const std::vector<bool> &isDone) {
  uint64_t bytes = plan.config.size() + plan.index.size();
  for (size_t i = 0; i < plan.shards.size(); ++i)
    bytes += isDone[i] ? 0 : plan.shards[i].bytes;
  for (const std::string &name : plan.files) {
    struct stat file;
    if (::stat((options.in + "/" + name).c_str(), &file) == 0)
      bytes += static_cast<uint64_t>(file.st_size);
  }
  return folder.checkSpace(bytes);
}

static Status writeOtherFiles(const ConversionOptions &options,
                              const Plan &plan, const OutputFolder &folder) {
  for (const std::string &name : plan.folders)
    DSRT_TRY(folder.createFolder(name));
  for (const std::string &name : plan.files)
    DSRT_TRY(folder.copyFile(options.in + "/" + name, name));
  if (!plan.index.empty())
    DSRT_TRY(folder.writeText(kIndexName, plan.index));
  return folder.writeText(kConfigName, plan.config);
}

/// Computing and waiting for the disk overlap with twice the cores; buffers of
/// 32 threads are 256 MiB.
static size_t threadCount(int64_t wanted) {
  if (wanted > 0)
    return static_cast<size_t>(wanted);
  return std::clamp<size_t>(2 * std::thread::hardware_concurrency(), 2, 32);
}

static std::string summary(const ConversionOptions &options, const Plan &plan,
                           size_t oldFiles, uint64_t readBytes,
                           uint64_t writtenBytes, double seconds) {
  struct rusage usage = {};
  ::getrusage(RUSAGE_SELF, &usage);
  return fmt::format(
      "wrote {}{}: {} of {} tensors {}; read {:.2f} GB and wrote {:.2f} GB in "
      "{:.2f} s, {:.2f} GB/s; peak memory {} MB",
      quote(options.out),
      oldFiles ? fmt::format(" (of {} files {} were there already)",
                             plan.shards.size(), oldFiles)
               : "",
      plan.changedCount, plan.tensorCount,
      options.direction == Direction::Quantize ? "quantized" : "dequantized",
      static_cast<double>(readBytes) / 1e9,
      static_cast<double>(writtenBytes) / 1e9, seconds,
      static_cast<double>(readBytes + writtenBytes) / 1e9 / seconds,
      usage.ru_maxrss / 1000);
}

/// Writes all that is not there yet.
static Result<std::string>
writeAll(const ConversionOptions &options, const Plan &plan,
         OutputFolder &folder, const std::vector<bool> &isDone,
         const volatile std::sig_atomic_t &interrupted) {
  DSRT_TRY(writeOtherFiles(options, plan, folder));
  std::vector<Piece> pieces;
  uint64_t readBytes = 0, writtenBytes = 0;
  for (size_t i = 0; i < plan.shards.size(); ++i) {
    if (isDone[i])
      continue;
    std::vector<Piece> own = cutShard(plan.shards[i], static_cast<uint32_t>(i));
    for (const Piece &piece : own)
      readBytes += bytesRead(plan.shards[i].tensors[piece.tensor], piece);
    writtenBytes += plan.shards[i].bytes;
    pieces.insert(pieces.end(), own.begin(), own.end());
  }
  Progress progress(readBytes);
  Workers workers(plan, folder, std::move(pieces));
  DSRT_TRY(workers.run(threadCount(options.threads), interrupted, progress));
  if (interrupted)
    return error(DSRT_IO_ERROR, "interrupted");
  DSRT_TRY(folder.complete());
  return summary(
      options, plan,
      static_cast<size_t>(std::count(isDone.begin(), isDone.end(), true)),
      readBytes, writtenBytes, progress.seconds());
}

Result<std::string>
convertCheckpoint(const ConversionOptions &options,
                  const volatile std::sig_atomic_t &interrupted) {
  Result<OutputFolder> folder = OutputFolder::prepare(options.in, options.out);
  if (!folder.ok())
    return folder.status();
  Result<Checkpoint> checkpoint = Checkpoint::open(options.in);
  if (!checkpoint.ok())
    return checkpoint.status();
  Result<Plan> plan = makePlan(*checkpoint, options.direction, options.format);
  if (!plan.ok())
    return plan.status();
  Result<std::string> state = stateText(options, *plan);
  if (!state.ok())
    return state.status();
  DSRT_TRY(folder->resume(*state));
  std::vector<bool> isDone;
  for (const ShardPlan &shard : plan->shards)
    isDone.push_back(folder->isFinished(shard.name, shard.bytes, shard.header));
  DSRT_TRY(checkSpace(options, *plan, *folder, isDone));
  DSRT_TRY(folder->begin(*state));

  Result<std::string> result =
      writeAll(options, *plan, *folder, isDone, interrupted);
  if (result.ok())
    return result;
  // What the input's own content refuses would be refused again.
  if (result.status().code() == DSRT_MALFORMED) {
    folder->discard();
    return result.status();
  }
  return error(result.status().code(),
               "{}; run the same command again to go on from {}, or remove it",
               result.status().message(), quote(folder->partial()));
}

} // namespace dsrt
