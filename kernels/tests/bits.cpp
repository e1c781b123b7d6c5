// Runs the kernels of a target's levels on numbers that are the same everywhere, and prints what comes
// out as hashes: a line for each level asked for and each kind of work. Linked with the levels' objects;
// LEVELS names them, as X(scalar) X(avx2).
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"

#define X(name) extern const Kernels kernels_##name;
LEVELS
#undef X

static uint64_t state;

static uint32_t next_number() {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (uint32_t)(state >> 32);
}

// From -size to size; exact in every step.
static float next_float(float size) {
  return ((int32_t)(next_number() >> 8) - (1 << 23)) * (1.f / (1 << 23)) * size;
}

// Memory of just the size, from a cache line on.
template <class T>
struct Room {
  explicit Room(int64_t its_count) : count(its_count) {
    data = (T*)aligned_alloc(64, (size_t)((count * (int64_t)sizeof(T) + 127) / 64 * 64));
    memset((void*)data, 0xff, (size_t)count * sizeof(T));
  }
  ~Room() { free(data); }
  Room(const Room&) = delete;
  Room& fill(float size) {
    for (int64_t i = 0; i < count; ++i)
      data[i] = next_float(size);
    return *this;
  }
  Room& fill_positive(float size) {
    for (int64_t i = 0; i < count; ++i)
      data[i] = (next_float(size) + size) / 2 + size / 64;
    return *this;
  }
  Room& fill_bytes(int least = -128) {
    for (int64_t i = 0; i < count; ++i) {
      const int byte = (int8_t)next_number();
      data[i] = (T)(byte < least ? least : byte);
    }
    return *this;
  }
  int64_t count;
  T* data;
};

struct Hash {
  void add(const void* data, int64_t bytes) {
    for (int64_t i = 0; i < bytes; ++i)
      value = (value ^ ((const uint8_t*)data)[i]) * 0x100000001b3u;
  }
  // Which NaN it is differs from processor to processor.
  void add(const Room<float>& room) {
    for (int64_t i = 0; i < room.count; ++i) {
      const float x = room.data[i] == room.data[i] ? room.data[i] : 1e-30f;
      add(&x, sizeof x);
    }
  }
  void add(const Room<int8_t>& room) { add(room.data, room.count); }
  uint64_t value = 0xcbf29ce484222325u;
};

static int64_t up(int64_t n, int64_t of) { return (n + of - 1) / of * of; }

// What is odd about some rows: nothing, a number that is none, tiny ones, large ones.
static void spoil(Room<float>& x, int64_t k) {
  for (int64_t row = 0; row * k < x.count; ++row) {
    float* of_row = x.data + row * k;
    if (row % 7 == 3) memset(of_row, 0, (size_t)k * sizeof(float));
    if (row % 7 == 4) of_row[k / 2] = __builtin_nanf("");
    if (row % 7 == 5) of_row[k - 1] = -__builtin_inff();
    if (row % 7 == 6)
      for (int64_t i = 0; i < k; ++i)
        of_row[i] *= i % 2 ? 1e-39f : 1e6f;
  }
}

static void product_by_blocks(const Kernels& kernels, Hash* hash, int64_t rows, int64_t n, int64_t k,
                              int64_t block, int bits, bool with_zeros) {
  const int64_t padded = up(k, block), blocks = padded / block;
  const int64_t panels = up(n, kernels.panel) / kernels.panel, columns = panels * kernels.panel;
  Room<uint8_t> source(n * (bits == 8 ? k : padded / 2)), data(columns * padded * bits / 8);
  Room<uint8_t> source_zeros(n * ((blocks * bits + 7) / 8)), zeros(columns * blocks);
  Room<float> source_scales(n * blocks), scales(columns * blocks), bias(n), x(rows * k), y(rows * n);
  Room<int8_t> values(rows * padded);
  Room<float> row_scales(rows * blocks);
  Room<int32_t> sums(rows * blocks);
  source.fill_bytes(), source_zeros.fill_bytes(), source_scales.fill_positive(0.02f), bias.fill(1),
      x.fill(3);
  spoil(x, k);
  Weights w;
  w.n = n, w.k = k, w.padded = padded, w.block = block, w.blocks = blocks, w.bits = bits;
  w.panel = kernels.panel, w.panels = panels, w.data = data.data, w.scales = scales.data,
  w.bias = bias.data;
  if (with_zeros) w.zeros = zeros.data;
  kernels.pack(&w, source.data, source_scales.data, source_zeros.data);
  Rows to{values.data, row_scales.data, sums.data, padded, block, blocks};
  for (int64_t row = 0; row < rows; ++row)
    kernels.round_blocks(x.data + row * k, k, &to, row);
  kernels.multiply(&w, &to, rows, y.data, 0, panels);
  hash->add(values), hash->add(row_scales), hash->add(y);
}

