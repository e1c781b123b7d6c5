// GroupQueryAttention over a cache: positions are turned, keys and values written into the cache, and
// queries answered. Several new tokens may stand behind a past, in a batch too. A ring, which the operator
// calls a sliding_window_cache, keeps the last positions alone, the first of them in front.
#include <initializer_list>

#include "attention_blocks.h"
#include "claims.h"

namespace {

enum : size_t {
  kQuery,
  kKey,
  kValue,
  kPastKey,
  kPastValue,
  kLengths,
  kTotal,
  kCos,
  kSin,
  kPositions,
  kBias,
  kSinks,
  kKeyScale,
  kValueScale,
  kInputs
};

struct GroupedQueries : Node {
  const Kernels* kernels = nullptr;
  int64_t heads = 0, kv_heads = 0, window = -1, rotary = 0, interleaved = 0, causal = 1, ring = 0;
  float scale = 0, softcap = 0;
  bool given[kInputs] = {};
  size_t places[kInputs] = {}, answer = 0, present_key = 0, present_value = 0;

  // What one run has in hand.
  struct State {
    Tensor in[kInputs];
    int64_t batch, queries, head, capacity, past_capacity,
        row;  // row: numbers of a packed or plain query row
    char *keys, *values;
    int64_t *past, *base;  // base: the position that stands first in the cache
    float *query, *key_scales, *value_scales;
    bool int8;
    const float *query_in, *key_in, *value_in;
    int64_t key_row;
    float* out;
  };

  OrtStatus* run(const Call& call) const override {
    State s{};
    for (size_t i = 0; i < kInputs; ++i)
      if (given[i]) TRY(input(call.context, places[i], &s.in[i]));
    TRY(open(call, &s));
    TRY(outputs(call, &s));
    if (s.batch == 0 || s.queries == 0) return nullptr;
    TRY(parallel(call, s.batch * s.queries, [&](int64_t i) { write(s, i / s.queries, i % s.queries); }));
    Attention a;
    a.heads = heads, a.kv_heads = kv_heads, a.head = s.head, a.scale = scale, a.softcap = softcap;
    a.window = window, a.causal = causal, a.int8 = s.int8;
    a.query = rotary ? s.query : s.query_in;
    a.query_row = rotary ? heads * s.head : s.row, a.query_batch = s.queries * a.query_row;
    a.keys = s.keys, a.values = s.values, a.key_scales = s.key_scales, a.value_scales = s.value_scales;
    a.keys_row = s.head, a.keys_head = s.capacity * s.head, a.keys_batch = kv_heads * a.keys_head;
    a.base = ring ? s.base : nullptr;
    if (given[kBias]) {
      int64_t keys = 0;
      for (int64_t b = 0; b < s.batch; ++b)
        keys = s.past[b] + s.queries > keys ? s.past[b] + s.queries : keys;
      TRY(set_bias(s.in[kBias], s.batch, s.queries, keys, &a));
    }
    if (given[kSinks]) a.sinks = s.in[kSinks].as<float>();
    a.out = s.out, a.out_row = heads * s.head, a.out_batch = s.queries * a.out_row;
    int64_t* length;
    TRY(call.run.scratch.take(s.batch, &length));
    for (int64_t b = 0; b < s.batch; ++b)
      length[b] = s.past[b] + s.queries;
    return attend(call, *kernels, a, s.batch, s.queries, s.past, length);
  }

