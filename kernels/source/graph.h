// The model's graph, read through ONNX Runtime, and the tensors that a node meets while it runs.
#pragma once
#include <string.h>

#include "memory.h"

constexpr size_t kMostDimensions = 8;

// What is known of a tensor. In the graph, a size that is not known is -1.
struct Tensor {
  ONNXTensorElementDataType type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  bool shape_known = false;  // in the graph even the rank may be unknown
  size_t rank = 0;
  int64_t shape[kMostDimensions] = {};
  const void* data = nullptr;

  // How many elements; not for shapes with an unknown size.
  int64_t count() const {
    int64_t product = 1;
    for (size_t i = 0; i < rank; ++i)
      product *= shape[i];
    return product;
  }

  template <class T>
  const T* as() const {
    return static_cast<const T*>(data);
  }
};

OrtStatus* read_tensor(const OrtValue* value, Tensor* tensor);

// A node of the graph. An input or output that is left out is nullptr.
struct GraphNode : Allocated {
  const OrtNode* node = nullptr;
  const char* type = "";
  const char* domain = "";  // "" for ONNX's own
  int version = 0;          // of the operator set that brought this form of the operator
  Array<const OrtValueInfo*> inputs, outputs;

  OrtStatus* read(const OrtNode* from);

  bool is(const char* its_type, const char* its_domain = "") const {
    return strcmp(type, its_type) == 0 && strcmp(domain, its_domain) == 0;
  }
  const OrtValueInfo* input(size_t place) const {
    return place < inputs.size() ? inputs[place] : nullptr;
  }
  const OrtValueInfo* output(size_t place) const {
    return place < outputs.size() ? outputs[place] : nullptr;
  }

  // Attributes. `value` stays as it is where the node has none of that name and the operator no default.
  OrtStatus* attribute(const char* name, int64_t* value) const;
  OrtStatus* attribute(const char* name, float* value) const;
  OrtStatus* attribute(const char* name, Array<int64_t>* value) const;
  OrtStatus* attribute(const char* name, Array<float>* value) const;
  OrtStatus* attribute(const char* name, Array<char>* value) const;  // with a zero at its end
};

// The nodes of a graph, in an order in which they could run. When nodes are compiled that were claimed
// together, they are a graph of their own, and one node stands for all of it.
class Graph {
 public:
  Graph() = default;
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  OrtStatus* read(const OrtGraph* graph);
  OrtStatus* read_claimed(const OrtGraph* graph, const OrtNode* stands_for_all);

  const Array<const GraphNode*>& nodes() const { return nodes_; }

  // The node that makes a value; nullptr for constants and inputs of the graph.
  const GraphNode* producer(const OrtValueInfo* value) const;

  // The node that alone reads a value; nullptr where none or several do, or where the graph returns it.
  OrtStatus* only_reader(const OrtValueInfo* value, const GraphNode** node) const;

  // Whether only these nodes read a value, and the graph does not return it.
  OrtStatus* read_within(const OrtValueInfo* value, const Array<const GraphNode*>& group,
                         bool* within) const;

  // At which place a value is given to the claimed nodes, or taken from them, while they run. Constants
  // are not among the inputs.
  OrtStatus* input_place(const OrtValueInfo* value, size_t* place) const;
  OrtStatus* output_place(const OrtValueInfo* value, size_t* place) const;

 private:
  Array<const GraphNode*> nodes_;
  GraphNode whole_;
};

// Type and shape as the graph tells them. UNDEFINED where it does not, or where the value is no tensor.
OrtStatus* described(const OrtValueInfo* value, Tensor* tensor);

OrtStatus* is_constant(const OrtValueInfo* value, bool* constant);

// A constant with its data; `data` is nullptr where the value is none. The memory is ONNX Runtime's and
// goes once the session stands: read it while a node is built, and copy what the node needs.
OrtStatus* constant(const OrtValueInfo* value, Tensor* tensor);

// While a node runs.
OrtStatus* input(const OrtKernelContext* context, size_t place, Tensor* tensor);
OrtStatus* output(OrtKernelContext* context, size_t place, const int64_t* shape, size_t rank,
                  void** data);
