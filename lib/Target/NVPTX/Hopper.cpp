//===- Hopper.cpp - Barriers, TMA, clusters and wgmma ---------------------===//
//
// Thin forms of nvvm ops where there are any; wgmma is PTX text.
//
//===----------------------------------------------------------------------===//

#include "lib/Target/NVPTX/Hopper.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace mlir::deepseek;

static constexpr int64_t kBarrierBytes = 8;
static constexpr unsigned kClusterSpace = 7;

//===----------------------------------------------------------------------===//
// Barriers
//===----------------------------------------------------------------------===//

void deepseek::waitBarrier(KernelBuilder &k, Val barrier, Val parity) {
  k.repeatUntil([&] {
    return k.val(NVVM::MBarrierTryWaitOp::create(k, k.getI1Type(), barrier,
                                                 parity,
                                                 /*ticks=*/Value()));
  });
}

Ring::Ring(KernelBuilder &k, int64_t stages, int64_t producers,
           int64_t consumers, int64_t ctas)
    : k(k), stages(stages), producers(producers), consumers(consumers * ctas),
      ctas(ctas), fullBarriers(k.shared(stages * kBarrierBytes, kBarrierBytes)),
      emptyBarriers(k.shared(stages * kBarrierBytes, kBarrierBytes)) {}

void Ring::initialize() {
  for (int64_t stage = 0; stage < stages; ++stage) {
    NVVM::MBarrierInitOp::create(k, k.at(fullBarriers, stage * kBarrierBytes),
                                 k.i32(producers), Value());
    NVVM::MBarrierInitOp::create(k, k.at(emptyBarriers, stage * kBarrierBytes),
                                 k.i32(consumers), Value());
  }
  // To the other CTAs of the cluster, and to the unit that executes TMA.
  NVVM::FenceMbarrierInitOp::create(k);
  NVVM::FenceProxyOp::create(
      k, NVVM::ProxyKind::async_shared,
      NVVM::SharedSpaceAttr::get(k.getContext(),
                                 NVVM::SharedSpace::shared_cta));
}

Val Ring::stage(Val round) { return round % stages; }
Val Ring::parity(Val round) { return (round / stages) & 1; }
Val Ring::full(Val round) {
  return k.at(fullBarriers, stage(round) * kBarrierBytes);
}
Val Ring::empty(Val round) {
  return k.at(emptyBarriers, stage(round) * kBarrierBytes);
}

/// A fresh barrier counts as having completed a phase of parity 1.
void Ring::waitEmpty(Val round) {
  waitBarrier(k, empty(round), parity(round) ^ k.i32(1));
}
void Ring::waitFull(Val round) { waitBarrier(k, full(round), parity(round)); }

void Ring::expect(Val round, int64_t bytes) {
  NVVM::MBarrierArriveExpectTxOp::create(k, Type(), full(round), k.i32(bytes),
                                         NVVM::MemScopeKind::CTA,
                                         /*relaxed=*/false, Value());
}

static void arriveOn(KernelBuilder &k, Val barrier) {
  NVVM::MBarrierArriveOp::create(k, k.getI64Type(), barrier, Value());
}

void Ring::arrive(Val round) { arriveOn(k, full(round)); }

void Ring::release(Val round) {
  k.warpSync();
  Val lane = k.lane();
  k.ifThen(lane < ctas, [&] {
    if (ctas == 1)
      return arriveOn(k, empty(round));
    // As text, since LLVM moves a mapa of its own out of the condition.
    k.ptx("{\n.reg .b32 remote;\n"
          "mapa.shared::cluster.u32 remote, $0, $1;\n"
          "mbarrier.arrive.release.cluster.shared::cluster.b64 _, [remote];\n}",
          "r,r,~{memory}", {}, {k.sharedAddress(empty(round)), lane});
  });
}

//===----------------------------------------------------------------------===//
// TMA, warps, clusters
//===----------------------------------------------------------------------===//

static void load(KernelBuilder &k, Val map, ArrayRef<Val> coordinates,
                 Val target, Val barrier, Value multicastMask) {
  SmallVector<Value> box(coordinates.begin(), coordinates.end());
  NVVM::CpAsyncBulkTensorGlobalToSharedClusterOp::create(
      k, target, map, box, barrier, /*im2colOffsets=*/ValueRange(),
      multicastMask, /*l2CacheHint=*/Value(), NVVM::TMALoadMode::TILE,
      /*isCTAOnly=*/!multicastMask, /*group=*/nullptr, /*predicate=*/Value());
}

void deepseek::tmaLoad(KernelBuilder &k, Val map, ArrayRef<Val> coordinates,
                       Val target, Val barrier) {
  load(k, map, coordinates, target, barrier, Value());
}

