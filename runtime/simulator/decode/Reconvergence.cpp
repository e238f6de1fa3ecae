//===- Reconvergence.cpp - Where diverged lanes meet again ----------------===//
//
// Immediate post-dominators by the algorithm of Cooper, Harvey and Kennedy
// ("A Simple, Fast Dominance Algorithm", 2001) on the reversed flow graph of
// single instructions. The end of the kernel is one more node, the root.
//
//===----------------------------------------------------------------------===//

#include "runtime/simulator/decode/KernelBuilder.h"

using namespace dsrt::simulator;

namespace {
class PostDominators {
public:
  explicit PostDominators(const std::vector<Instruction> &code)
      : end(static_cast<CodeIndex>(code.size())), successors(end + 1),
        predecessors(end + 1), immediate(end + 1, kNoTarget),
        order(end + 1, kNoTarget) {
    for (CodeIndex index = 0; index < end; ++index)
      addEdges(index, code[index]);
    numberNodes();
    solve();
  }

  CodeIndex of(CodeIndex index) const {
    // Code that never ends, an infinite loop, has none.
    return immediate[index] == kNoTarget ? end : immediate[index];
  }

private:
  void addEdge(CodeIndex from, CodeIndex to) {
    successors[from].push_back(to);
    predecessors[to].push_back(from);
  }

  void addEdges(CodeIndex index, const Instruction &instruction) {
    for (CodeIndex target : instruction.targets)
      addEdge(index, target);
    if (instruction.exits)
      addEdge(index, end);
    bool leaves = instruction.exits || !instruction.targets.empty();
    if (!leaves || instruction.guard != kNoSlot)
      addEdge(index, index + 1);
  }

  /// Numbers the nodes in the order in which a depth-first search from the end
  /// leaves them.
  void numberNodes() {
    std::vector<bool> seen(end + 1);
    std::vector<std::pair<CodeIndex, size_t>> stack = {{end, 0}};
    seen[end] = true;
    while (!stack.empty()) {
      auto &[node, position] = stack.back();
      if (position == predecessors[node].size()) {
        order[node] = static_cast<CodeIndex>(nodes.size());
        nodes.push_back(node);
        stack.pop_back();
        continue;
      }
      CodeIndex next = predecessors[node][position++];
      if (!seen[next]) {
        seen[next] = true;
        stack.push_back({next, 0});
      }
    }
  }

  CodeIndex meet(CodeIndex a, CodeIndex b) const {
    while (a != b) {
      while (order[a] < order[b])
        a = immediate[a];
      while (order[b] < order[a])
        b = immediate[b];
    }
    return a;
  }

  void solve() {
    immediate[end] = end;
    for (bool changed = true; changed;) {
      changed = false;
      for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) {
        if (*node == end)
          continue;
        CodeIndex dominator = kNoTarget;
        for (CodeIndex next : successors[*node]) {
          if (immediate[next] == kNoTarget)
            continue;
          dominator = dominator == kNoTarget ? next : meet(next, dominator);
        }
        changed |= immediate[*node] != dominator;
        immediate[*node] = dominator;
      }
    }
  }

  CodeIndex end;
  std::vector<std::vector<CodeIndex>> successors, predecessors;
  std::vector<CodeIndex> immediate, order, nodes;
};
} // namespace

void dsrt::simulator::findReconvergence(std::vector<Instruction> &code) {
  PostDominators dominators(code);
  for (CodeIndex index = 0; index < code.size(); ++index)
    if (!code[index].targets.empty())
      code[index].reconverge = dominators.of(index);
}
