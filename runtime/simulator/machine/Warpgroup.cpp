//===- Warpgroup.cpp - wgmma between issue and wait -----------------------===//
//
// Registers are told apart by their slots, which begin at multiples of 64
// bytes of the register file.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/machine/Warpgroup.h"
#include "runtime/simulator/machine/Cta.h"

#include <algorithm>
#include <fmt/format.h>

using namespace dsrt::simulator;

static size_t indexOf(Slot slot) { return slot / 64; }

void WarpProducts::watch(const Warp &warp, const Instruction &i) {
  auto touch = [&](Slot slot) {
    if (slot == kNoSlot)
      return;
    Use &use = uses[indexOf(slot)];
    if (use == Read || use == Written)
      warp.fault(FaultKind::InvalidUse, i, 0,
                 fmt::format("uses a register that the wgmma in line {} is "
                             "still to {}",
                             ownerOf(slot).line,
                             use == Read ? "read" : "write"));
    use = Touched;
  };
  for (Slot slot : i.operand)
    touch(slot);
  for (Slot slot : i.list)
    touch(slot);
  for (const Address &address : i.address)
    touch(address.base);
}

/// The instruction of the last product that has the register.
const Instruction &WarpProducts::ownerOf(Slot slot) const {
  for (auto product = pending.rbegin(); product != pending.rend(); ++product) {
    const std::vector<Slot> &list = product->instruction->list;
    if (std::find(list.begin(), list.end(), slot) != list.end())
      return *product->instruction;
  }
  return *pending.back().instruction;
}

void WarpProducts::fence(size_t registers) {
  fenced = true;
  uses.resize(registers);
  for (Use &use : uses)
    if (use == Touched)
      use = Free;
}

/// The registers of the result may be those of earlier products only if all of
/// them are.
void WarpProducts::checkResults(const Warp &warp, const Product &product) {
  const std::vector<Slot> &list = product.instruction->list;
  auto end = list.begin() + static_cast<std::ptrdiff_t>(product.results);
  auto shared = std::find_if(list.begin(), end, [&](Slot slot) {
    return uses[indexOf(slot)] == Written;
  });
  if (shared == end)
    return;
  for (const Product &other : pending)
    if (other.results == product.results &&
        std::equal(list.begin(), end, other.instruction->list.begin()))
      return;
  warp.fault(FaultKind::InvalidUse, *product.instruction, 0,
             fmt::format("expected a wait for the wgmma in line {}, of which "
                         "this one uses some registers",
                         ownerOf(*shared).line));
}

void WarpProducts::issue(const Warp &warp, const Product &product) {
  const Instruction &i = *product.instruction;
  if (!fenced)
    warp.fault(FaultKind::InvalidUse, i, 0,
               "expected wgmma.fence before the first wgmma after a wait");
  for (size_t k = 0; k < i.list.size(); ++k) {
    Use use = uses[indexOf(i.list[k])];
    bool isResult = k < product.results;
    if (use == Touched)
      warp.fault(FaultKind::InvalidUse, i, 0,
                 fmt::format("expected wgmma.fence between the last use of "
                             "register {} of the {} and this",
                             isResult ? k : k - product.results,
                             isResult ? "result" : "left matrix"));
  }
  checkResults(warp, product);
  pending.push_back(product);
  mark(product);
}

void WarpProducts::mark(const Product &product) {
  const std::vector<Slot> &list = product.instruction->list;
  for (size_t k = 0; k < list.size(); ++k)
    uses[indexOf(list[k])] = k < product.results ? Written : Read;
}

std::vector<Product> WarpProducts::takeDone(uint64_t rest) {
  uint64_t end = group - std::min(group, rest);
  auto middle =
      std::find_if(pending.begin(), pending.end(), [&](const Product &product) {
        return product.group >= end;
      });
  std::vector<Product> done(pending.begin(), middle);
  pending.erase(pending.begin(), middle);
  for (const Product &product : done)
    for (Slot slot : product.instruction->list)
      uses[indexOf(slot)] = Free;
  for (const Product &product : pending)
    mark(product);
  fenced = !pending.empty();
  return done;
}

//===----------------------------------------------------------------------===//
// Warpgroups
//===----------------------------------------------------------------------===//

void Warpgroup::issue(const Warp &warp, const Product &product) {
  uint64_t number = counts[warp.index % 4]++;
  if (number - first == open.size()) {
    open.push_back({product, 1});
    return;
  }
  Issued &issued = open[number - first];
  const Product &other = issued.product;
  if (product.instruction != other.instruction || product.left != other.left ||
      product.right != other.right || product.accumulates != other.accumulates)
    warp.fault(FaultKind::InvalidUse, *product.instruction, 0,
               fmt::format("expected the wgmma, with the descriptors, of the "
                           "other warps of the warpgroup, in line {}",
                           other.instruction->line));
  if (++issued.warps < counts.size())
    return;
  open.pop_front(); // the warps come to each product in turn
  ++first;
}
