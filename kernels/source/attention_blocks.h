// All blocks of query rows of an attention, on all threads.
#pragma once
#include "node.h"
#include "table.h"

constexpr int64_t kHeadLimit = 256;      // numbers of a head that the kernels take
constexpr int64_t kMostHeads = 1 << 20;  // so that a file's numbers, multiplied, stay what they are

// Rows of queries that are scored at once: more of them share a tile of keys, fewer keep their scores in
// the cache.
inline int64_t query_rows(int64_t keys) {
  const int64_t rows = 400000 / (6 * (keys + 64));
  return rows < 24 ? 24 : rows > 96 ? 96 : rows / 12 * 12;
}

inline bool is_float(const Tensor& t) { return t.type == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT; }

// `past` and `length` of each text: keys before its first query, and keys in all; `queries` a text.
inline OrtStatus* attend(const Call& call, const Kernels& kernels, const Attention& a, int64_t batch,
                         int64_t queries, const int64_t* past, const int64_t* length) {
  int64_t longest = 0;
  for (int64_t b = 0; b < batch; ++b)
    longest = length[b] > longest ? length[b] : longest;
  const int64_t at_once = query_rows(longest);
  const int64_t rows = queries * (a.heads / a.kv_heads), blocks = (rows + at_once - 1) / at_once;
  const int64_t units = batch * a.kv_heads * blocks;
  const int64_t workers = call.threads < units ? call.threads : units;
  const int64_t bytes =
      (kernels.attention_scratch(&a, rows < at_once ? rows : at_once, longest) + 63) / 64 * 64;
  char* memory;
  TRY(call.run.scratch.take(bytes * workers, &memory));
  int64_t next = 0;
  return parallel(call, workers, [&](int64_t worker) {
    // Late blocks see the most keys: they come first, so that no thread waits for a long one at the end.
    for (int64_t i;
         (i = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED)) < units && !call.run.cancelled();) {
      const int64_t block = blocks - 1 - i / (batch * a.kv_heads), b = i / a.kv_heads % batch,
                    kv = i % a.kv_heads;
      const int64_t first = block * at_once, last = first + at_once < rows ? first + at_once : rows;
      kernels.attend(&a, b, kv, first, last, past[b], length[b], memory + worker * bytes);
    }
  });
}

// Checks attention_bias of [batch or 1, heads or 1, queries, keys or more] and sets it.
inline OrtStatus* set_bias(const Tensor& bias, int64_t batch, int64_t queries, int64_t keys,
                           Attention* a) {
  const bool fits = bias.rank == 4 && is_float(bias) && (bias.shape[0] == 1 || bias.shape[0] == batch) &&
                    (bias.shape[1] == 1 || bias.shape[1] == a->heads) && bias.shape[2] == queries &&
                    bias.shape[3] >= keys;
  if (!fits)
    return fail("attention_bias does not fit %lld queries and %lld keys", (long long)queries,
                (long long)keys);
  a->bias = bias.as<float>();
  a->bias_row = bias.shape[3];
  a->bias_head = bias.shape[1] == 1 ? 0 : queries * bias.shape[3];
  a->bias_batch = bias.shape[0] == 1 ? 0 : bias.shape[1] * queries * bias.shape[3];
  return nullptr;
}
