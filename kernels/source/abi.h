// ONNX Runtime's C interface as far as the provider uses it: API level 24, which every release from 1.24
// on still offers. Its function tables only ever grow, so a slot's number is fixed for good. The numbers,
// the types and the layouts here are held against the official headers by tests/test_abi.py.
#pragma once
#include <stddef.h>
#include <stdint.h>

constexpr uint32_t kApiLevel = 24;

// Objects of ONNX Runtime's own, known by pointer alone.
struct OrtAllocator;
struct OrtDataTransferImpl;
struct OrtEpDevice;
struct OrtEpGraphSupportInfo;
struct OrtGraph;
struct OrtHardwareDevice;
struct OrtKernelContext;
struct OrtKeyValuePairs;
struct OrtLogger;
struct OrtMemoryInfo;
struct OrtNode;
struct OrtNodeComputeContext;
struct OrtOpAttr;
struct OrtRunOptions;
struct OrtSessionOptions;
struct OrtStatus;
struct OrtTensorTypeAndShapeInfo;
struct OrtTypeInfo;
struct OrtValue;
struct OrtValueInfo;

// Structs that the provider fills; they are laid out below.
struct OrtEp;
struct OrtEpFactory;
struct OrtNodeComputeInfo;
struct OrtNodeFusionOptions;

// Of each list, the values used here.
enum OrtErrorCode : int {
  ORT_FAIL = 1,
  ORT_INVALID_ARGUMENT = 2,
  ORT_NOT_FOUND = 14,
};

enum ONNXTensorElementDataType : int {
  ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED = 0,
  ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT = 1,
  ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8 = 2,
  ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8 = 3,
  ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32 = 6,
  ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64 = 7,
  ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL = 9,
  ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16 = 10,
};

enum OrtOpAttrType : int {
  ORT_OP_ATTR_INT = 1,
  ORT_OP_ATTR_INTS = 2,
  ORT_OP_ATTR_FLOAT = 3,
  ORT_OP_ATTR_FLOATS = 4,
  ORT_OP_ATTR_STRING = 5,
};

enum OrtHardwareDeviceType : int {
  OrtHardwareDeviceType_CPU = 0,
};

enum OrtLoggingLevel : int {
  ORT_LOGGING_LEVEL_INFO = 1,
};

#ifdef _WIN32
using OrtPathChar = wchar_t;
#else
using OrtPathChar = char;
#endif

using OrtParallelTask = void (*)(void*, size_t);

// One function of a table: the number of its slot, what it returns, its name, what it takes.
#define SLOT(number, result, name, ...)                            \
  using name##_type = result (*)(__VA_ARGS__);                     \
  static constexpr size_t name##_slot = number;                    \
  template <class... Given>                                        \
  result name(Given... given) const noexcept {                     \
    return reinterpret_cast<name##_type>(slots[number])(given...); \
  }

struct OrtApi {
  void (*slots[415])();  // as many as level 24 has; later releases have more behind them

  SLOT(0, OrtStatus*, CreateStatus, OrtErrorCode, const char*)
  SLOT(1, OrtErrorCode, GetErrorCode, const OrtStatus*)
  SLOT(2, const char*, GetErrorMessage, const OrtStatus*)
  SLOT(93, void, ReleaseStatus, OrtStatus*)
  SLOT(317, const struct OrtEpApi*, GetEpApi)

  // Values.
  SLOT(51, OrtStatus*, GetTensorMutableData, OrtValue*, void**)
  SLOT(378, OrtStatus*, GetTensorData, const OrtValue*, const void**)
  SLOT(414, OrtStatus*, GetTensorElementTypeAndShapeDataReference, const OrtValue*,
       ONNXTensorElementDataType*, const int64_t**, size_t*)