  // Shapes and lengths come from a file and a caller: all are checked before anything is read by them.
  OrtStatus* open(const Call& call, State* s) const {
    const Tensor &query = s->in[kQuery], &past = s->in[kPastKey], &values = s->in[kPastValue];
    if (query.rank != 3 || past.rank != 4 || values.rank != 4)
      return fail("GroupQueryAttention: odd ranks");
    s->batch = query.shape[0], s->queries = query.shape[1], s->row = query.shape[2];
    s->head = past.shape[3], s->past_capacity = past.shape[2];
    s->int8 = past.type == ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8;
    const bool packed = !given[kKey];
    for (size_t i = 0; i < 4; ++i)
      if (past.shape[i] != values.shape[i])
        return fail("GroupQueryAttention: past_key and past_value differ in shape");
    if (past.shape[0] != s->batch || past.shape[1] != kv_heads || s->head < 1 || s->head > kHeadLimit)
      return fail("GroupQueryAttention: a past of shape [%lld, %lld, %lld, %lld] does not fit",
                  (long long)past.shape[0], (long long)past.shape[1], (long long)past.shape[2],
                  (long long)past.shape[3]);
    if (s->row != (packed ? heads + 2 * kv_heads : heads) * s->head)
      return fail("GroupQueryAttention: rows of %lld numbers do not fit", (long long)s->row);
    s->query_in = query.as<float>();
    s->key_row = packed ? s->row : kv_heads * s->head;
    s->key_in = packed ? s->query_in + heads * s->head : s->in[kKey].as<float>();
    s->value_in = packed ? s->key_in + kv_heads * s->head : s->in[kValue].as<float>();
    for (size_t i : {kKey, kValue})
      if (!packed && (s->in[i].rank != 3 || s->in[i].shape[0] != s->batch ||
                      s->in[i].shape[1] != s->queries || s->in[i].shape[2] != s->key_row))
        return fail("GroupQueryAttention: key and value do not fit the query");
    TRY(lengths(call, s));
    TRY(scales(call, s->in[kKeyScale], *s, &s->key_scales));
    TRY(scales(call, s->in[kValueScale], *s, &s->value_scales));
    if (given[kSinks] && s->in[kSinks].count() != heads)
      return fail("GroupQueryAttention: head_sink does not fit");
    return nullptr;
  }

  // Where each text stands: behind its own past, or, where all is new, at 0.
  OrtStatus* lengths(const Call& call, State* s) const {
    const Tensor &lengths = s->in[kLengths], &total = s->in[kTotal];
    if (lengths.count() != s->batch || total.count() != 1)
      return fail("GroupQueryAttention: seqlens_k does not fit");
    const int64_t longest = *total.as<int32_t>();
    if (!ring && longest > s->past_capacity + s->queries)
      return fail("GroupQueryAttention: a total of %lld tokens for a cache of %lld and %lld new ones",
                  (long long)longest, (long long)s->past_capacity, (long long)s->queries);
    s->capacity = !ring && longest > s->past_capacity ? longest : s->past_capacity;
    TRY(call.run.scratch.take(s->batch, &s->past));
    TRY(call.run.scratch.take(s->batch, &s->base));
    for (int64_t b = 0; b < s->batch; ++b) {
      s->past[b] = s->queries == longest ? 0 : (int64_t)lengths.as<int32_t>()[b] + 1 - s->queries;
      const int64_t end = s->past[b] + s->queries;
      s->base[b] = ring && end > s->capacity ? end - s->capacity : 0;
      // A tile of keys may begin before the first that is seen.
      const int64_t first = (s->past[b] + 1 - window) / kTile * kTile;
      if (s->base[b] && (s->past[b] < window || first < s->base[b]))
        return fail("GroupQueryAttention: a window of %lld and %lld new tokens need more than the %lld"
                    " positions that are kept", (long long)window, (long long)s->queries,
                    (long long)s->capacity);
      if (s->past[b] < 0 || end - s->base[b] > s->capacity || (!ring && s->past[b] > s->past_capacity))
        return fail("GroupQueryAttention: positions %lld to %lld do not fit a cache of %lld",
                    (long long)s->past[b], (long long)end, (long long)s->capacity);
      for (size_t i : {kCos, kSin})
        if (rotary && (s->in[i].rank != 2 || s->in[i].shape[0] < end || s->in[i].shape[1] * 2 > s->head ||
                       s->in[i].shape[1] != s->in[kCos].shape[1]))
          return fail("GroupQueryAttention: position %lld has no angle", (long long)end - 1);
    }
    return nullptr;
  }