static void product_by_channels(const Kernels& kernels, Hash* hash, int64_t rows, int64_t n, int64_t k,
                                int zero, bool of_rows) {
  const int64_t padded = up(k, 16);
  const int64_t panels = up(n, kernels.panel) / kernels.panel, columns = panels * kernels.panel;
  Room<int8_t> source(k * n), values(rows * padded);
  Room<uint8_t> data(columns * padded);
  Room<float> source_scales(n), scales(columns), bias(n), x(rows * k), y(rows * n), row_scales(rows);
  Room<int32_t> sums(rows), offsets(columns);
  source.fill_bytes(-127), source_scales.fill_positive(0.02f), bias.fill(1), x.fill(3);
  spoil(x, k);
  Weights w;
  w.n = n, w.k = k, w.padded = w.block = padded, w.blocks = 1;
  w.panel = kernels.panel, w.panels = panels, w.data = data.data, w.scales = scales.data,
  w.bias = bias.data;
  w.offsets = offsets.data;
  kernels.pack_channels(&w, source.data, source_scales.data, n, of_rows ? 1.f : 0.02f, 128 - zero);
  Rows to{values.data, of_rows ? row_scales.data : nullptr, sums.data, padded, padded, 1};
  for (int64_t row = 0; row < rows; ++row) {
    float scale = 0.02f;
    if (of_rows) {
      scale = kernels.top(x.data + row * k, row % 2, k) * (1 / 127.f);
      scale = row_scales.data[row] = scale < 1e-3f ? 1e-3f : scale;
    }
    kernels.round_row(x.data + row * k, k, scale, zero, &to, row);
  }
  kernels.multiply(&w, &to, rows, y.data, 0, panels);
  hash->add(values), hash->add(y);
}

struct Shape {
  int64_t heads, kv_heads, head, positions, past, window;
  float softcap;
  bool causal, bias, sinks;
};

static void attention(const Kernels& kernels, Hash* hash, const Shape& s, bool int8) {
  const int64_t length = s.past + s.positions, group = s.heads / s.kv_heads, rows = s.positions * group;
  const int64_t numbers = s.kv_heads * length * s.head;
  Room<float> query(s.positions * s.heads * s.head), out(query.count), key_scales(s.kv_heads * s.head);
  Room<float> value_scales(key_scales.count), bias(s.heads * s.positions * length), sinks(s.heads);
  Room<float> keys(int8 ? 1 : numbers), values(int8 ? 1 : numbers);
  Room<int8_t> small_keys(int8 ? numbers : 1), small_values(int8 ? numbers : 1);
  query.fill(4), key_scales.fill_positive(0.03f), value_scales.fill_positive(0.03f), bias.fill(2);
  sinks.fill(3), keys.fill(2), values.fill(2), small_keys.fill_bytes(), small_values.fill_bytes();
  spoil(query, s.heads * s.head);
  Attention a;
  a.heads = s.heads, a.kv_heads = s.kv_heads, a.head = s.head, a.scale = 0.125f, a.softcap = s.softcap;
  a.window = s.window, a.causal = s.causal, a.int8 = int8;
  a.query = query.data, a.query_row = s.heads * s.head;
  a.keys = int8 ? (void*)small_keys.data : keys.data,
  a.values = int8 ? (void*)small_values.data : values.data;
  a.keys_head = length * s.head, a.keys_row = s.head;
  a.key_scales = key_scales.data, a.value_scales = value_scales.data;
  if (s.bias) a.bias = bias.data, a.bias_head = s.positions * length, a.bias_row = length;
  if (s.sinks) a.sinks = sinks.data;
  a.out = out.data, a.out_row = a.query_row;
  for (int64_t kv = 0; kv < s.kv_heads; ++kv)
    for (int64_t first = 0; first < rows; first += 24) {
      const int64_t last = first + 24 < rows ? first + 24 : rows;
      Room<char> scratch(kernels.attention_scratch(&a, last - first, length));
      kernels.attend(&a, 0, kv, first, last, s.past, length, scratch.data);
    }
  hash->add(out);
}

