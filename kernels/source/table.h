// What a level of processor offers to the nodes: one table of functions, and the structs they take.
#pragma once
#include <stdint.h>

// Weights of a linear layer, packed in panels of some columns for one level. `y = x W^T`, W is [n, k].
// A block is a run of `block` inputs with one scale a column; per channel there is one block.
struct Weights {
  int64_t n = 0, k = 0;
  int64_t padded = 0;  // k, up to a whole block
  int64_t block = 0, blocks = 0;
  int bits = 8;                   // 8 or 4
  int64_t panel = 0, panels = 0;  // columns of a panel, and how many there are
  uint8_t* data = nullptr;   // [panels][blocks][block / 4][panel][4]; 4 bits: [block / 8], two in a byte
  float* scales = nullptr;   // [panels][blocks][panel]
  uint8_t* zeros = nullptr;  // [panels][blocks][panel], by blocks only: what stands for 0; none: 8 or 128
  int32_t* offsets = nullptr;   // [panels * panel], per channel only: added to every sum
  const float* bias = nullptr;  // [n] or none
};

// Rounded rows: x = scale * q, with a scale for each block, or one that is in Weights.scales already.
struct Rows {
  int8_t* values = nullptr;  // [rows][padded]
  float* scales = nullptr;   // [rows][blocks], none where the scale is the same for all
  int32_t* sums = nullptr;   // [rows][blocks]: of the values
  int64_t padded = 0, block = 0, blocks = 0;
};

constexpr int kTile = 64;  // keys that attention takes at once, from a multiple of it on

// Attention of one call. Strides count elements. Query row r of a group is position r / group, head
// kv * group + r % group: the queries that share keys stand together.
struct Attention {
  int64_t heads = 0, kv_heads = 0, head = 0;  // head: size of one, at most 256
  float scale = 1, softcap = 0;               // softcap 0: none
  int64_t window = 0;                         // keys seen, with one's own; 0: all
  bool causal = true, int8 = false;           // int8: the type of keys and values
  const float* query = nullptr;
  int64_t query_batch = 0, query_row = 0;  // a head's numbers stand together, heads follow one another
  const void *keys = nullptr, *values = nullptr;
  int64_t keys_batch = 0, keys_head = 0, keys_row = 0;
  const int64_t* base = nullptr;  // of each batch row, the position of its first key in memory; none: 0
  const float *key_scales = nullptr, *value_scales = nullptr;  // [kv_heads][head], int8 only
  const float* bias = nullptr;                                 // added to scores
  int64_t bias_batch = 0, bias_head = 0, bias_row = 0;
  const float* sinks = nullptr;  // [heads]: a score of no key
  float* out = nullptr;
  int64_t out_batch = 0, out_row = 0;
};

struct Kernels {
  const char* level;
  int64_t panel;     // columns of a panel
  bool any_weights;  // whether products by channels are exact with weights of -128 too
  // Source is [n][k] bytes, or for 4 bits [n][padded / 2], low half first; scales [n][blocks]. `zeros`,
  // for Weights.zeros: [n][blocks] bytes, or for 4 bits two in each, every n from a whole byte on.
  void (*pack)(Weights* to, const uint8_t* source, const float* scales, const uint8_t* zeros);
  // Source is [k][n] signed bytes; `offset` times the sum of a column is added to every product.
  void (*pack_channels)(Weights* to, const int8_t* source, const float* scales, int64_t scale_count,
                        float scale, int offset);
  void (*round_blocks)(const float* x, int64_t k, Rows* to, int64_t row);
  void (*round_row)(const float* x, int64_t k, float scale, int zero, Rows* to, int64_t row);
  void (*multiply)(const Weights* w, const Rows* x, int64_t rows, float* y, int64_t first_panel,
                   int64_t last_panel);
  // Query rows [first, last) of one kv head of batch row b; `past` keys stand before the first query.
  // `length`: keys of this batch row. Scratch of `attention_scratch` bytes.
  void (*attend)(const Attention* a, int64_t b, int64_t kv, int64_t first, int64_t last, int64_t past,
                 int64_t length, void* scratch);
  int64_t (*attention_scratch)(const Attention* a, int64_t rows, int64_t length);
  // x [head] turned by position: cos, sin [rotary / 2]; interleaved pairs or halves.
  void (*rotate)(const float* x, const float* cos, const float* sin, int64_t head, int64_t rotary,
                 bool interleaved, float* y);
  void (*round_cache)(const float* x, const float* scales, int64_t n, int8_t* y);
  void (*rms_norm)(const float* x, const float* skip, const float* weight, float epsilon, int64_t n,
                   float* sum, float* y);
  void (*layer_norm)(const float* x, const float* skip, const float* weight, const float* bias,
                     float epsilon, int64_t n, float* sum, float* y);
  // up may be nullptr.
  void (*swiglu)(const float* gate, const float* up, float alpha, int64_t n, float* y);
  void (*gelu)(const float* x, bool tanh, int64_t n, float* y);
  void (*times)(const float* x, const float* factors, int64_t n, float* y);
  // The largest number, or the largest magnitude; NaN where one is.
  float (*top)(const float* x, bool magnitude, int64_t n);
};