  // What the graph says of a value before there is one.
  SLOT(55, OrtStatus*, CastTypeInfoToTensorInfo, const OrtTypeInfo*, const OrtTensorTypeAndShapeInfo**)
  SLOT(60, OrtStatus*, GetTensorElementType, const OrtTensorTypeAndShapeInfo*, ONNXTensorElementDataType*)
  SLOT(61, OrtStatus*, GetDimensionsCount, const OrtTensorTypeAndShapeInfo*, size_t*)
  SLOT(62, OrtStatus*, GetDimensions, const OrtTensorTypeAndShapeInfo*, int64_t*, size_t)
  SLOT(390, bool, TensorTypeAndShape_HasShape, const OrtTensorTypeAndShapeInfo*)
  SLOT(289, OrtStatus*, GetValueInfoName, const OrtValueInfo*, const char**)
  SLOT(290, OrtStatus*, GetValueInfoTypeInfo, const OrtValueInfo*, const OrtTypeInfo**)
  SLOT(323, OrtStatus*, ValueInfo_GetValueProducer, const OrtValueInfo*, const OrtNode**, size_t*)
  SLOT(324, OrtStatus*, ValueInfo_GetValueNumConsumers, const OrtValueInfo*, size_t*)
  SLOT(325, OrtStatus*, ValueInfo_GetValueConsumers, const OrtValueInfo*, const OrtNode**, int64_t*,
       size_t)
  SLOT(326, OrtStatus*, ValueInfo_GetInitializerValue, const OrtValueInfo*, const OrtValue**)
  SLOT(330, OrtStatus*, ValueInfo_IsGraphOutput, const OrtValueInfo*, bool*)
  SLOT(331, OrtStatus*, ValueInfo_IsConstantInitializer, const OrtValueInfo*, bool*)

  // Graphs and their nodes.
  SLOT(344, OrtStatus*, Graph_GetNumNodes, const OrtGraph*, size_t*)
  SLOT(345, OrtStatus*, Graph_GetNodes, const OrtGraph*, const OrtNode**, size_t)
  SLOT(350, OrtStatus*, Node_GetOperatorType, const OrtNode*, const char**)
  SLOT(351, OrtStatus*, Node_GetDomain, const OrtNode*, const char**)
  SLOT(352, OrtStatus*, Node_GetSinceVersion, const OrtNode*, int*)
  SLOT(353, OrtStatus*, Node_GetNumInputs, const OrtNode*, size_t*)
  SLOT(354, OrtStatus*, Node_GetInputs, const OrtNode*, const OrtValueInfo**, size_t)
  SLOT(355, OrtStatus*, Node_GetNumOutputs, const OrtNode*, size_t*)
  SLOT(356, OrtStatus*, Node_GetOutputs, const OrtNode*, const OrtValueInfo**, size_t)
  SLOT(361, OrtStatus*, Node_GetAttributeByName, const OrtNode*, const char*, const OrtOpAttr**)
  SLOT(363, OrtStatus*, OpAttr_GetType, const OrtOpAttr*, OrtOpAttrType*)
  SLOT(272, OrtStatus*, ReadOpAttr, const OrtOpAttr*, OrtOpAttrType, void*, size_t, size_t*)

  // What a node sees while it runs.
  SLOT(88, OrtStatus*, KernelContext_GetInputCount, const OrtKernelContext*, size_t*)
  SLOT(90, OrtStatus*, KernelContext_GetInput, const OrtKernelContext*, size_t, const OrtValue**)
  SLOT(91, OrtStatus*, KernelContext_GetOutput, OrtKernelContext*, size_t, const int64_t*, size_t,
       OrtValue**)
  SLOT(274, OrtStatus*, KernelContext_ParallelFor, const OrtKernelContext*, OrtParallelTask, size_t,
       size_t, void*)

  // Options, devices, the log.
  SLOT(298, void, GetKeyValuePairs, const OrtKeyValuePairs*, const char* const**, const char* const**,
       size_t*)
  SLOT(300, void, ReleaseKeyValuePairs, OrtKeyValuePairs*)
  SLOT(379, OrtStatus*, GetSessionOptionsConfigEntries, const OrtSessionOptions*, OrtKeyValuePairs**)
  SLOT(373, const char*, GetRunConfigEntry, const OrtRunOptions*, const char*)
  SLOT(307, OrtHardwareDeviceType, HardwareDevice_Type, const OrtHardwareDevice*)
  SLOT(247, OrtStatus*, Logger_LogMessage, const OrtLogger*, OrtLoggingLevel, const char*,
       const OrtPathChar*, int, const char*)
};

struct OrtEpApi {
  void (*slots[50])();