static void rows_alone(const Kernels& kernels, Hash* hash, int64_t n) {
  Room<float> x(n), skip(n), weight(n), bias(n), sum(n), y(n), scales(n);
  Room<int8_t> bytes(n);
  x.fill(6), skip.fill(2), weight.fill(2), bias.fill(1), scales.fill_positive(0.05f);
  x.data[n / 2] = 0;
  auto keep = [&] { hash->add(y), y.fill(1); };
  kernels.rms_norm(x.data, skip.data, weight.data, 1e-6f, n, sum.data, y.data), hash->add(sum), keep();
  kernels.layer_norm(x.data, skip.data, weight.data, bias.data, 1e-6f, n, sum.data, y.data), keep();
  kernels.layer_norm(x.data, nullptr, weight.data, nullptr, 1e-6f, n, nullptr, y.data), keep();
  kernels.swiglu(x.data, skip.data, 1.f, n, y.data), keep();
  kernels.swiglu(x.data, nullptr, 1.702f, n, y.data), keep();
  kernels.gelu(x.data, false, n, y.data), keep();
  kernels.gelu(x.data, true, n, y.data), keep();
  kernels.times(x.data, skip.data, n, y.data), keep();
  for (int i = 0; i < 4; ++i) {
    const int64_t rotary = n / 2 / (i < 2 ? 1 : 2) * 2;
    kernels.rotate(x.data, weight.data, bias.data, n, rotary, i % 2, y.data), keep();
  }
  kernels.round_cache(x.data, scales.data, n, bytes.data), hash->add(bytes);
  const float tops[] = {kernels.top(x.data, false, n), kernels.top(x.data, true, n)};
  hash->add(tops, sizeof tops);
}

static void print(const Kernels& kernels, const char* what, const Hash& hash) {
  printf("%s %s %016llx\n", kernels.level, what, (unsigned long long)hash.value);
}

constexpr int kBits[] = {8, 4}, kZeros[] = {0, 24, 128, 255};
constexpr int64_t kBlocks[] = {16, 32, 64, 256}, kRows[] = {1, 2, 3, 5, 8, 23};
constexpr int64_t kLengths[] = {1, 2, 15, 16, 17, 64, 100, 333};

static void run(const Kernels& kernels) {
  state = 0x9e3779b97f4a7c15u;
  for (int bits : kBits) {
    Hash hash;
    for (int64_t block : kBlocks)
      for (int64_t rows : kRows)
        product_by_blocks(kernels, &hash, rows, 20 + 37 * (rows % 4), 3 * block - (rows % 3) * 7, block,
                          bits, rows % 2);
    print(kernels, bits == 8 ? "blocks of 8 bits" : "blocks of 4 bits", hash);
  }
  Hash channels;
  for (int64_t rows : kRows)
    for (int zero : kZeros)
      for (int of_rows = 0; of_rows < 2; ++of_rows)
        product_by_channels(kernels, &channels, rows, 20 + 17 * rows, 77 + zero, zero, of_rows);
  print(kernels, "channels", channels);
  const Shape shapes[] = {
      {3, 3, 64, 1, 0, 0, 0, true, false, false},    {6, 2, 64, 70, 33, 0, 0, true, false, true},
      {4, 1, 80, 5, 300, 100, 0, true, true, false}, {4, 4, 24, 130, 20, 70, 3, true, false, false},
      {4, 2, 20, 9, 70, 0, 5, true, true, true},     {2, 2, 256, 40, 25, 0, 0, false, true, false},
      {8, 1, 128, 3, 500, 0, 30, true, false, true}, {2, 1, 1, 17, 63, 9, 0, true, false, false},
  };
  for (int int8 = 0; int8 < 2; ++int8) {
    Hash hash;
    for (const Shape& shape : shapes)
      attention(kernels, &hash, shape, int8);
    print(kernels, int8 ? "attention over int8" : "attention over float32", hash);
  }
  Hash rows;
  for (int64_t n : kLengths)
    rows_alone(kernels, &rows, n);
  print(kernels, "rows", rows);
}

int main(int count, char** names) {
  for (int i = 1; i < count; ++i) {
    int found = 0;
#define X(name) \
  if (strcmp(names[i], #name) == 0) run(kernels_##name), found = 1;
    LEVELS
#undef X
    if (!found) return 2;
  }
  return 0;
}
