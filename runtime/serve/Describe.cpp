//===- Describe.cpp - The command `describe` ------------------------------===//
//
// Prints the tables of a compiled model: nothing is loaded and nothing runs.
//
//===----------------------------------------------------------------------===//

#include "runtime/serve/Application.h"
#include "runtime/serve/TokenCost.h"

#include <cstring>
#include <map>

namespace dsrt {

namespace {

/// "f32 [?<=512, 2048]": sizes known at the call show their bound.
std::string typeText(const dsrt_value &value) {
  if (value.dtype == DSRT_INDEX)
    return value.bound[0] > 0 ? fmt::format("index <={}", value.bound[0])
                              : std::string("index");
  std::string text = fmt::format("{} [", elementTypeName(value.dtype));
  for (int64_t i = 0; i < value.rank; ++i) {
    text += i ? ", " : "";
    if (value.shape[i] >= 0)
      text += fmt::format("{}", value.shape[i]);
    else if (value.bound[i] > 0)
      text += fmt::format("?<={}", value.bound[i]);
    else
      text += "?";
  }
  return text + "]";
}

std::string header(const Module &module) {
  const dsrt_module &m = module.tables();
  std::string text = fmt::format(
      "model       {}\ntarget      {}\nsource      {}\nABI version {}\n"
      "context     {} tokens\nbos         {}\neos         ",
      m.name, m.target, m.source, m.abi_version, m.context_length,
      m.bos_token < 0 ? "none" : fmt::format("{}", m.bos_token));
  for (uint64_t i = 0; i < m.eos_count; ++i)
    text += fmt::format("{}{}", i ? ", " : "", m.eos_tokens[i]);
  return text + (m.eos_count ? "\n" : "none\n");
}

std::string entryTable(const Module &module) {
  const dsrt_module &m = module.tables();
  std::string text = fmt::format("\nentries ({})\n", m.entry_count);
  for (uint64_t i = 0; i < m.entry_count; ++i) {
    const dsrt_entry &entry = m.entries[i];
    text += fmt::format("  {}\n", entry.name);
    for (uint64_t k = 0; k < entry.arg_count; ++k)
      text += fmt::format("    {:<14} {}\n", module.name(entry.args[k]),
                          typeText(entry.args[k]));
    for (uint64_t k = 0; k < entry.result_count; ++k)
      text += fmt::format("    -> {:<11} {}\n", module.name(entry.results[k]),
                          typeText(entry.results[k]));
  }
  return text;
}

std::string kernelTable(const Module &module) {
  const dsrt_module &m = module.tables();
  int64_t sites = 0;
  for (uint64_t i = 0; i < m.kernel_count; ++i)
    sites += m.kernels[i].call_sites;
  std::string text = fmt::format("\nkernels ({}, called at {} places)\n",
                                 m.kernel_count, sites);
  for (uint64_t i = 0; i < m.kernel_count; ++i)
    text += fmt::format("  {:>5} x {}\n", m.kernels[i].call_sites,
                        module.string(m.kernels[i].name));
  return text;
}

/// "128", "64x2": without the ones at the end.
std::string sizesText(const int64_t (&sizes)[3]) {
  std::string text = fmt::format("{}", sizes[0]);
  for (int axis = 1; axis < 3; ++axis)
    if (sizes[axis] > 1 || (axis == 1 && sizes[2] > 1))
      text += fmt::format("x{}", sizes[axis]);
  return text;
}

/// The code for GPUs; nothing in a module for the host.
std::string deviceTable(const Module &module) {
  const dsrt_module &m = module.tables();
  if (!module.forDevice())
    return "";
  std::string text = fmt::format("\nimages ({})\n", m.image_count);
  for (uint64_t i = 0; i < m.image_count; ++i)
    text += fmt::format(
        "  {:<9} PTX {}{}\n", m.images[i].chip,
        formatBytes(static_cast<double>(m.images[i].ptx_bytes)),
        m.images[i].cubin_bytes
            ? fmt::format(", machine code {}", formatBytes(static_cast<double>(
                                                   m.images[i].cubin_bytes)))
            : "");
  text += fmt::format("\ndevice kernels ({})\n", m.device_kernel_count);
  for (uint64_t i = 0; i < m.device_kernel_count; ++i) {
    const dsrt_device_kernel &kernel = m.device_kernels[i];
    text += fmt::format("  {} {} block {}", m.images[kernel.image].chip,
                        module.string(kernel.name), sizesText(kernel.block));
    if (std::string cluster = sizesText(kernel.cluster); cluster != "1")
      text += fmt::format(" cluster {}", cluster);
    if (kernel.shared_bytes)
      text += fmt::format(" shared {} bytes", kernel.shared_bytes);
    text += fmt::format("{} from {}\n", kernel.dependent ? " dependent" : "",
                        module.string(kernel.location));
  }
  return text;
}

std::string weightTable(const Module &module, bool all) {
  const dsrt_module &m = module.tables();
  std::map<int64_t, std::pair<uint64_t, double>> byType;
  std::pair<uint64_t, double> derived;
  double total = 0;
  uint64_t tensors = 0, rows = 0;
  for (uint64_t i = 0; i < m.weight_count; ++i) {
    const dsrt_weight &weight = m.weights[i];
    if (weight.derived) {
      derived.first += 1;
      derived.second += weightBytes(weight);
      continue;
    }
    ++rows;
    const uint64_t count =
        weight.stacked ? static_cast<uint64_t>(weight.shape[0]) : 1;
    byType[weight.dtype].first += count;
    byType[weight.dtype].second += weightBytes(weight);
    total += weightBytes(weight);
    tensors += count;
  }
  std::string text = fmt::format("\nweights ({} of {} tensors, {})\n", rows,
                                 tensors, formatBytes(total));
  for (const auto &[dtype, sum] : byType)
    text +=
        fmt::format("  {:<9} {:>7} tensors {:>10}\n", elementTypeName(dtype),
                    sum.first, formatBytes(sum.second));
  if (derived.first)
    text += fmt::format("  {} more are computed at the start, {}\n",
                        derived.first, formatBytes(derived.second));
  for (uint64_t i = 0; all && i < m.weight_count; ++i) {
    const dsrt_weight &weight = m.weights[i];
    text += fmt::format(
        "  {}{} {} [{}]{}{}\n", module.string(weight.key),
        weight.last_key >= 0
            ? fmt::format(" then {}", module.string(weight.last_key))
            : "",
        elementTypeName(weight.dtype),
        fmt::join(weight.shape, weight.shape + weight.rank, ", "),
        weight.derived ? " derived" : "",
        weight.scale_of >= 0
            ? fmt::format(" scales of {}",
                          module.string(m.weights[weight.scale_of].key))
            : "");
  }
  if (!all && m.weight_count)
    text += "  (--weights lists them)\n";
  return text;
}

/// What a GPU must have for the model and the largest session, exactly.
std::string devicePlan(const Module &module) {
  Result<SessionPlan> session = SessionPlan::create(module, SessionOptions());
  if (!session.ok())
    return "";
  const MemoryPlan plan(module, *session);
  std::string text =
      fmt::format("  on the device, with {} x {} tokens\n",
                  session->limits.maxSequences, session->limits.context);
  const std::pair<const char *, uint64_t> parts[] = {
      {"weights", plan.weights},
      {"derived weights", plan.derived},
      {"scratch", plan.scratch},
      {"workspace", plan.workspace},
      {"caches", plan.caches},
      {"arguments", plan.inputs},
      {"in total", plan.modelBytes() + plan.sessionBytes()}};
  for (const auto &[name, bytes] : parts)
    text += fmt::format("    {:<20} {:>16} bytes\n", name, bytes);
  return text;
}

std::string memoryPlan(const Module &module) {
  const dsrt_module &m = module.tables();
  std::string text = "\nmemory\n";
  for (uint64_t i = 0; i < m.entry_count; ++i) {
    const dsrt_entry &entry = m.entries[i];
    text += std::strcmp(entry.name, kPrepareEntry) == 0
                ? fmt::format("  derived weights        {:>16} bytes\n",
                              entry.workspace_bytes)
                : fmt::format("  workspace of {:<12} {:>14} bytes\n",
                              entry.name, entry.workspace_bytes);
  }
  text +=
      fmt::format("  workspace              {:>16} bytes\n", m.workspace_bytes);
  int64_t token = 0;
  for (const char *name : {"decode", "mtp"})
    if (const dsrt_entry *entry = module.findEntry(name))
      token += cacheBytesPerToken(module, *entry);
  if (token == 0)
    return text;
  text += fmt::format("  cache per token        {:>16} bytes\n", token);
  Result<StepLimits> limits = readStepLimits(module);
  if (!limits.ok())
    return text;
  if (module.forDevice())
    return text + devicePlan(module);
  const double cache = static_cast<double>(token) *
                       static_cast<double>(limits->context) *
                       static_cast<double>(limits->maxSequences);
  return text +
         fmt::format(
             "  cache of {} x {} tokens: at most {}\n"
             "  in total at most {}, besides the weights\n",
             limits->maxSequences, limits->context, formatBytes(cache),
             formatBytes(cache + static_cast<double>(m.workspace_bytes)));
}

} // namespace

Result<int> runDescribe(const Invocation &invocation) {
  bool allWeights = false;
  Options parser(invocation.program, "describe [--weights]",
                 "Prints what the model was compiled for: target, entries with "
                 "their arguments and results, kernels, weights, memory plan. "
                 "Needs no weights.");
  parser.flag("--weights", allWeights, "list every weight");
  DSRT_TRY(parser.parse(invocation.arguments));
  if (parser.helpWanted()) {
    DSRT_TRY(print(parser.helpText()));
    return 0;
  }
  const Module &module = invocation.model.module();
  DSRT_TRY(print(header(module) + entryTable(module) + kernelTable(module) +
                 deviceTable(module) + weightTable(module, allWeights) +
                 memoryPlan(module)));
  return 0;
}

} // namespace dsrt
