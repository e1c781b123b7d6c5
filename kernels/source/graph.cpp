#include "graph.h"

namespace {

OrtStatus* keep_rank(size_t rank, Tensor* tensor) {
  if (rank > kMostDimensions)
    return fail("a tensor of %zu dimensions, more than %zu", rank, kMostDimensions);
  tensor->rank = rank;
  tensor->shape_known = true;
  return nullptr;
}

// nullptr where the node has no attribute of that name.
OrtStatus* find_attribute(const OrtNode* node, const char* name, const OrtOpAttr** attribute) {
  *attribute = nullptr;
  OrtStatus* status = ort->Node_GetAttributeByName(node, name, attribute);
  if (!status || ort->GetErrorCode(status) != ORT_NOT_FOUND) return status;
  ort->ReleaseStatus(status);
  *attribute = nullptr;
  return nullptr;
}

template <class T>
OrtStatus* read_one(const GraphNode& node, const char* name, OrtOpAttrType type, T* value) {
  const OrtOpAttr* attribute;
  TRY(find_attribute(node.node, name, &attribute));
  if (!attribute) return nullptr;
  size_t bytes;
  return ort->ReadOpAttr(attribute, type, value, sizeof *value, &bytes);
}

template <class T>
OrtStatus* read_list(const GraphNode& node, const char* name, OrtOpAttrType type, Array<T>* value) {
  const OrtOpAttr* attribute;
  TRY(find_attribute(node.node, name, &attribute));
  if (!attribute) return nullptr;
  size_t bytes = 0;
  // Without room it fails and says how much it wants; an empty list it reads.
  if (OrtStatus* status = ort->ReadOpAttr(attribute, type, nullptr, 0, &bytes))
    ort->ReleaseStatus(status);
  TRY(value->resize(bytes / sizeof(T)));
  return bytes ? ort->ReadOpAttr(attribute, type, value->data(), bytes, &bytes) : nullptr;
}

// By name: the node that stands for claimed ones has values of its own.
OrtStatus* find_value(const Array<const OrtValueInfo*>& values, const OrtValueInfo* value,
                      size_t* place) {
  const char *name, *other;
  TRY(ort->GetValueInfoName(value, &name));
  for (*place = 0; *place < values.size(); ++*place) {
    if (!values[*place]) continue;
    TRY(ort->GetValueInfoName(values[*place], &other));
    if (strcmp(name, other) == 0) return nullptr;
  }
  return fail("'%s' is no input or output of the claimed nodes", name);
}

}  // namespace

OrtStatus* read_tensor(const OrtValue* value, Tensor* tensor) {
  const int64_t* shape = nullptr;
  size_t rank = 0;
  TRY(ort->GetTensorElementTypeAndShapeDataReference(value, &tensor->type, &shape, &rank));
  TRY(keep_rank(rank, tensor));
  if (rank) memcpy(tensor->shape, shape, rank * sizeof *shape);
  return ort->GetTensorData(value, &tensor->data);
}

OrtStatus* GraphNode::read(const OrtNode* from) {
  node = from;
  TRY(ort->Node_GetOperatorType(node, &type));
  TRY(ort->Node_GetDomain(node, &domain));
  if (strcmp(domain, "ai.onnx") == 0) domain = "";
  TRY(ort->Node_GetSinceVersion(node, &version));
  size_t count;
  TRY(ort->Node_GetNumInputs(node, &count));
  TRY(inputs.resize(count));
  if (count) TRY(ort->Node_GetInputs(node, inputs.data(), count));
  TRY(ort->Node_GetNumOutputs(node, &count));
  TRY(outputs.resize(count));
  return count ? ort->Node_GetOutputs(node, outputs.data(), count) : nullptr;
}

OrtStatus* GraphNode::attribute(const char* name, int64_t* value) const {
  return read_one(*this, name, ORT_OP_ATTR_INT, value);
}

OrtStatus* GraphNode::attribute(const char* name, float* value) const {
  return read_one(*this, name, ORT_OP_ATTR_FLOAT, value);
}

OrtStatus* GraphNode::attribute(const char* name, Array<int64_t>* value) const {
  return read_list(*this, name, ORT_OP_ATTR_INTS, value);
}

OrtStatus* GraphNode::attribute(const char* name, Array<float>* value) const {
  return read_list(*this, name, ORT_OP_ATTR_FLOATS, value);
}

OrtStatus* GraphNode::attribute(const char* name, Array<char>* value) const {
  TRY(read_list(*this, name, ORT_OP_ATTR_STRING, value));
  return value->add('\0');
}

Graph::~Graph() {
  for (const GraphNode* node : nodes_)
    delete node;
}

