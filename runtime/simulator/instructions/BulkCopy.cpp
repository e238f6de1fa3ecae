//===- BulkCopy.cpp - cp.async.bulk ---------------------------------------===//
//
// Copies of bytes and of boxes of tensors (TMA), by one thread each. Here they
// are issued and their groups waited for; AsyncWork does them.
//
// Cache hints change nothing. Prefetches check nothing.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/instructions/Groups.h"
#include "runtime/simulator/instructions/Lanewise.h"
#include "runtime/simulator/instructions/Mbarrier.h"
#include "runtime/simulator/instructions/TensorBox.h"

#include <fmt/format.h>

using namespace dsrt::simulator;

// The operands of all copies: address[0] is in shared memory, address[1] in
// global memory or that of a tensor map with the coordinates in 'list'.
// address[2] is the barrier, or the source of a copy between CTAs. Operand 0
// has the number of bytes, operand 1 the mask of the CTAs that get a copy.

static void checkMultiple(const Warp &warp, const Instruction &i, unsigned lane,
                          const char *what, uint64_t value, uint64_t of) {
  if (value % of)
    warp.fault(FaultKind::MisalignedAddress, i, lane,
               fmt::format("expected {} of a multiple of {} bytes, got 0x{:x}",
                           what, of, value));
}

/// The number of bytes of a copy that is no box.
static uint32_t linearBytes(Warp &warp, const Instruction &i, unsigned lane) {
  uint32_t bytes = warp.lanes<uint32_t>(i.operand[0])[lane];
  if (bytes == 0 || bytes % 16)
    warp.fault(FaultKind::InvalidUse, i, lane,
               fmt::format("expected a multiple of 16 bytes, got {}", bytes));
  return bytes;
}

/// The parts of a copy between global memory and shared memory at 'address'.
static std::vector<BoxPart> partsOf(Warp &warp, const Instruction &i,
                                    unsigned lane, uint64_t address) {
  bool isBox = !i.list.empty();
  checkMultiple(warp, i, lane, "a shared address", address, isBox ? 128 : 16);
  if (isBox) {
    TensorBox box(warp, i, lane);
    return box.parts(warp.checkedPlace(i, address, box.bytes(), lane).offset);
  }
  uint32_t bytes = linearBytes(warp, i, lane);
  uint64_t global = warp.addressOf(i.address[1], lane);
  checkMultiple(warp, i, lane, "a global address", global, 16);
  return {{global, warp.checkedPlace(i, address, bytes, lane).offset, bytes}};
}

/// A copy that comes after what the thread has done.
static BulkCopy makeCopy(Warp &warp, const Instruction &i, unsigned lane) {
  if (Races *races = warp.races())
    races->beginCopy(warp.agent(), LaneMask(1) << lane);
  return BulkCopy(warp, i, lane);
}

/// Issues a copy into the shared memory of a CTA, whose barrier gets the bytes.
static void beginLoad(BulkCopy copy, uint64_t barrier) {
  Warp &warp = *copy.warp;
  checkAsyncBarrier(warp, *copy.instruction, copy.lane, barrier);
  if (warp.checkedPlace(*copy.instruction, barrier, 8, copy.lane).cta !=
      copy.to)
    warp.fault(FaultKind::InvalidUse, *copy.instruction, copy.lane,
               "expected an mbarrier in the CTA that gets the bytes");
  copy.barrier = barrier;
  copy.completed = countCopiedBytes;
  warp.cta.cluster.async.begin(std::move(copy));
}

static Flow load(Warp &warp, const Instruction &i, LaneMask active) {
  forLanes(active, [&](unsigned lane) {
    uint64_t to = warp.addressOf(i.address[0], lane);
    uint64_t barrier = warp.addressOf(i.address[2], lane);
    BulkCopy copy = makeCopy(warp, i, lane);
    for (const BoxPart &part : partsOf(warp, i, lane, to))
      copy.runs.push_back({part.global, part.shared, part.bytes});
    copy.to = warp.checkedPlace(i, to, 0, lane).cta;
    if (i.operand[1] == kNoSlot)
      return beginLoad(std::move(copy), barrier);
    // The same offsets in each CTA of the mask.
    unsigned mask = warp.lanes<uint16_t>(i.operand[1])[lane];
    size_t count = warp.cta.cluster.ctas.size();
    if (mask == 0 || mask >> count)
      warp.fault(FaultKind::InvalidUse, i, lane,
                 fmt::format("expected a mask of some of the {} CTAs of the "
                             "cluster, got 0x{:x}",
                             count, mask));
    for (unsigned rank = 0; rank < count; ++rank) {
      if (!(mask >> rank & 1))
        continue;
      copy.to = warp.cta.cluster.ctas[rank].get();
      beginLoad(copy, (barrier & kSharedOffsetMask) | uint64_t(rank + 1)
                                                          << kSharedRankShift);
    }
  });
  return Flow::Next;
}

static Flow store(Warp &warp, const Instruction &i, LaneMask active) {
  forLanes(active, [&](unsigned lane) {
    BulkCopy copy = makeCopy(warp, i, lane);
    copy.from = &warp.cta;
    copy.group = warp.bulkGroups[lane];
    uint64_t from = warp.addressOf(i.address[0], lane);
    for (const BoxPart &part : partsOf(warp, i, lane, from))
      if (part.global != kZeros) // out of bounds: not written
        copy.runs.push_back({part.shared, part.global, part.bytes});
    warp.cta.cluster.async.begin(std::move(copy));
  });
  return Flow::Next;
}