  // One a channel: [kv_heads][head].
  OrtStatus* scales(const Call& call, const Tensor& given_scales, const State& s, float** all) const {
    if (!s.int8) return nullptr;
    const int64_t count = given_scales.count(), wanted = kv_heads * s.head;
    if (!given_scales.data || (count != 1 && count != wanted))
      return fail("GroupQueryAttention: scales do not fit");
    TRY(call.run.scratch.take(wanted, all));
    for (int64_t i = 0; i < wanted; ++i)
      (*all)[i] = given_scales.as<float>()[count == 1 ? 0 : i];
    return nullptr;
  }

  OrtStatus* outputs(const Call& call, State* s) const {
    const int64_t shape[] = {s->batch, s->queries, heads * s->head},
                  cache[] = {s->batch, kv_heads, s->capacity, s->head};
    void *out, *keys, *values;
    TRY(output(call.context, answer, shape, 3, &out));
    TRY(output(call.context, present_key, cache, 4, &keys));
    TRY(output(call.context, present_value, cache, 4, &values));
    s->out = static_cast<float*>(out), s->keys = static_cast<char*>(keys),
    s->values = static_cast<char*>(values);
    if (rotary) TRY(call.run.scratch.take(s->batch * s->queries * heads * s->head, &s->query));
    copy_past(*s, s->in[kPastKey], s->keys);
    copy_past(*s, s->in[kPastValue], s->values);
    for (int64_t b = 0; ring && b < s->batch; ++b) {
      const int64_t before = s->past[b] > s->capacity ? s->past[b] - s->capacity : 0;
      move_down(*s, b, s->base[b] - before, s->keys);
      move_down(*s, b, s->base[b] - before, s->values);
    }
    return nullptr;
  }

  // Nothing, where the cache is written in place.
  void copy_past(const State& s, const Tensor& past, char* present) const {
    if (past.data == present) return;
    const int64_t bytes = s.head * (s.int8 ? 1 : 4), before = s.past_capacity * bytes,
                  after = s.capacity * bytes;
    for (int64_t i = 0; i < s.batch * kv_heads; ++i) {
      memcpy(present + i * after, past.as<char>() + i * before, (size_t)before);
      memset(present + i * after + before, 0, (size_t)(after - before));
    }
  }

  // Lets go the first `gone` positions of text `b`.
  void move_down(const State& s, int64_t b, int64_t gone, char* present) const {
    const int64_t bytes = s.head * (s.int8 ? 1 : 4), size = s.capacity * bytes;
    if (gone <= 0 || gone >= s.capacity) return;
    for (int64_t h = 0; h < kv_heads; ++h) {
      char* head = present + (b * kv_heads + h) * size;
      memmove(head, head + gone * bytes, (size_t)((s.capacity - gone) * bytes));
    }
  }