void deepseek::tmaLoadToCluster(KernelBuilder &k, Val map,
                                ArrayRef<Val> coordinates, Val target,
                                Val barrier, int64_t ctas) {
  auto type = LLVM::LLVMPointerType::get(k.getContext(), kClusterSpace);
  Val inCluster = k.val(LLVM::AddrSpaceCastOp::create(k, type, target));
  Value mask = arith::ConstantIntOp::create(k, (1 << ctas) - 1, 16);
  load(k, map, coordinates, inCluster, barrier, mask);
}

Val deepseek::electLane(KernelBuilder &k) {
  return k.val(NVVM::ElectSyncOp::create(k, k.getI1Type(), Value()));
}

void deepseek::setMaxRegisters(KernelBuilder &k, int64_t count, bool increase) {
  NVVM::SetMaxRegisterOp::create(k, count,
                                 increase
                                     ? NVVM::SetMaxRegisterAction::increase
                                     : NVVM::SetMaxRegisterAction::decrease);
}

void deepseek::launchDependents(KernelBuilder &k) {
  NVVM::GriddepcontrolOp::create(k, NVVM::GridDepActionKind::launch_dependents);
}

void deepseek::waitForEarlierKernels(KernelBuilder &k) {
  NVVM::GriddepcontrolOp::create(k, NVVM::GridDepActionKind::wait);
}

void deepseek::clusterBarrier(KernelBuilder &k) {
  NVVM::ClusterArriveOp::create(k, k.getUnitAttr());
  NVVM::ClusterWaitOp::create(k, k.getUnitAttr());
}

Val deepseek::clusterRank(KernelBuilder &k) {
  return k.val(NVVM::ClusterId::create(k, k.getI32Type()));
}

Val deepseek::clusterAddress(KernelBuilder &k, Val shared, Val rank) {
  auto type = LLVM::LLVMPointerType::get(k.getContext(), kClusterSpace);
  return k.val(NVVM::MapaOp::create(k, type, shared, rank));
}

//===----------------------------------------------------------------------===//
// wgmma
//===----------------------------------------------------------------------===//

Val deepseek::matrixDescriptor(KernelBuilder &k, Val shared) {
  // In units of 16 bytes: the address; 1 (unused with this swizzle); 1024 bytes
  // from 8 rows to the next 8. Swizzle 1 is that of 128 bytes.
  constexpr uint64_t kLeading = uint64_t(1) << 16;
  constexpr uint64_t kStride = uint64_t(1024 / 16) << 32;
  constexpr uint64_t kSwizzle = uint64_t(1) << 62;
  Val address = (k.sharedAddress(shared) >> 4) & 0x3fff;
  return k.toI64(address) | k.i64(kLeading | kStride | kSwizzle);
}

SmallVector<Val> deepseek::wgmma(KernelBuilder &k, Type element,
                                 int64_t columns, ArrayRef<Val> a, Val b) {
  bool fp8 = isa<Float8E4M3FNType>(element);
  int64_t sums = columns / 2, total = sums * a.size();
  // 128 bytes of K are four instructions of 32 bytes.
  constexpr int64_t kSteps = 4, kStepUnits = 32 / 16;
  std::string text;
  llvm::raw_string_ostream s(text);
  s << "{\n.reg .pred zero, add;\n.reg .b64 a, b;\n"
    << "setp.ne.b32 zero, 0, 0;\nsetp.eq.b32 add, 0, 0;\n"
    << "wgmma.fence.sync.aligned;\n";
  for (int64_t step = 0; step < kSteps; ++step) {
    s << "add.s64 b, $" << total + a.size() << ", " << step * kStepUnits
      << ";\n";
    for (size_t part = 0; part < a.size(); ++part) {
      s << "add.s64 a, $" << total + part << ", " << step * kStepUnits << ";\n"
        << "wgmma.mma_async.sync.aligned.m64n" << columns
        << (fp8 ? "k32.f32.e4m3.e4m3 {" : "k16.f32.bf16.bf16 {");
      for (int64_t i = 0; i < sums; ++i)
        s << (i ? ", $" : "$") << part * sums + i;
      s << "}, a, b, " << (step ? "add" : "zero")
        << (fp8 ? ", 1, 1;\n" : ", 1, 1, 0, 0;\n");
    }
  }
  s << "wgmma.commit_group.sync.aligned;\nwgmma.wait_group.sync.aligned 0;\n}";
  std::string constraints;
  for (int64_t i = 0; i < total; ++i)
    constraints += "=&f,";
  for (size_t i = 0; i <= a.size(); ++i)
    constraints += "l,";
  constraints += "~{memory}";
  SmallVector<Val> operands(a);
  operands.push_back(b);
  SmallVector<Type> results(total, k.getF32Type());
  return k.ptx(text, constraints, results, operands);
}