/// From this CTA to another one: address[0] is the target, address[1] the
/// source.
static Flow exchange(Warp &warp, const Instruction &i, LaneMask active) {
  forLanes(active, [&](unsigned lane) {
    BulkCopy copy = makeCopy(warp, i, lane);
    uint32_t bytes = linearBytes(warp, i, lane);
    uint64_t to = warp.addressOf(i.address[0], lane);
    uint64_t from = warp.addressOf(i.address[1], lane);
    checkMultiple(warp, i, lane, "a target", to, 16);
    checkMultiple(warp, i, lane, "a source", from, 16);
    Warp::SharedPlace target = warp.checkedPlace(i, to, bytes, lane);
    copy.from = &warp.cta;
    copy.to = target.cta;
    copy.runs = {
        {warp.checkedPlace(i, from, bytes, lane).offset, target.offset, bytes}};
    beginLoad(std::move(copy), warp.addressOf(i.address[2], lane));
  });
  return Flow::Next;
}

static Flow commit(Warp &warp, const Instruction &, LaneMask active) {
  forLanes(active, [&](unsigned lane) { ++warp.bulkGroups[lane]; });
  return Flow::Next;
}

/// immediate: how many of the last groups may stay; variant 1: only the reads
/// must be done.
static Flow wait(Warp &warp, const Instruction &i, LaneMask active) {
  auto rest = static_cast<uint64_t>(i.immediate);
  forLanes(active, [&](unsigned lane) {
    uint64_t groups = warp.bulkGroups[lane];
    warp.cta.cluster.async.finishGroups(
        warp, lane, groups - std::min(groups, rest), i.variant == 1);
  });
  if (Races *races = warp.races())
    races->endCopies(warp.agent());
  warp.progressed = true;
  return Flow::Next;
}

static Flow nothing(Warp &, const Instruction &, LaneMask) {
  return Flow::Next;
}

//===----------------------------------------------------------------------===//
// Decoding
//===----------------------------------------------------------------------===//

static void readGlobal(Decoder &decoder, bool isBox, unsigned rank) {
  Instruction &instruction = decoder.instruction;
  if (!isBox) {
    instruction.address[1] = decoder.readAddress();
    return;
  }
  instruction.address[1] = decoder.readTensorAddress();
  if (instruction.list.size() != rank)
    decoder.fail(fmt::format("expected {} coordinates, got {}", rank,
                             instruction.list.size()));
}

static void decodePrefetch(Decoder &decoder, bool isBox, unsigned rank) {
  if (!decoder.take("L2") || !decoder.take("global"))
    decoder.unknownForm();
  decoder.take("tile");
  decoder.instruction.execute = nothing;
  readGlobal(decoder, isBox, rank);
  if (!isBox)
    decoder.source(Type::U32);
}

/// Into shared memory; what follows the target.
static void decodeLoad(Decoder &decoder, bool isBox, unsigned rank) {
  Instruction &instruction = decoder.instruction;
  bool toCluster = decoder.take("shared::cluster");
  bool ofCta = decoder.take("shared::cta");
  bool global = decoder.take("global");
  bool multicast = decoder.take("multicast::cluster");
  bool exchanges = toCluster && ofCta && !global && !isBox && !multicast;
  bool loads = global && toCluster != ofCta && (toCluster || !multicast);
  if (!loads && !exchanges)
    decoder.unknownForm();
  instruction.execute = exchanges ? exchange : load;
  instruction.address[0] = decoder.readAddress();
  readGlobal(decoder, isBox, rank);
  if (!isBox)
    instruction.operand[0] = decoder.readSource(Type::U32);
  instruction.address[2] = decoder.readAddress();
  if (multicast)
    instruction.operand[1] = decoder.readSource(Type::B16);
}

static void decodeStore(Decoder &decoder, bool isBox, unsigned rank) {
  Instruction &instruction = decoder.instruction;
  if (!decoder.take("global") || !decoder.take("shared::cta"))
    decoder.unknownForm();
  instruction.execute = store;
  readGlobal(decoder, isBox, rank);
  instruction.address[0] = decoder.readAddress();
  if (!isBox)
    instruction.operand[0] = decoder.readSource(Type::U32);
}

static void decodeGroups(Decoder &decoder) {
  Instruction &instruction = decoder.instruction;
  if (decoder.take("commit_group")) {
    instruction.execute = commit;
    return;
  }
  instruction.execute = wait;
  if (!decoder.take("wait_group"))
    decoder.unknownForm();
  instruction.variant = decoder.take("read");
  instruction.immediate = decoder.readImmediate();
  if (instruction.immediate < 0)
    decoder.fail("expected a number of groups");
}

void dsrt::simulator::decodeBulkCopy(Decoder &decoder) {
  Instruction &instruction = decoder.instruction;
  std::string_view opcode = instruction.opcode;
  bool stores = decoder.take("bulk_group");
  bool loads = decoder.take("mbarrier::complete_tx::bytes");
  bool prefetches = decoder.take("prefetch");
  if (!stores && !loads && !prefetches)
    return decodeGroups(decoder);
  // The target stands before the source.
  size_t global = opcode.find(".global"), shared = opcode.find(".shared");
  if (stores + loads + prefetches != 1 || (stores && shared < global) ||
      (loads && global < shared))
    decoder.unknownForm();
  bool policy = decoder.take("L2::cache_hint");
  bool isBox = decoder.take("tensor");
  unsigned rank = 0;
  if (isBox) {
    rank = 1 + decoder.takeOneOf({"1d", "2d", "3d", "4d", "5d"});
    decoder.take("tile");
  }
  instruction.usesAsyncProxy = true;
  if (prefetches)
    decodePrefetch(decoder, isBox, rank);
  else if (loads)
    decodeLoad(decoder, isBox, rank);
  else
    decodeStore(decoder, isBox, rank);
  if (policy)
    decoder.readSource(Type::B64);
}
