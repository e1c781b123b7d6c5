// Products of rounded rows and packed weights. Sums of integers are exact, in any order. A block's sum
// becomes a float once, and blocks are added by one fused multiply-add each, first to last: so a number
// depends on its row and column alone, not on the level, the other rows, or who computes which panel.
#pragma once
#include "simd.h"
#include "table.h"

namespace {

constexpr int kPanel = kTileVectors * kLanes;
constexpr int kZero4 = 8, kZero8 = 128;  // the middle of weights from 0 on

// ---- packing: panels of columns, four inputs of a column side by side

void pack_scales(Weights* to, const float* scales, const uint8_t* zeros) {
  const int64_t zero_bytes = (to->blocks * to->bits + 7) / 8;
  for (int64_t p = 0; p < to->panels; ++p)
    for (int64_t b = 0; b < to->blocks; ++b)
      for (int64_t j = 0; j < kPanel; ++j) {
        const int64_t n = p * kPanel + j, at = (p * to->blocks + b) * kPanel + j;
        to->scales[at] = n < to->n ? scales[n * to->blocks + b] : 0.f;
        if (!to->zeros) continue;
        const uint8_t* row = zeros + min_of(n, to->n - 1) * zero_bytes;
        to->zeros[at] = to->bits == 8 ? row[b] : row[b / 2] >> b % 2 * 4 & 15;
      }
}

// Sixteen columns and sixty-four inputs at once.
INLINE void pack8_square(const uint8_t* source, int64_t stride, uint8_t turn, uint8_t* out) {
  I16 in[16], turned[16];
  UNROLL
  for (int i = 0; i < 16; ++i)
    in[i] = bits_of<I16>(load<UB64>(source + i * stride) + turn);
  transpose(in, turned);
  UNROLL
  for (int i = 0; i < 16; ++i)
    store(out + i * kPanel * 4, turned[i]);
}

void pack8(Weights* to, const uint8_t* source) {
  uint8_t* out = to->data;
  const uint8_t turn = (uint8_t)(kStoredBias - kZero8), nothing = (uint8_t)kStoredBias;
  for (int64_t first = 0; first < to->n; first += kPanel) {
    int64_t k = 0;
    if (first + kPanel <= to->n)
      for (; k + 64 <= to->k; k += 64, out += 64 * kPanel)
        for (int64_t n = 0; n < kPanel; n += kLanes)
          pack8_square(source + (first + n) * to->k + k, to->k, turn, out + n * 4);
    for (; k < to->padded; k += 4)
      for (int64_t n = first; n < first + kPanel; ++n, out += 4)
        for (int i = 0; i < 4; ++i)
          out[i] = n < to->n && k + i < to->k ? (uint8_t)(source[n * to->k + k + i] + turn) : nothing;
  }
}

// Eight inputs in four bytes: the low halves are inputs 0 to 3, the high halves 4 to 7.
void pack4(Weights* to, const uint8_t* source) {
  const int64_t stride = to->padded / 2;  // the source's rows are whole blocks too
  uint8_t* out = to->data;
  for (int64_t first = 0; first < to->n; first += kPanel)
    for (int64_t k = 0; k < to->padded; k += 8)
      for (int64_t n = first; n < first + kPanel; ++n, out += 4) {
        if (n >= to->n) {
          store<int32_t>(out, 0);
          continue;
        }
        const uint8_t* in = source + n * stride + k / 2;
        for (int i = 0; i < 4; ++i) {
          int low = i % 2 ? in[i / 2] >> 4 : in[i / 2] & 15;
          int high = i % 2 ? in[2 + i / 2] >> 4 : in[2 + i / 2] & 15;
          out[i] = (uint8_t)(low | high << 4);
        }
      }
}

void pack(Weights* to, const uint8_t* source, const float* scales, const uint8_t* zeros) {
  if (to->bits == 8)
    pack8(to, source);
  else
    pack4(to, source);
  pack_scales(to, scales, zeros);
}

// Four inputs of `count` columns from the first on, and their sums.
INLINE UB64 four_inputs(const int8_t* source, int64_t n, int64_t inputs, int count, I16* sums) {
  U16 unit{};
  UNROLL
  for (int i = 0; i < 4; ++i) {
    if (i >= inputs) break;
    B16 w = count == kLanes ? load<B16>(source + i * n) : load_first<int8_t, B16>(source + i * n, count);
    *sums += to_ints(w);
    unit |= (bits_of<U16>(to_ints(w)) & 255u) << (8 * i);
  }
  return bits_of<UB64>(unit) + (uint8_t)kStoredBias;
}

void pack_channels(Weights* to, const int8_t* source, const float* scales, int64_t scale_count,
                   float scale, int offset) {
  for (int64_t first = 0; first < to->panels * kPanel; first += kLanes) {
    const int count = (int)max_of<int64_t>(0, min_of<int64_t>(kLanes, to->n - first));
    uint8_t* out = to->data + first / kPanel * kPanel * to->padded + first % kPanel * 4;
    I16 sums{};
    for (int64_t k = 0; k < to->padded; k += 4, out += kPanel * 4)
      store(out, count ? four_inputs(source + k * to->n + first, to->n, to->k - k, count, &sums)
                       : UB64{} + (uint8_t)kStoredBias);
    for (int i = 0; i < kLanes; ++i) {
      to->offsets[first + i] = offset * sums[i];
      to->scales[first + i] = i < count ? scale * scales[scale_count == 1 ? 0 : first + i] : 0.f;
    }
  }
}

// ---- rounding of rows

// Of each block: 127 steps to its largest number. The largest is taken over the bits, where infinity and
// NaN are larger than all numbers: the scale is then not finite, and neither is the product.
void round_blocks(const float* x, int64_t k, Rows* to, int64_t row) {
  int8_t* q = to->values + row * to->padded;
  for (int64_t b = 0; b < to->blocks; ++b) {
    const float* from = x + b * to->block;
    const int64_t count = min_of(to->block, k - b * to->block);
    U16 top{};
    each(count, [&](int64_t i, auto here) INLINE_LAMBDA {
      U16 bits = bits_of<U16>(load_first(from + i, here)) & 0x7fffffffu;
      top = bits > top ? bits : top;
    });
    const float most = bits_of<float>(largest(top));
    to->scales[row * to->blocks + b] = most > 1e-30f ? most / 127.f : most * 0.f;
    if (!(most > 1e-30f && most <= kLargest)) {
      __builtin_memset(q + b * to->block, 0, to->block);
      to->sums[row * to->blocks + b] = 0;
      continue;
    }
    const F16 steps = all(127.f / most);
    I16 total{};
    each(count, [&](int64_t i, auto here) INLINE_LAMBDA {
      I16 r = rounded(load_first(from + i, here) * steps);
      total += r;
      store(q + b * to->block + i, to_bytes(r));
    });
    for (int64_t i = up_to_multiple(count, kLanes); i < to->block; ++i)
      q[b * to->block + i] = 0;
    to->sums[row * to->blocks + b] = sum(total);
  }
}

// As QuantizeLinear to unsigned bytes does, less 128.
void round_row(const float* x, int64_t k, float scale, int zero, Rows* to, int64_t row) {
  int8_t* q = to->values + row * to->padded;
  const F16 least = all((float)-zero), most = all((float)(255 - zero));
  I16 total{};
  each(k, [&](int64_t i, auto here) INLINE_LAMBDA {
    I16 r = first_lanes(
        rounded(smaller(larger(load_first(x + i, here) / scale, least), most)) + (zero - 128), here);
    total += r;
    store(q + i, to_bytes(r));
  });
  to->sums[row] = sum(total);
}

// ---- the tile: R rows times V vectors of columns

template <int R, int V, int kBits, bool kWideRows>
INLINE void add_products(I16 (&acc)[R][V], const int8_t* const (&a)[R], const uint8_t* w, int64_t count) {
  constexpr int step = kBits == 8 ? 4 : 8;
  for (int64_t k = 0; k < count; k += step, w += V * 64) {
    UB64 b[V];
    UNROLL
    for (int v = 0; v < V; ++v)
      b[v] = load<UB64>(w + v * 64);
    if constexpr (R == 1) UNROLL
    for (int v = 0; v < V; ++v)
      __builtin_prefetch(w + v * 64 + 2048);
    if constexpr (kBits == 8) {
      UNROLL
      for (int r = 0; r < R; ++r) {
        int32_t x = four_bytes(a[r] + k);
        UNROLL
        for (int v = 0; v < V; ++v)
          acc[r][v] = dot4<kWideRows>(acc[r][v], b[v], x);
      }
    } else {
      UB64 low[V], high[V];
      UNROLL
      for (int v = 0; v < V; ++v) {
        low[v] = b[v] & 15;
        high[v] = bits_of<UB64>(bits_of<U16>(b[v]) >> 4) & 15;
      }
      UNROLL
      for (int r = 0; r < R; ++r) {
        int32_t x = four_bytes(a[r] + k), z = four_bytes(a[r] + k + 4);
        UNROLL
        for (int v = 0; v < V; ++v)
          acc[r][v] = dot4<kWideRows>(dot4<kWideRows>(acc[r][v], low[v], x), high[v], z);
      }
    }
  }
}

template <int R, int V>
INLINE void store_tile(const Weights* w, int64_t column, const F16 (&f)[R][V], float* y) {
  UNROLL
  for (int v = 0; v < V; ++v) {
    int64_t n = column + v * kLanes;
    int count = (int)min_of<int64_t>(kLanes, w->n - n);
    if (count <= 0) break;
    F16 bias = w->bias ? load_first(w->bias + n, count) : F16{};
    UNROLL
    for (int r = 0; r < R; ++r)
      store_first(y + r * w->n + n, w->bias ? f[r][v] + bias : f[r][v], count);
  }
}

template <int R, int kBits, bool kZeros>
INLINE void tile_of_blocks(const Weights* w, const Rows* x, int64_t row, int64_t panel, float* y) {
  constexpr int V = kTileVectors;
  constexpr int kTurned = kBits == 8 ? kStoredBias - kZero8 : 0;  // weights are stored so much higher
  constexpr int kMiddle = kTurned + (kBits == 8 ? kZero8 : kZero4);
  const int8_t* a[R];
  UNROLL
  for (int r = 0; r < R; ++r)
    a[r] = x->values + (row + r) * x->padded;
  const int64_t bytes = w->block * kPanel * kBits / 8;
  const uint8_t* data = w->data + panel * w->blocks * bytes;
  const float* scales = w->scales + panel * w->blocks * kPanel;
  F16 f[R][V] = {};
  for (int64_t b = 0; b < w->blocks; ++b, data += bytes, scales += kPanel) {
    I16 acc[R][V], zeros[V];
    UNROLL
    for (int v = 0; v < V; ++v)
      zeros[v] = kZeros ? of_unsigned(w->zeros + (panel * w->blocks + b) * kPanel + v * kLanes) + kTurned
                        : all(kMiddle);
    UNROLL
    for (int r = 0; r < R; ++r)
      UNROLL
    for (int v = 0; v < V; ++v)
      acc[r][v] = -x->sums[(row + r) * x->blocks + b] * zeros[v];
    add_products<R, V, kBits, false>(acc, a, data, w->block);
    UNROLL
    for (int r = 0; r < R; ++r) {
      a[r] += w->block;
      F16 s = all(x->scales[(row + r) * x->blocks + b]);
      UNROLL
      for (int v = 0; v < V; ++v)
        f[r][v] = fma(to_float(acc[r][v]) * s, load<F16>(scales + v * kLanes), f[r][v]);
    }
  }
  store_tile<R, V>(w, panel * kPanel, f, y + row * w->n);
}

template <int R>
INLINE void tile_of_channels(const Weights* w, const Rows* x, int64_t row, int64_t panel, float* y) {
  constexpr int V = kTileVectors;
  const int8_t* a[R];
  I16 acc[R][V];
  const int32_t* offsets = w->offsets + panel * kPanel;
  UNROLL
  for (int r = 0; r < R; ++r) {
    a[r] = x->values + (row + r) * x->padded;
    UNROLL
    for (int v = 0; v < V; ++v)
      acc[r][v] = load<I16>(offsets + v * kLanes) - kStoredBias * x->sums[row + r];
  }
  add_products<R, V, 8, true>(acc, a, w->data + panel * w->padded * kPanel, w->padded);
  const float* scales = w->scales + panel * kPanel;
  F16 f[R][V];
  UNROLL
  for (int r = 0; r < R; ++r) {
    const float of_row = x->scales ? x->scales[row + r] : 1.f;
    UNROLL
    for (int v = 0; v < V; ++v)
      f[r][v] = to_float(acc[r][v]) * (load<F16>(scales + v * kLanes) * of_row);
  }
  store_tile<R, V>(w, panel * kPanel, f, y + row * w->n);
}

template <int R>
INLINE void tile(const Weights* w, const Rows* x, int64_t row, int64_t panel, float* y) {
  if (w->offsets)
    tile_of_channels<R>(w, x, row, panel, y);
  else if (w->bits == 8)
    w->zeros ? tile_of_blocks<R, 8, true>(w, x, row, panel, y)
             : tile_of_blocks<R, 8, false>(w, x, row, panel, y);
  else
    w->zeros ? tile_of_blocks<R, 4, true>(w, x, row, panel, y)
             : tile_of_blocks<R, 4, false>(w, x, row, panel, y);
}

// Rows stay in the first cache while the panels pass, which come from the second.
template <int R>
void tiles(const Weights* w, const Rows* x, int64_t row, int64_t rows, float* y, int64_t first_panel,
           int64_t last_panel) {
  for (; row + R <= rows; row += R)
    for (int64_t p = first_panel; p < last_panel; ++p)
      tile<R>(w, x, row, p, y);
  if constexpr (R > 1) tiles<R / 2>(w, x, row, rows, y, first_panel, last_panel);
}

void multiply(const Weights* w, const Rows* x, int64_t rows, float* y, int64_t first_panel,
              int64_t last_panel) {
  tiles<kTileRows>(w, x, 0, rows, y, first_panel, last_panel);
}

}  // namespace