  SLOT(0, OrtStatus*, CreateEpDevice, OrtEpFactory*, const OrtHardwareDevice*, const OrtKeyValuePairs*,
       const OrtKeyValuePairs*, OrtEpDevice**)
  SLOT(2, OrtStatus*, EpGraphSupportInfo_AddNodesToFuse, OrtEpGraphSupportInfo*, const OrtNode* const*,
       size_t, const OrtNodeFusionOptions*)
};

#undef SLOT

// What the library is given when it is registered.
struct OrtApiBase {
  const OrtApi* (*GetApi)(uint32_t level);
  const char* (*GetVersionString)();
};

// A member that the provider leaves empty; only its place counts.
using OrtUnused = void (*)();

struct OrtNodeFusionOptions {
  uint32_t ort_version_supported;
  bool drop_constant_initializers;
};

struct OrtNodeComputeInfo {
  uint32_t ort_version_supported;
  OrtStatus* (*CreateState)(OrtNodeComputeInfo*, OrtNodeComputeContext*, void** state);
  OrtStatus* (*Compute)(OrtNodeComputeInfo*, void* state, OrtKernelContext*);
  void (*ReleaseState)(OrtNodeComputeInfo*, void* state);
};

struct OrtEp {
  uint32_t ort_version_supported;
  const char* (*GetName)(const OrtEp*);
  OrtStatus* (*GetCapability)(OrtEp*, const OrtGraph*, OrtEpGraphSupportInfo*);
  OrtStatus* (*Compile)(OrtEp*, const OrtGraph** graphs, const OrtNode** fused, size_t count,
                        OrtNodeComputeInfo** infos, OrtNode** context_nodes);
  void (*ReleaseNodeComputeInfos)(OrtEp*, OrtNodeComputeInfo** infos, size_t count);
  OrtUnused GetPreferredDataLayout;
  OrtUnused ShouldConvertDataLayoutForOp;
  OrtStatus* (*SetDynamicOptions)(OrtEp*, const char* const* keys, const char* const* values,
                                  size_t count);
  OrtStatus* (*OnRunStart)(OrtEp*, const OrtRunOptions*);
  OrtStatus* (*OnRunEnd)(OrtEp*, const OrtRunOptions*, bool sync_stream);
  OrtUnused CreateAllocator;
  OrtUnused CreateSyncStreamForDevice;
  OrtUnused GetCompiledModelCompatibilityInfo;
  OrtUnused GetKernelRegistry;
  OrtUnused IsConcurrentRunSupported;
};

struct OrtEpFactory {
  uint32_t ort_version_supported;
  const char* (*GetName)(const OrtEpFactory*);
  const char* (*GetVendor)(const OrtEpFactory*);
  OrtStatus* (*GetSupportedDevices)(OrtEpFactory*, const OrtHardwareDevice* const* devices, size_t count,
                                    OrtEpDevice** offered, size_t room, size_t* offered_count);
  OrtStatus* (*CreateEp)(OrtEpFactory*, const OrtHardwareDevice* const* devices,
                         const OrtKeyValuePairs* const* metadata, size_t count, const OrtSessionOptions*,
                         const OrtLogger*, OrtEp**);
  void (*ReleaseEp)(OrtEpFactory*, OrtEp*);
  uint32_t (*GetVendorId)(const OrtEpFactory*);
  const char* (*GetVersion)(const OrtEpFactory*);
  OrtUnused ValidateCompiledModelCompatibilityInfo;
  OrtStatus* (*CreateAllocator)(OrtEpFactory*, const OrtMemoryInfo*, const OrtKeyValuePairs*,
                                OrtAllocator**);
  void (*ReleaseAllocator)(OrtEpFactory*, OrtAllocator*);
  OrtStatus* (*CreateDataTransfer)(OrtEpFactory*, OrtDataTransferImpl**);
  bool (*IsStreamAware)(const OrtEpFactory*);
  OrtUnused CreateSyncStreamForDevice;
  OrtUnused GetHardwareDeviceIncompatibilityDetails;
  OrtUnused CreateExternalResourceImporterForDevice;
  OrtUnused GetNumCustomOpDomains;
  OrtUnused GetCustomOpDomains;
};
