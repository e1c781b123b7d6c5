#include "claims.h"

namespace {

// For tests: -x, or -(x * c) with a constant c of one element, of float32. It shows a claim of one node,
// a claim of two and a constant.
class Negate : public Node {
 public:
  Negate(size_t place, float factor) : place_(place), factor_(factor) {}

  OrtStatus* run(const Call& call) const override {
    Tensor x;
    void* data;
    TRY(input(call.context, place_, &x));
    TRY(output(call.context, 0, x.shape, x.rank, &data));
    float* y = static_cast<float*>(data);

    // Through scratch, so that two runs that shared it would be seen.
    int64_t count = x.count(), lines = (count + kLine - 1) / kLine;
    float* products;
    TRY(call.run.scratch.take(count, &products));
    auto each = [&](int64_t line, auto what) {
      for (int64_t i = line * kLine; i < count && i < (line + 1) * kLine; ++i)
        what(i);
    };
    TRY(parallel(call, lines, [&](int64_t line) {
      each(line, [&](int64_t i) { products[i] = x.as<float>()[i] * factor_; });
    }));
    return parallel(call, lines,
                    [&](int64_t line) { each(line, [&](int64_t i) { y[i] = -products[i]; }); });
  }

 private:
  static constexpr int64_t kLine = 1024;
  size_t place_;  // of x
  float factor_;
};

// What a product multiplies by and the value that it multiplies, if the former is a constant of one
// float32.
struct Product {
  const OrtValueInfo* x = nullptr;
  float factor = 1;
};

OrtStatus* read_product(const GraphNode& node, Product* product) {
  for (size_t place = 0; place < 2 && !product->x; ++place) {
    Tensor factor;
    TRY(constant(node.input(place), &factor));
    if (!factor.data || factor.type != ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT || factor.rank > 0) continue;
    *product = {node.input(1 - place), *factor.as<float>()};
  }
  return nullptr;
}

OrtStatus* claim_negate(const Graph& graph, const GraphNode& node, const Options& options,
                        Array<const GraphNode*>* group) {
  if (!options.selftest || !node.is("Neg")) return nullptr;
  Tensor x;
  TRY(described(node.input(0), &x));
  if (x.type != ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT) return nullptr;
  TRY(group->add(&node));

  const GraphNode* before = graph.producer(node.input(0));
  if (!before || !before->is("Mul")) return nullptr;
  const GraphNode* reader;
  Product product;
  TRY(graph.only_reader(node.input(0), &reader));
  TRY(read_product(*before, &product));
  return reader && product.x ? group->add(before) : nullptr;
}

OrtStatus* build_negate(const Graph& claimed, const GraphNode& node, const Options&,
                        std::unique_ptr<Node>* built) {
  Product product{node.input(0), 1};
  if (const GraphNode* before = claimed.producer(node.input(0))) {
    product.x = nullptr;
    TRY(read_product(*before, &product));
  }
  size_t place;
  TRY(claimed.input_place(product.x, &place));
  built->reset(new Negate(place, product.factor));
  return *built ? nullptr : no_memory();
}

constexpr Rule negate = {claim_negate, build_negate};

}  // namespace

const Rule* const kRules[] = {&negate, &product, &grouped_queries, &multi_head, nullptr};