OrtStatus* Graph::read(const OrtGraph* graph) {
  size_t count;
  TRY(ort->Graph_GetNumNodes(graph, &count));
  Array<const OrtNode*> nodes;
  TRY(nodes.resize(count));
  if (count) TRY(ort->Graph_GetNodes(graph, nodes.data(), count));
  TRY(nodes_.resize(count));
  for (size_t i = 0; i < count; ++i) {
    GraphNode* node = new GraphNode;
    if (!node) return no_memory();
    nodes_[i] = node;
    TRY(node->read(nodes[i]));
  }
  return nullptr;
}

OrtStatus* Graph::read_claimed(const OrtGraph* graph, const OrtNode* stands_for_all) {
  TRY(read(graph));
  return whole_.read(stands_for_all);
}

// Not by ONNX Runtime's own function, which warns in the log of values that come from outside claimed
// nodes.
const GraphNode* Graph::producer(const OrtValueInfo* value) const {
  for (const GraphNode* node : nodes_) {
    for (const OrtValueInfo* output : node->outputs) {
      if (output == value) return node;
    }
  }
  return nullptr;
}

OrtStatus* Graph::only_reader(const OrtValueInfo* value, const GraphNode** reader) const {
  *reader = nullptr;
  bool returned;
  TRY(ort->ValueInfo_IsGraphOutput(value, &returned));
  size_t count;
  TRY(ort->ValueInfo_GetValueNumConsumers(value, &count));
  if (returned || count != 1) return nullptr;
  const OrtNode* found = nullptr;
  int64_t place;
  TRY(ort->ValueInfo_GetValueConsumers(value, &found, &place, 1));
  for (const GraphNode* node : nodes_) {
    if (node->node == found) *reader = node;
  }
  return nullptr;
}

OrtStatus* Graph::read_within(const OrtValueInfo* value, const Array<const GraphNode*>& group,
                              bool* within) const {
  TRY(ort->ValueInfo_IsGraphOutput(value, within));
  *within = !*within;
  size_t count;
  TRY(ort->ValueInfo_GetValueNumConsumers(value, &count));
  Array<const OrtNode*> readers;
  Array<int64_t> places;
  TRY(readers.resize(count));
  TRY(places.resize(count));
  if (count) TRY(ort->ValueInfo_GetValueConsumers(value, readers.data(), places.data(), count));
  for (const OrtNode* reader : readers) {
    bool ours = false;
    for (const GraphNode* node : group)
      ours = ours || node->node == reader;
    *within = *within && ours;
  }
  return nullptr;
}

OrtStatus* Graph::input_place(const OrtValueInfo* value, size_t* place) const {
  return find_value(whole_.inputs, value, place);
}

OrtStatus* Graph::output_place(const OrtValueInfo* value, size_t* place) const {
  return find_value(whole_.outputs, value, place);
}

OrtStatus* described(const OrtValueInfo* value, Tensor* tensor) {
  *tensor = Tensor();
  if (!value) return nullptr;
  const OrtTypeInfo* type = nullptr;
  const OrtTensorTypeAndShapeInfo* info = nullptr;
  TRY(ort->GetValueInfoTypeInfo(value, &type));
  if (type) TRY(ort->CastTypeInfoToTensorInfo(type, &info));
  if (!info) return nullptr;
  TRY(ort->GetTensorElementType(info, &tensor->type));
  if (!ort->TensorTypeAndShape_HasShape(info)) return nullptr;
  size_t rank;
  TRY(ort->GetDimensionsCount(info, &rank));
  TRY(keep_rank(rank, tensor));
  return rank ? ort->GetDimensions(info, tensor->shape, rank) : nullptr;
}

OrtStatus* is_constant(const OrtValueInfo* value, bool* constant) {
  return ort->ValueInfo_IsConstantInitializer(value, constant);
}

OrtStatus* constant(const OrtValueInfo* value, Tensor* tensor) {
  *tensor = Tensor();
  if (!value) return nullptr;
  bool fixed;
  TRY(is_constant(value, &fixed));
  if (!fixed) return nullptr;
  const OrtValue* held = nullptr;
  TRY(ort->ValueInfo_GetInitializerValue(value, &held));
  return held ? read_tensor(held, tensor) : nullptr;
}

OrtStatus* input(const OrtKernelContext* context, size_t place, Tensor* tensor) {
  *tensor = Tensor();
  const OrtValue* value = nullptr;
  TRY(ort->KernelContext_GetInput(context, place, &value));
  return value ? read_tensor(value, tensor) : nullptr;
}

OrtStatus* output(OrtKernelContext* context, size_t place, const int64_t* shape, size_t rank,
                  void** data) {
  *data = nullptr;
  OrtValue* value = nullptr;
  TRY(ort->KernelContext_GetOutput(context, place, shape, rank, &value));
  return value ? ort->GetTensorMutableData(value, data) : nullptr;
}