  // Token `t` of text `b`: its queries turned, its keys and values into the cache.
  void write(const State& s, int64_t b, int64_t t) const {
    const int64_t at = b * s.queries + t, position = s.past[b] + t;
    const int64_t half = rotary ? s.in[kCos].shape[1] : 0;
    const float* cos = rotary ? s.in[kCos].as<float>() + position * half : nullptr;
    const float* sin = rotary ? s.in[kSin].as<float>() + position * half : nullptr;
    if (rotary)
      for (int64_t h = 0; h < heads; ++h)
        kernels->rotate(s.query_in + at * s.row + h * s.head, cos, sin, s.head, 2 * half, interleaved,
                        s.query + (at * heads + h) * s.head);
    for (int64_t h = 0; h < kv_heads; ++h) {
      const int64_t to = ((b * kv_heads + h) * s.capacity + position - s.base[b]) * s.head;
      const float *key = s.key_in + at * s.key_row + h * s.head,
                  *value = s.value_in + at * s.key_row + h * s.head;
      float turned[kHeadLimit];
      if (rotary) kernels->rotate(key, cos, sin, s.head, 2 * half, interleaved, turned), key = turned;
      if (s.int8) {
        kernels->round_cache(key, s.key_scales + h * s.head, s.head,
                             reinterpret_cast<int8_t*>(s.keys) + to);
        kernels->round_cache(value, s.value_scales + h * s.head, s.head,
                             reinterpret_cast<int8_t*>(s.values) + to);
      } else {
        memcpy(reinterpret_cast<float*>(s.keys) + to, key, (size_t)s.head * 4);
        memcpy(reinterpret_cast<float*>(s.values) + to, value, (size_t)s.head * 4);
      }
    }
  }
};

OrtStatus* read_attributes(const GraphNode& node, GroupedQueries* q) {
  TRY(node.attribute("num_heads", &q->heads));
  TRY(node.attribute("kv_num_heads", &q->kv_heads));
  TRY(node.attribute("scale", &q->scale));
  TRY(node.attribute("softcap", &q->softcap));
  TRY(node.attribute("local_window_size", &q->window));
  TRY(node.attribute("do_rotary", &q->rotary));
  TRY(node.attribute("rotary_interleaved", &q->interleaved));
  TRY(node.attribute("sliding_window_cache", &q->ring));
  return node.attribute("causal", &q->causal);
}

// What the node may not have: positions of its own, norms of queries and keys, a bias over a ring, 4 bits.
OrtStatus* grouped_queries_fit(const GraphNode& node, bool* fit) {
  *fit = false;
  int64_t smooth = 0, scores = 0, bits = 0;
  TRY(node.attribute("smooth_softmax", &smooth));
  TRY(node.attribute("qk_output", &scores));
  TRY(node.attribute("kv_cache_bit_width", &bits));
  if (smooth > 0 || scores || (bits != 0 && bits != 8)) return nullptr;
  for (size_t i = kInputs; i < node.inputs.size(); ++i)
    if (node.input(i)) return nullptr;
  if (node.input(kPositions) || !node.input(kPastKey) || !node.input(kPastValue) || node.output(3))
    return nullptr;
  if (!node.output(0) || !node.output(1) || !node.output(2) || !node.input(kKey) != !node.input(kValue))
    return nullptr;
  Tensor query, past;
  TRY(described(node.input(kQuery), &query));
  TRY(described(node.input(kPastKey), &past));
  const bool int8 = past.type == ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8;
  if (!is_float(query) || (!int8 && !is_float(past)) || past.rank != 4) return nullptr;
  if (int8 && (!node.input(kKeyScale) || !node.input(kValueScale))) return nullptr;
  GroupedQueries q;
  TRY(read_attributes(node, &q));
  if (q.ring && (q.window < 1 || !q.causal || node.input(kBias))) return nullptr;
  if (q.rotary && (!node.input(kCos) || !node.input(kSin))) return nullptr;
  if (q.window == 0 || q.heads < 1 || q.heads > kMostHeads || q.kv_heads < 1 || q.heads % q.kv_heads)
    return nullptr;
  *fit = past.shape[3] > 0 && past.shape[3] <= kHeadLimit;
  return nullptr;
}

OrtStatus* claim_grouped_queries(const Graph&, const GraphNode& node, const Options&,
                                 Array<const GraphNode*>* group) {
  bool fit = false;
  if (node.is("GroupQueryAttention", "com.microsoft")) TRY(grouped_queries_fit(node, &fit));
  return fit ? group->add(&node) : nullptr;
}

OrtStatus* build_grouped_queries(const Graph& group, const GraphNode& node, const Options& options,
                                 std::unique_ptr<Node>* built) {
  auto q = new GroupedQueries;
  built->reset(q);
  if (!q) return no_memory();
  TRY(read_attributes(node, q));
  q->kernels = options.kernels;
  Tensor past;
  TRY(described(node.input(kPastKey), &past));
  if (q->scale == 0) q->scale = 1 / __builtin_sqrtf((float)past.shape[3]);
  for (size_t i = 0; i < kInputs; ++i)
    if (node.input(i)) {
      q->given[i] = true;
      TRY(group.input_place(node.input(i), &q->places[i]));
    }
  TRY(group.output_place(node.output(0), &q->answer));
  TRY(group.output_place(node.output(1), &q->present_key));
  return group.output_place(node.output(2), &q->present_value);
}

}  // namespace

const Rule grouped_queries = {claim_grouped_queries, build_grouped_queries, Constants::kept};
