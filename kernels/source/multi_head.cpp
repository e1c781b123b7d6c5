// MultiHeadAttention: of encoders, and of decoders that look at an encoder. A Split that gives it
// queries, keys and values goes with it, so that they are read where they lie.
#include <initializer_list>

#include "attention_blocks.h"
#include "claims.h"

namespace {

enum : size_t { kQuery, kKey, kValue, kProjectionBias, kLengths, kBias, kInputs };

struct MultiHead : Node {
  const Kernels* kernels = nullptr;
  int64_t heads = 0, causal = 0;
  float scale = 0;
  bool packed = false, given[kInputs] = {};  // packed: the first input holds all three, side by side
  size_t places[kInputs] = {};

  OrtStatus* run(const Call& call) const override {
    Tensor in[kInputs];
    for (size_t i = 0; i < kInputs; ++i)
      if (given[i]) TRY(input(call.context, places[i], &in[i]));
    const Tensor& query = in[kQuery];
    const int64_t width = query.rank == 3 ? query.shape[2] / (packed ? 3 : 1) : 0;
    if (width < 1 || width % heads || (packed && query.shape[2] % 3) || width / heads > kHeadLimit)
      return fail("MultiHeadAttention: a query that does not fit %lld heads", (long long)heads);
    const int64_t batch = query.shape[0], queries = query.shape[1], head = width / heads;
    Attention a;
    a.heads = a.kv_heads = heads, a.head = head, a.causal = causal;
    a.scale = scale != 0 ? scale : 1 / __builtin_sqrtf((float)head);
    a.query = query.as<float>(), a.query_row = query.shape[2], a.query_batch = queries * a.query_row;
    int64_t keys = queries;
    if (packed) {
      a.keys = a.query + width, a.values = a.query + 2 * width;
      a.keys_row = a.query_row, a.keys_head = head, a.keys_batch = a.query_batch;
    } else {
      TRY(place_keys(in[kKey], in[kValue], batch, head, &keys, &a));
    }
    if (given[kBias]) TRY(set_bias(in[kBias], batch, queries, keys, &a));
    const int64_t shape[] = {batch, queries, width};
    void* out;
    TRY(output(call.context, 0, shape, 3, &out));
    a.out = static_cast<float*>(out), a.out_row = width, a.out_batch = queries * width;
    if (batch == 0 || queries == 0) return nullptr;
    int64_t *past, *length;
    TRY(call.run.scratch.take(batch, &past));
    TRY(call.run.scratch.take(batch, &length));
    if (given[kLengths] && in[kLengths].count() != batch)
      return fail("MultiHeadAttention: lengths do not fit");
    if (keys < 1) return fail("MultiHeadAttention: there are no keys");
    for (int64_t b = 0; b < batch; ++b) {
      past[b] = 0;
      const int64_t seen = given[kLengths] ? in[kLengths].as<int32_t>()[b] : keys;
      // As in ONNX Runtime: a length past the end is the end, and a text that sees no key sees all.
      length[b] = seen < 1 || seen > keys ? keys : seen;
    }
    return attend(call, *kernels, a, batch, queries, past, length);
  }

