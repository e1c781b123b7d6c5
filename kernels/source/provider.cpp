// The plugin execution provider: what ONNX Runtime calls, from the registration of the library on.
#include <stdlib.h>

#include "arena.h"
#include "claims.h"
#include "dispatch.h"

const OrtApi* ort;
const OrtEpApi* ort_ep;

OrtStatus* cancelled_error() { return fail("the run was cancelled"); }

namespace {

constexpr const char* kName = "satchel";
constexpr const char* kOptionPrefix = "ep.satchel.";  // as ONNX Runtime writes a provider's options
constexpr const char* kCancelKey = "satchel.cancel";

bool same(const char* a, const char* b) { return strcmp(a, b) == 0; }

// ---------------------------------------------------------------- options

// A decimal number from 1 on; 0 for any other text.
uint64_t number(const char* text) {
  char* end;
  bool digits = *text >= '0' && *text <= '9';
  uint64_t value = digits ? strtoull(text, &end, 10) : 0;
  return digits && *end == '\0' && value < UINT64_MAX ? value : 0;
}

OrtStatus* set_option(const char* name, const char* value, Options* options) {
  if (same(name, "threads")) {
    uint64_t threads = number(value);
    if (threads == 0 || threads > 1024)
      return fail("threads is a number from 1 to 1024, not '%s'", value);
    options->threads = (int)threads;
  } else if (same(name, "level")) {
    options->kernels = kernels_for(value);
    if (!options->kernels) return fail("level is best or one of %s, not '%s'", kLevelNames, value);
  } else if (same(name, "selftest")) {
    if (!same(value, "0") && !same(value, "1")) return fail("selftest is 0 or 1, not '%s'", value);
    options->selftest = same(value, "1");
  } else {
    return fail("no option '%s': there are threads, level and selftest", name);
  }
  return nullptr;
}

OrtStatus* read_options(const OrtSessionOptions* session, Options* options) {
  options->kernels = *satchel_level() ? kernels_for("best") : nullptr;
  OrtKeyValuePairs* entries = nullptr;
  TRY(ort->GetSessionOptionsConfigEntries(session, &entries));
  const char *const *keys, *const *values;
  size_t count = 0;
  ort->GetKeyValuePairs(entries, &keys, &values, &count);
  OrtStatus* status = nullptr;
  size_t prefix = strlen(kOptionPrefix);
  for (size_t i = 0; i < count && !status; ++i) {
    if (strncmp(keys[i], kOptionPrefix, prefix) == 0)
      status = set_option(keys[i] + prefix, values[i], options);
  }
  ort->ReleaseKeyValuePairs(entries);
  return status;
}

// ---------------------------------------------------------------- one session

struct Ep : OrtEp, Allocated {
  Ep();
  Arena weights;
  Options options;
  Runs runs;
};

// A claimed group, compiled.
struct Compiled : OrtNodeComputeInfo, Allocated {
  explicit Compiled(Ep* its_ep);
  Ep* ep;
  std::unique_ptr<Node> node;
};

bool has(const Array<const OrtNode*>& nodes, const OrtNode* node) {
  for (const OrtNode* other : nodes) {
    if (other == node) return true;
  }
  return false;
}

// Sets `group` to what the first fitting rule claims with this node, if none of it is taken.
OrtStatus* claim(const Graph& graph, const GraphNode& node, const Options& options,
                 const Array<const OrtNode*>& taken, Array<const GraphNode*>* group,
                 Constants* constants) {
  for (const Rule* const* next = kRules; *next; ++next) {
    const Rule* rule = *next;
    group->clear();
    *constants = rule->constants;
    TRY(rule->claim(graph, node, options, group));
    bool free = group->size() > 0;
    for (const GraphNode* member : *group)
      free = free && !has(taken, member->node);
    if (free) return nullptr;
  }
  group->clear();
  return nullptr;
}

OrtStatus* get_capability(OrtEp* ep, const OrtGraph* given, OrtEpGraphSupportInfo* info) noexcept {
  OrtNodeFusionOptions fusion{};
  fusion.ort_version_supported = kApiLevel;
  Graph graph;
  TRY(graph.read(given));
  if (!static_cast<Ep*>(ep)->options.kernels) return nullptr;  // an unknown processor
  Array<const OrtNode*> taken;
  Array<const GraphNode*> group;
  Constants constants;
  for (const GraphNode* node : graph.nodes()) {
    TRY(claim(graph, *node, static_cast<Ep*>(ep)->options, taken, &group, &constants));
    fusion.drop_constant_initializers = constants == Constants::read_once;
    size_t before = taken.size();
    for (const GraphNode* member : group)
      TRY(taken.add(member->node));
    if (!group.size()) continue;
    TRY(ort_ep->EpGraphSupportInfo_AddNodesToFuse(info, taken.data() + before, group.size(), &fusion));
  }
  return nullptr;
}

// Builds by the rule that claimed these nodes: the one that claims all of them again.
OrtStatus* build(const OrtGraph* given, const OrtNode* fused, const Options& options,
                 std::unique_ptr<Node>* built) {
  Graph claimed;
  TRY(claimed.read_claimed(given, fused));
  Array<const GraphNode*> group;
  for (const Rule* const* next = kRules; *next; ++next) {
    const Rule* rule = *next;
    for (const GraphNode* node : claimed.nodes()) {
      group.clear();
      TRY(rule->claim(claimed, *node, options, &group));
      if (group.size() == claimed.nodes().size()) return rule->build(claimed, *node, options, built);
    }
  }
  return fail("%zu nodes were claimed that no rule builds", claimed.nodes().size());
}

void release_compiled(OrtEp*, OrtNodeComputeInfo** infos, size_t count) noexcept {
  for (size_t i = 0; i < count; ++i) {
    delete static_cast<Compiled*>(infos[i]);
    infos[i] = nullptr;
  }
}

OrtStatus* compile(OrtEp* ep, const OrtGraph** graphs, const OrtNode** fused, size_t count,
                   OrtNodeComputeInfo** infos, OrtNode**) noexcept {
  for (size_t i = 0; i < count; ++i) {
    Compiled* compiled = new Compiled(static_cast<Ep*>(ep));
    infos[i] = compiled;
    OrtStatus* status =
        compiled ? build(graphs[i], fused[i], compiled->ep->options, &compiled->node) : no_memory();
    if (!status) continue;
    release_compiled(ep, infos, i + 1);  // after an error nobody else does
    return status;
  }
  return nullptr;
}

OrtStatus* compute(OrtNodeComputeInfo* info, void*, OrtKernelContext* context) noexcept {
  Compiled* compiled = static_cast<Compiled*>(info);
  Ep* ep = compiled->ep;
  Run* run;
  TRY(ep->runs.enter(&run));
  run->scratch.start();
  OrtStatus* status =
      run->cancelled() ? cancelled_error() : compiled->node->run({context, ep->options.threads, *run});
  ep->runs.leave(run);
  return status;
}

// The caller may give the address of a byte as an entry of the run: it cancels by setting the byte.
OrtStatus* run_start(OrtEp* ep, const OrtRunOptions* options) noexcept {
  const char* text = ort->GetRunConfigEntry(options, kCancelKey);
  uint64_t address = text ? number(text) : 0;
  if (text && (!address || address > UINTPTR_MAX)) {
    return fail("%s is the address of a byte as a decimal number, not '%s'", kCancelKey, text);
  }
  return static_cast<Ep*>(ep)->runs.start(reinterpret_cast<const uint8_t*>((uintptr_t)address));
}

OrtStatus* run_end(OrtEp* ep, const OrtRunOptions*, bool) noexcept {
  static_cast<Ep*>(ep)->runs.end();
  return nullptr;
}

// Every provider of the session is given all the options, so those of others are let be.
OrtStatus* set_dynamic_options(OrtEp* ep, const char* const* keys, const char* const* values,
                               size_t count) noexcept {
  for (size_t i = 0; i < count; ++i) {
    if (strncmp(keys[i], "satchel.", 8) != 0) continue;
    if (!same(keys[i], kCancelKey))
      return fail("no dynamic option '%s': there is %s", keys[i], kCancelKey);
    if (!same(values[i], "1")) return fail("%s is 1, not '%s'", kCancelKey, values[i]);
    static_cast<Ep*>(ep)->runs.stop_all();
  }
  return nullptr;
}

Compiled::Compiled(Ep* its_ep) : OrtNodeComputeInfo{}, ep(its_ep) {
  ort_version_supported = kApiLevel;
  CreateState = [](OrtNodeComputeInfo* info, OrtNodeComputeContext*,
                   void** state) noexcept -> OrtStatus* {
    *state = info;
    return nullptr;
  };
  Compute = compute;
  ReleaseState = [](OrtNodeComputeInfo*, void*) noexcept {};
}

Ep::Ep() : OrtEp{} {
  ort_version_supported = kApiLevel;
  options.weights = &weights;
  GetName = [](const OrtEp*) noexcept { return kName; };
  GetCapability = get_capability;
  Compile = compile;
  ReleaseNodeComputeInfos = release_compiled;
  SetDynamicOptions = set_dynamic_options;
  OnRunStart = run_start;
  OnRunEnd = run_end;
}

// ---------------------------------------------------------------- the library

struct Factory : OrtEpFactory, Allocated {
  Factory();
};

// One device, the processor. It has no memory of its own, so nothing is copied to it or from it.
OrtStatus* supported_devices(OrtEpFactory* factory, const OrtHardwareDevice* const* devices, size_t count,
                             OrtEpDevice** offered, size_t room, size_t* offered_count) noexcept {
  *offered_count = 0;
  for (size_t i = 0; i < count && room > 0; ++i) {
    if (ort->HardwareDevice_Type(devices[i]) != OrtHardwareDeviceType_CPU) continue;
    *offered_count = 1;
    return ort_ep->CreateEpDevice(factory, devices[i], nullptr, nullptr, &offered[0]);
  }
  return nullptr;
}

#ifdef _WIN32
#define PATH_TEXT_(text) L##text
#else
#define PATH_TEXT_(text) text
#endif
#define PATH_TEXT(text) PATH_TEXT_(text)

OrtStatus* log_options(const OrtLogger* logger, const Options& options) {
  char line[100];
  snprintf(line, sizeof line, "satchel: level %s, %d threads",
           options.kernels ? options.kernels->level : "none", options.threads);
  return ort->Logger_LogMessage(logger, ORT_LOGGING_LEVEL_INFO, line, PATH_TEXT(__FILE__), __LINE__,
                                __func__);
}

OrtStatus* create_ep(OrtEpFactory*, const OrtHardwareDevice* const*, const OrtKeyValuePairs* const*,
                     size_t, const OrtSessionOptions* session, const OrtLogger* logger,
                     OrtEp** created) noexcept {
  std::unique_ptr<Ep> ep(new Ep);
  if (!ep) return no_memory();
  TRY(read_options(session, &ep->options));
  TRY(log_options(logger, ep->options));
  *created = ep.release();
  return nullptr;
}

Factory::Factory() : OrtEpFactory{} {
  ort_version_supported = kApiLevel;
  GetName = [](const OrtEpFactory*) noexcept { return kName; };
  GetVendor = [](const OrtEpFactory*) noexcept { return kName; };
  GetVendorId = [](const OrtEpFactory*) noexcept -> uint32_t { return 0; };
  GetVersion = [](const OrtEpFactory*) noexcept { return SATCHEL_VERSION; };
  GetSupportedDevices = supported_devices;
  CreateEp = create_ep;
  ReleaseEp = [](OrtEpFactory*, OrtEp* ep) noexcept { delete static_cast<Ep*>(ep); };
  CreateAllocator = [](OrtEpFactory*, const OrtMemoryInfo*, const OrtKeyValuePairs*,
                       OrtAllocator** allocator) noexcept -> OrtStatus* {
    *allocator = nullptr;
    return nullptr;
  };
  ReleaseAllocator = [](OrtEpFactory*, OrtAllocator*) noexcept {};
  CreateDataTransfer = [](OrtEpFactory*, OrtDataTransferImpl** transfer) noexcept -> OrtStatus* {
    *transfer = nullptr;
    return nullptr;
  };
  IsStreamAware = [](const OrtEpFactory*) noexcept { return false; };
}

}  // namespace

extern "C" {

EXPORTED OrtStatus* CreateEpFactories(const char*, const OrtApiBase* base, const OrtLogger*,
                                      OrtEpFactory** factories, size_t room, size_t* count) noexcept {
  *count = 0;
  ort = base->GetApi(kApiLevel);
  if (!ort) {
    ort = base->GetApi(1);  // every release has it, and it makes the error
    return fail("ONNX Runtime 1.%u or later is needed, this is %s", kApiLevel, base->GetVersionString());
  }
  ort_ep = ort->GetEpApi();
  if (room < 1) return fail("no room for a factory");
  factories[0] = new Factory;
  if (!factories[0]) return no_memory();
  *count = 1;
  return nullptr;
}

EXPORTED OrtStatus* ReleaseEpFactory(OrtEpFactory* factory) noexcept {
  delete static_cast<Factory*>(factory);
  return nullptr;
}

// What an abstract function calls when it is called all the same, in place of the C++ library's.
void __cxa_pure_virtual() { abort(); }
}
