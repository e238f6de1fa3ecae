//===- Warpgroup.h - wgmma between issue and wait ---------------*- C++ -*-===//
//
// A product of a warpgroup is done when it is waited for. Until then nothing
// may touch its registers.
//
//===----------------------------------------------------------------------===//

#ifndef DSRT_SIMULATOR_MACHINE_WARPGROUP_H
#define DSRT_SIMULATOR_MACHINE_WARPGROUP_H

#include "runtime/simulator/machine/Program.h"

#include <deque>

namespace dsrt::simulator {

class Warp;

/// A wgmma as the threads of a warp have issued it. The instruction's list has
/// 'results' registers of the result, and then those of the left matrix if it
/// is in registers.
struct Product {
  const Instruction *instruction;
  size_t results;
  uint64_t left; // descriptors
  uint64_t right;
  bool accumulates;
  uint64_t group;
};

/// The products of a warp, which has 16 of the 64 rows of each.
class WarpProducts {
public:
  /// True from wgmma.fence until all products are done.
  bool areOpen() const { return fenced || arePending(); }
  bool arePending() const { return !pending.empty(); }
  /// The product that is not done and was issued first.
  const Product &oldest() const { return pending.front(); }
  /// A fault if the instruction, which is no wgmma, names a register of a
  /// product that is not done. Products then need a fence to use those it
  /// names.
  void watch(const Warp &warp, const Instruction &instruction);

  /// Of a warp with so many registers.
  void fence(size_t registers);
  /// A fault if the product can not use its registers now.
  void issue(const Warp &warp, const Product &product);
  /// Takes away the products of all groups but the last 'rest', in their order.
  std::vector<Product> takeDone(uint64_t rest);

  uint64_t group = 0; // how many were committed

private:
  enum Use : uint8_t { Free, Touched, Read, Written };
  void mark(const Product &product);
  void checkResults(const Warp &warp, const Product &product);
  const Instruction &ownerOf(Slot slot) const;

  bool fenced = false;
  std::vector<Product> pending;
  std::vector<Use> uses; // of each register since the fence
};

/// Four warps that execute the same products.
struct Warpgroup {
  /// A fault unless the warp's product is that of the others.
  void issue(const Warp &warp, const Product &product);

  /// The products that some warps have not come to yet, from number 'first'
  /// on, and how many have come.
  struct Issued {
    Product product;
    unsigned warps;
  };
  std::deque<Issued> open;
  uint64_t first = 0;
  std::array<uint64_t, 4> counts = {}; // of each warp
};

} // namespace dsrt::simulator

#endif // DSRT_SIMULATOR_MACHINE_WARPGROUP_H