  // [batch, keys, width], or [batch, heads, keys, head] of a cache.
  OrtStatus* place_keys(const Tensor& key, const Tensor& value, int64_t batch, int64_t head,
                        int64_t* keys, Attention* a) const {
    bool fits = key.rank == value.rank && (key.rank == 3 || key.rank == 4) && key.shape[0] == batch;
    for (size_t i = 0; i < key.rank && fits; ++i)
      fits = key.shape[i] == value.shape[i];
    if (key.rank == 3) fits = fits && key.shape[2] == heads * head;
    if (key.rank == 4) fits = fits && key.shape[1] == heads && key.shape[3] == head;
    if (!fits) return fail("MultiHeadAttention: keys and values do not fit the query");
    *keys = key.shape[key.rank - 2];
    a->keys = key.data, a->values = value.data;
    a->keys_row = key.rank == 3 ? heads * head : head;
    a->keys_head = key.rank == 3 ? head : *keys * head;
    a->keys_batch = *keys * heads * head;
    return nullptr;
  }
};

// The Split into three equal parts that this node alone reads, or nullptr.
OrtStatus* split_before(const Graph& graph, const GraphNode& node, const GraphNode** split) {
  *split = graph.producer(node.input(kQuery));
  if (!*split || !(*split)->is("Split") || (*split)->outputs.size() != 3 || (*split)->input(1))
    return *split = nullptr, nullptr;
  int64_t axis = 0;
  Tensor whole;
  TRY((*split)->attribute("axis", &axis));
  TRY(described((*split)->input(0), &whole));
  bool fits = whole.shape_known && whole.rank == 3 && whole.shape[2] > 0 && whole.shape[2] % 3 == 0 &&
              (axis == 2 || axis == -1);
  for (size_t i = 0; i < 3; ++i) {
    const GraphNode* reader;
    TRY(graph.only_reader((*split)->output(i), &reader));
    fits = fits && reader == &node && node.input(i) == (*split)->output(i);
  }
  if (!fits) *split = nullptr;
  return nullptr;
}

// Whether keys and values may have heads of the queries' size: those of values can have another.
OrtStatus* heads_alike(const GraphNode& node, int64_t width, int64_t heads, bool* alike) {
  *alike = true;
  for (size_t i : {kKey, kValue}) {
    Tensor t;
    TRY(described(node.input(i), &t));
    if (!t.shape_known || t.rank < 3) continue;
    const int64_t numbers = t.shape[t.rank - 1], wanted = t.rank == 3 ? width : width / heads;
    *alike = *alike && (numbers < 0 || numbers == wanted);
  }
  return nullptr;
}

OrtStatus* claim_multi_head(const Graph& graph, const GraphNode& node, const Options&,
                            Array<const GraphNode*>* group) {
  if (!node.is("MultiHeadAttention", "com.microsoft")) return nullptr;
  for (size_t i = 0; i < node.inputs.size(); ++i)
    if (node.input(i) && (i == kProjectionBias || i >= kInputs)) return nullptr;
  if (!node.input(kKey) || !node.input(kValue) || node.output(1) || node.output(2) || node.output(3))
    return nullptr;
  Tensor query, lengths;
  int64_t heads = 0, causal = 0;
  TRY(described(node.input(kQuery), &query));
  TRY(described(node.input(kLengths), &lengths));
  TRY(node.attribute("num_heads", &heads));
  if (!is_float(query) || query.rank != 3 || heads < 1 || query.shape[2] < 1 || query.shape[2] % heads)
    return nullptr;
  if (query.shape[2] / heads > kHeadLimit) return nullptr;
  bool alike;
  TRY(heads_alike(node, query.shape[2], heads, &alike));
  if (!alike) return nullptr;
  if (node.input(kLengths) && (lengths.rank != 1 || lengths.type != ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32))
    return nullptr;
  const GraphNode* split;
  TRY(split_before(graph, node, &split));
  // Where there may be more keys than queries, what a query sees is ONNX Runtime's matter.
  TRY(node.attribute("unidirectional", &causal));
  if (causal && !split) return nullptr;
  TRY(group->add(&node));
  return split ? group->add(split) : nullptr;
}

OrtStatus* build_multi_head(const Graph& claimed, const GraphNode& node, const Options& options,
                            std::unique_ptr<Node>* built) {
  MultiHead* m = new MultiHead;
  built->reset(m);
  if (!m) return no_memory();
  m->kernels = options.kernels;
  TRY(node.attribute("num_heads", &m->heads));
  TRY(node.attribute("scale", &m->scale));
  TRY(node.attribute("unidirectional", &m->causal));
  const GraphNode* split;
  TRY(split_before(claimed, node, &split));
  m->packed = split;
  for (size_t i = 0; i < kInputs; ++i) {
    if (!node.input(i) || (split && (i == kKey || i == kValue))) continue;
    m->given[i] = true;
    TRY(claimed.input_place(split && i == kQuery ? split->input(0) : node.input(i), &m->places[i]));
  }
  return nullptr;
}

}  // namespace

const Rule multi_head = {claim_multi_head, build_multi_head, Constants::kept};
