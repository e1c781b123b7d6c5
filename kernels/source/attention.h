// Attention over a float32 or an int8 cache. All scores of some query rows first, then their softmax,
// then the sum of values: so the largest score is exact, and nothing is rescaled.
//
// What is added in floats is added in the order of positions, from 0, and keys that a row does not see
// add exact zeros: a row's result does not depend on the rows beside it, on how a text came (in pieces,
// token by token, in a batch), on the width of vectors or on the threads.
// - Scores over float32: one multiply-add a number of the head, first to last.
// - The sum of a softmax: sixteen lanes, position modulo 16; the lanes at the end by `sum`.
// - Values over float32: one multiply-add a position.
// - Over int8, queries and weights of the softmax are rounded to 14 bits in two bytes (128 high + low, so
//   that the low one stays within -64 and 63): a query by its largest number, weights by the largest of
//   their tile of 64 positions, so that many small ones are not lost beside a large one. Sums within a
//   head or a tile are of integers, and one multiply-add a tile joins them.
#pragma once
#include "functions.h"
#include "table.h"

namespace {

constexpr int kKeys = kTile;  // keys of a tile
constexpr int kKeyVectors = kKeys / kLanes;
constexpr int kHeadLimit = 256;
constexpr float kSteps = 16319.f;  // 128 * 127 + 63

INLINE void split(I16 x, I16* high, I16* low) {
  *high = (x + 64) >> 7;
  *low = x - (*high << 7);
}

// `count` keys from `keys`, each `head` numbers (int8: four in one unit), to [units][64]: the keys' lanes
// stand together. Absent keys and numbers are 0.
template <class T>
void pack_keys(const T* keys, int64_t stride, int64_t count, int64_t head, int32_t* tile, int64_t units) {
  constexpr int per_unit = 4 / sizeof(T);
  for (int64_t t = 0; t < kKeys; t += kLanes)
    for (int64_t u = 0; u < units; u += kLanes) {
      I16 rows[16], columns[16];
      int64_t whole = head - u * per_unit;  // numbers of the head from here on
      UNROLL
      for (int i = 0; i < kLanes; ++i) {
        const T* row = keys + (t + i) * stride + u * per_unit;
        if (t + i >= count)
          rows[i] = I16{};
        else if (whole >= kLanes * per_unit)
          rows[i] = load<I16>(row);
        else {
          T buffer[kLanes * per_unit] = {};
          __builtin_memcpy(buffer, row, whole * sizeof(T));
          rows[i] = load<I16>(buffer);
        }
      }
      transpose(rows, columns);
      I16 bias = all(sizeof(T) == 1 && kStoredBias ? (int32_t)0x80808080u : 0);
      for (int i = 0; i < kLanes && u + i < units; ++i)
        store(tile + (u + i) * kKeys + t, columns[i] ^ bias);
    }
}

// Four rows of sixty-four bytes, to sixty-four columns of four.
INLINE void interleave(const int8_t* values, int64_t stride, uint8_t* out) {
  UB64 a = load<UB64>(values), b = load<UB64>(values + stride), c = load<UB64>(values + 2 * stride),
       d = load<UB64>(values + 3 * stride);
#define PAIRS(x, y, from) \
  __builtin_shufflevector(x, y, LANE(from), LANE(from + 16), LANE(from + 32), LANE(from + 48))
#define LANE(i)                                                                                        \
  i, i + 64, i + 1, i + 65, i + 2, i + 66, i + 3, i + 67, i + 4, i + 68, i + 5, i + 69, i + 6, i + 70, \
      i + 7, i + 71
  I16 ab = bits_of<I16>(PAIRS(a, b, 0)), ab_high = bits_of<I16>(PAIRS(a, b, 8));
  I16 cd = bits_of<I16>(PAIRS(c, d, 0)), cd_high = bits_of<I16>(PAIRS(c, d, 8));
#undef LANE
#undef PAIRS
  // Each 128-bit lane now has pairs of its own sixteen columns; then fours of them; then the lanes change
  // places.
  typedef int16_t S32 __attribute__((vector_size(64)));
#define FOURS(x, y, from)                                                                            \
  bits_of<I16>(__builtin_shufflevector(bits_of<S32>(x), bits_of<S32>(y), LANE(from), LANE(from + 8), \
                                       LANE(from + 16), LANE(from + 24)))
#define LANE(i) i, i + 32, i + 1, i + 33, i + 2, i + 34, i + 3, i + 35
  I16 p = FOURS(ab, cd, 0), q = FOURS(ab, cd, 4), r = FOURS(ab_high, cd_high, 0),
      s = FOURS(ab_high, cd_high, 4);
#undef LANE
#undef FOURS
  const uint32_t bias = kStoredBias ? 0x80808080u : 0u;
  I16 pq = __builtin_shufflevector(p, q, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  I16 pq_high =
      __builtin_shufflevector(p, q, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
  I16 rs = __builtin_shufflevector(r, s, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  I16 rs_high =
      __builtin_shufflevector(r, s, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
  store(out, bits_of<U16>(__builtin_shufflevector(pq, rs, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21,
                                                  22, 23)) ^
                 bias);
  store(out + 64, bits_of<U16>(__builtin_shufflevector(pq, rs, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26,
                                                       27, 28, 29, 30, 31)) ^
                      bias);
  store(out + 128, bits_of<U16>(__builtin_shufflevector(pq_high, rs_high, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17,
                                                        18, 19, 20, 21, 22, 23)) ^
                       bias);
  store(out + 192, bits_of<U16>(__builtin_shufflevector(pq_high, rs_high, 8, 9, 10, 11, 12, 13, 14, 15,
                                                        24, 25, 26, 27, 28, 29, 30, 31)) ^
                       bias);
}

// `count` int8 values to [16][width][4]: four positions of a number side by side.
void pack_values(const int8_t* values, int64_t stride, int64_t count, int64_t head, uint8_t* tile,
                 int64_t width) {
  for (int64_t t = 0; t < kKeys; t += 4) {
    int64_t d = 0;
    if (t + 4 <= count)
      for (; d + 64 <= head; d += 64)
        interleave(values + t * stride + d, stride, tile + t * width + d * 4);
    for (; d < width; d += kLanes) {
      U16 unit{};
      int here = (int)min_of<int64_t>(kLanes, head - d);
      UNROLL
      for (int i = 0; i < 4; ++i) {
        if (t + i >= count) continue;
        const uint8_t* p = (const uint8_t*)values + (t + i) * stride + d;
        UB16 bytes = here == kLanes ? load<UB16>(p) : load_first<uint8_t, UB16>(p, here);
        unit |= __builtin_convertvector(bytes, U16) << (8 * i);
      }
      store(tile + t * width + d * 4, unit ^ (kStoredBias ? 0x80808080u : 0u));
    }
  }
}

struct Scratch {
  int64_t width, keys;  // head and keys, up to whole vectors and tiles
  float* scores;        // [rows][keys]
  int8_t *high, *low;   // [rows][keys], weights of the softmax (int8)
  float* query;         // [rows][width] floats, or as bytes: [rows][width] high, then low
  float* sums;          // [rows][width]
  int32_t* tile;        // [width][64] units
  float* step;          // [rows]: of rounded queries
  int32_t* query_sum;   // [rows][2]: of high and low bytes
  float* weight_step;   // [rows][keys / 64]: of rounded weights (int8)
  int32_t* weight_sum;  // [rows][keys / 64][2]: of high and low bytes (int8)
  float* share;         // [rows]: 1 / the sum of the softmax
  int64_t *from, *to;   // [rows]: keys seen
};

template <class T>
INLINE T* take(uintptr_t* at, int64_t count) {
  T* p = (T*)*at;
  *at += (uintptr_t)up_to_multiple(count * (int64_t)sizeof(T), 64);
  return p;
}

// Returns the bytes it takes. Addresses are numbers here, since for the size alone there is no memory.
int64_t lay_out(Scratch* s, void* memory, const Attention* a, int64_t rows, int64_t length) {
  uintptr_t at = (uintptr_t)memory;
  s->width = up_to_multiple(a->head, kLanes);
  s->keys = up_to_multiple(length, kKeys);
  s->scores = take<float>(&at, rows * s->keys);
  s->high = take<int8_t>(&at, a->int8 ? rows * s->keys : 0);
  s->low = take<int8_t>(&at, a->int8 ? rows * s->keys : 0);
  s->query = take<float>(&at, rows * s->width);
  s->sums = take<float>(&at, rows * s->width);
  s->tile = take<int32_t>(&at, kKeys * s->width);
  s->step = take<float>(&at, rows);
  s->query_sum = take<int32_t>(&at, rows * 2);
  s->weight_step = take<float>(&at, a->int8 ? rows * (s->keys / kKeys) : 0);
  s->weight_sum = take<int32_t>(&at, a->int8 ? rows * (s->keys / kKeys) * 2 : 0);
  s->share = take<float>(&at, rows);
  s->from = take<int64_t>(&at, rows);
  s->to = take<int64_t>(&at, rows);
  return (int64_t)(at - (uintptr_t)memory);
}

int64_t attention_scratch(const Attention* a, int64_t rows, int64_t length) {
  Scratch s;
  return lay_out(&s, nullptr, a, rows, length);
}

// 127 high steps and 63 low ones to the largest; NaN and infinity make the step NaN.
INLINE float round_query(const float* x, const float* scales, int64_t head, int64_t width, int8_t* high,
                         int8_t* low, int32_t* sums) {
  F16 scaled[kHeadLimit / kLanes];
  U16 top{};
  for (int64_t d = 0; d < width; d += kLanes) {
    int here = (int)min_of<int64_t>(kLanes, head - d);
    F16 v = load_first(x + d, here) * load_first(scales + d, here);
    scaled[d / kLanes] = v;
    U16 bits = bits_of<U16>(v) & 0x7fffffffu;
    top = bits > top ? bits : top;
  }
  float most = bits_of<float>(largest(top));
  if (!(most > 1e-30f && most <= kLargest)) {
    __builtin_memset(high, 0, width);
    __builtin_memset(low, 0, width);
    sums[0] = sums[1] = 0;
    return most * 0.f;
  }
  F16 steps = all(kSteps / most);
  I16 high_sum{}, low_sum{};
  for (int64_t d = 0; d < width; d += kLanes) {
    I16 h, l;
    split(rounded(scaled[d / kLanes] * steps), &h, &l);
    high_sum += h;
    low_sum += l;
    store(high + d, to_bytes(h));
    store(low + d, to_bytes(l));
  }
  sums[0] = sum(high_sum);
  sums[1] = sum(low_sum);
  return most / kSteps;
}

// ---- scores

template <int R, int V>
INLINE void scores_float(const float* q, int64_t width, const float* tile, int64_t head, float* out,
                         int64_t stride) {
  F16 acc[R][V] = {};
  for (int64_t d = 0; d < head; ++d) {
    F16 k[V];
    UNROLL
    for (int v = 0; v < V; ++v)
      k[v] = load<F16>(tile + d * kKeys + v * kLanes);
    UNROLL
    for (int r = 0; r < R; ++r) {
      F16 x = all(q[r * width + d]);
      UNROLL
      for (int v = 0; v < V; ++v)
        acc[r][v] = fma(x, k[v], acc[r][v]);
    }
  }
  UNROLL
  for (int r = 0; r < R; ++r)
    UNROLL
  for (int v = 0; v < V; ++v)
    store(out + r * stride + v * kLanes, acc[r][v]);
}

template <int R, int V>
INLINE void add_bytes(I16 (&acc)[R][V], const int8_t* rows, int64_t stride, const uint8_t* tile,
                      int64_t count, int64_t tile_stride) {
  for (int64_t k = 0; k < count; k += 4, tile += tile_stride) {
    UB64 b[V];
    UNROLL
    for (int v = 0; v < V; ++v)
      b[v] = load<UB64>(tile + v * 64);
    UNROLL
    for (int r = 0; r < R; ++r) {
      int32_t x = four_bytes(rows + r * stride + k);
      UNROLL
      for (int v = 0; v < V; ++v)
        acc[r][v] = dot4<false>(acc[r][v], b[v], x);
    }
  }
}

template <int R, int V>
INLINE void scores_int8(const int8_t* high, const int8_t* low, int64_t width, const uint8_t* tile,
                        int64_t head, const float* step, const int32_t* sums, float* out,
                        int64_t stride) {
  I16 acc[R][V];
  const int64_t bytes = up_to_multiple(head, 4);
  UNROLL
  for (int r = 0; r < R; ++r)
    UNROLL
  for (int v = 0; v < V; ++v)
    acc[r][v] = all(-kStoredBias * sums[2 * r]);
  add_bytes<R, V>(acc, high, width, tile, bytes, kKeys * 4);
  UNROLL
  for (int r = 0; r < R; ++r)
    UNROLL
  for (int v = 0; v < V; ++v)
    acc[r][v] = (acc[r][v] << 7) - kStoredBias * sums[2 * r + 1];
  add_bytes<R, V>(acc, low, width, tile, bytes, kKeys * 4);
  UNROLL
  for (int r = 0; r < R; ++r)
    UNROLL
  for (int v = 0; v < V; ++v)
    store(out + r * stride + v * kLanes, to_float(acc[r][v]) * step[r]);
}

// Of rows [first, first + R) against the tile of keys from t on. `tile` is packed.
template <int R>
INLINE void score_rows(const Attention* a, const Scratch* s, int64_t first, int64_t t) {
  float* out = s->scores + first * s->keys + t;
  UNROLL
  for (int v = 0; v < kKeyVectors; v += kScoreVectors) {
    if (a->int8) {
      const int8_t* high = (const int8_t*)s->query + first * 2 * s->width;
      scores_int8<R, kScoreVectors>(high, high + s->width, 2 * s->width, (const uint8_t*)s->tile + v * 64,
                                    a->head, s->step + first, s->query_sum + 2 * first, out + v * kLanes,
                                    s->keys);
    } else {
      scores_float<R, kScoreVectors>(s->query + first * s->width, s->width,
                                     (const float*)s->tile + v * kLanes, a->head, out + v * kLanes,
                                     s->keys);
    }
  }
}

// ---- softmax of one row, over the keys it sees; elsewhere 0

INLINE I16 seen(int64_t t, int64_t from, int64_t to) {
  I16 at = lane_numbers() + (int32_t)t;
  return (at >= (int32_t)from) & (at < (int32_t)to);
}

INLINE void finish_scores(const Attention* a, float* row, const float* bias, int64_t from, int64_t to) {
  for (int64_t t = from / kLanes * kLanes; t < to; t += kLanes) {
    F16 x = load<F16>(row + t);
    if (a->softcap > 0) x = tanh_of(x / a->softcap) * a->softcap;
    if (bias) x = x + load_first(bias + t, (int)min_of<int64_t>(kLanes, to - t));
    store(row + t, x);
  }
}

// Rounds the weights of the tile from t on; their sum, as rounded. NaN where one is: rounding hides it.
template <class F>
INLINE float round_weights(const Scratch* s, int64_t r, int64_t t, F weights) {
  F16 e[kKeyVectors], most{};
  I16 odd{};
  UNROLL
  for (int v = 0; v < kKeyVectors; ++v) {
    e[v] = weights(t + v * kLanes);
    odd |= e[v] != e[v];
    most = larger(e[v], most);
  }
  const float top = largest(most);
  // Below 1e-30 of the row's largest, nothing is left, and one division by the step stays finite.
  const float steps = top > 1e-30f ? kSteps / top : 0.f;
  int8_t *high = s->high + r * s->keys + t, *low = s->low + r * s->keys + t;
  I16 high_sum{}, low_sum{};
  UNROLL
  for (int v = 0; v < kKeyVectors; ++v) {
    I16 h, l;
    split(rounded(keep(e[v] == e[v], e[v]) * steps), &h, &l);
    high_sum += h;
    low_sum += l;
    store(high + v * kLanes, to_bytes(h));
    store(low + v * kLanes, to_bytes(l));
  }
  const int64_t tile = (r * s->keys + t) / kKeys;
  const float step = top / kSteps;
  const int32_t highs = sum(high_sum), lows = sum(low_sum);
  s->weight_step[tile] = step;
  s->weight_sum[2 * tile] = highs;
  s->weight_sum[2 * tile + 1] = lows;
  return sum(odd) ? __builtin_nanf("") : (float)(highs * 128 + lows) * step;
}

// Writes weights from tile `start` to tile `end`, which the rows of a block share.
void softmax(const Attention* a, const Scratch* s, int64_t r, int64_t start, int64_t end,
             const float* bias, float sink, bool has_sink) {
  const int64_t from = s->from[r], to = s->to[r];
  float* row = s->scores + r * s->keys;
  if (a->softcap > 0 || bias) finish_scores(a, row, bias, from, to);
  F16 most = all(-kLargest);
  for (int64_t t = from / kLanes * kLanes; t < to; t += kLanes) {
    F16 x = load<F16>(row + t);
    most = larger(seen(t, from, to) ? x : most, most);
  }
  float top = largest(most);
  if (has_sink && sink > top) top = sink;
  float sink_weight = has_sink ? exp_of(all(sink - top))[0] : 0.f;
  // Where all sixteen keys are seen, no lane has to be cleared.
  auto weights = [&](int64_t t) INLINE_LAMBDA {
    F16 e = exp_of_negative(load<F16>(row + t) - top);
    return t >= from && t + kLanes <= to ? e : keep(seen(t, from, to), e);
  };
  if (a->int8) {
    float total = sink_weight;
    for (int64_t t = start; t < end; t += kKeys)
      total += round_weights(s, r, t, weights);
    s->share[r] = 1.f / total;
    return;
  }
  F16 total{};
  for (int64_t t = start; t < end; t += kLanes) {
    F16 e = weights(t);
    total += e;
    store(row + t, e);
  }
  s->share[r] = 1.f / (sum(total) + sink_weight);
}

// ---- values

template <int R, int V>
INLINE void values_float(const float* weights, int64_t stride, const float* values, int64_t row,
                         int64_t count, float* sums, int64_t width) {
  F16 acc[R][V];
  UNROLL
  for (int r = 0; r < R; ++r)
    UNROLL
  for (int v = 0; v < V; ++v)
    acc[r][v] = load<F16>(sums + r * width + v * kLanes);
  for (int64_t t = 0; t < count; ++t) {
    F16 x[V];
    UNROLL
    for (int v = 0; v < V; ++v)
      x[v] = load<F16>(values + t * row + v * kLanes);
    UNROLL
    for (int r = 0; r < R; ++r) {
      F16 p = all(weights[r * stride + t]);
      UNROLL
      for (int v = 0; v < V; ++v)
        acc[r][v] = fma(p, x[v], acc[r][v]);
    }
  }
  UNROLL
  for (int r = 0; r < R; ++r)
    UNROLL
  for (int v = 0; v < V; ++v)
    store(sums + r * width + v * kLanes, acc[r][v]);
}

// One tile: the integers of its positions, then into the row's floats by the step of its weights.
template <int R, int V>
INLINE void values_int8(const Scratch* s, int64_t first, int64_t t, int64_t count, int64_t d) {
  const int64_t row = s->keys, tiles = s->keys / kKeys, at = first * row + t,
                bytes = up_to_multiple(count, 4);
  const uint8_t* tile = (const uint8_t*)s->tile + d * 4;
  const int32_t* weight_sum = s->weight_sum + 2 * (at / kKeys);
  I16 acc[R][V];
  UNROLL
  for (int r = 0; r < R; ++r)
    UNROLL
  for (int v = 0; v < V; ++v)
    acc[r][v] = all(-kStoredBias * weight_sum[2 * r * tiles]);
  add_bytes<R, V>(acc, s->high + at, row, tile, bytes, s->width * 4);
  UNROLL
  for (int r = 0; r < R; ++r)
    UNROLL
  for (int v = 0; v < V; ++v)
    acc[r][v] = (acc[r][v] << 7) - kStoredBias * weight_sum[2 * r * tiles + 1];
  add_bytes<R, V>(acc, s->low + at, row, tile, bytes, s->width * 4);
  UNROLL
  for (int r = 0; r < R; ++r) {
    const F16 step = all(s->weight_step[at / kKeys + r * tiles]);
    float* sums = s->sums + (first + r) * s->width + d;
    UNROLL
    for (int v = 0; v < V; ++v)
      store(sums + v * kLanes, fma(to_float(acc[r][v]), step, load<F16>(sums + v * kLanes)));
  }
}

template <int R, int V>
INLINE void weigh_columns(const Attention* a, const Scratch* s, int64_t first, int64_t t, int64_t count,
                          const float* values, int64_t row, int64_t d) {
  if (a->int8)
    values_int8<R, V>(s, first, t, count, d);
  else
    values_float<R, V>(s->scores + first * s->keys + t, s->keys, values + d, row, count,
                       s->sums + first * s->width + d, s->width);
}

template <int R>
INLINE void weigh_rows(const Attention* a, const Scratch* s, int64_t first, int64_t t, int64_t count,
                       const float* values, int64_t row) {
  int64_t d = 0;
  for (; d + kScoreVectors * kLanes <= s->width; d += kScoreVectors * kLanes)
    weigh_columns<R, kScoreVectors>(a, s, first, t, count, values, row, d);
  if constexpr (kScoreVectors > 2)
    for (; d + 2 * kLanes <= s->width; d += 2 * kLanes)
      weigh_columns<R, 2>(a, s, first, t, count, values, row, d);
  for (; d < s->width; d += kLanes)
    weigh_columns<R, 1>(a, s, first, t, count, values, row, d);
}

void copy_values(const float* values, int64_t stride, int64_t count, int64_t head, float* tile,
                 int64_t width) {
  for (int64_t i = 0; i < count; ++i)
    for (int64_t d = 0; d < width; d += kLanes)
      store(tile + i * width + d,
            load_first(values + i * stride + d, (int)min_of<int64_t>(kLanes, head - d)));
}

void finish_row(const Attention* a, const Scratch* s, int64_t r, const float* scales, float* out) {
  for (int64_t d = 0; d < s->width; d += kLanes) {
    int here = (int)min_of<int64_t>(kLanes, a->head - d);
    F16 y = load<F16>(s->sums + r * s->width + d) * s->share[r];
    store_first(out + d, a->int8 ? y * load_first(scales + d, here) : y, here);
  }
}

// ---- all of it, for query rows of one head of keys

template <int R>
struct Count {
  static constexpr int value = R;
};

// f(Count<R>, r) for every block of R rows that sees a key of the tile from t on.
template <class F>
INLINE void for_blocks(const Scratch* s, int64_t count, int64_t t, F f) {
  for (int64_t r = 0; r < count; r += kScoreRows) {
    const int rows = (int)min_of<int64_t>(kScoreRows, count - r);
    if (t >= s->to[r + rows - 1] || t + kKeys <= s->from[r]) continue;
    switch (rows) {
      case 1:
        f(Count<1>{}, r);
        break;
      case 2:
        f(Count<2>{}, r);
        break;
      case 3:
        f(Count<3>{}, r);
        break;
      case 4:
        f(Count<4>{}, r);
        break;
      case 5:
        if constexpr (kScoreRows >= 5) f(Count<5>{}, r);
        break;
      case 6:
        if constexpr (kScoreRows >= 6) f(Count<6>{}, r);
        break;
    }
  }
}

template <class T>
void attend_typed(const Attention* a, int64_t b, int64_t kv, int64_t first, int64_t last, int64_t past,
                  int64_t length, void* memory) {
  Scratch scratch, *s = &scratch;
  const int64_t group = a->heads / a->kv_heads, count = last - first;
  lay_out(s, memory, a, count, length);
  // Where position 0 stands, or would stand: of what is no longer kept nothing is read.
  const int64_t zero = b * a->keys_batch + kv * a->keys_head - (a->base ? a->base[b] * a->keys_row : 0);
  const T *keys = (const T*)a->keys + zero, *values = (const T*)a->values + zero;
  for (int64_t r = 0; r < count; ++r) {
    const int64_t position = (first + r) / group, head = kv * group + (first + r) % group;
    const float* q = a->query + b * a->query_batch + position * a->query_row + head * a->head;
    s->to[r] = a->causal ? min_of(past + position + 1, length) : length;
    s->from[r] = a->window > 0 ? max_of<int64_t>(0, past + position + 1 - a->window) : 0;
    if (a->int8) {
      int8_t* high = (int8_t*)s->query + r * 2 * s->width;
      s->step[r] = a->scale * round_query(q, a->key_scales + kv * a->head, a->head, s->width, high,
                                          high + s->width, s->query_sum + 2 * r);
    } else {
      for (int64_t d = 0; d < s->width; d += kLanes)
        store(s->query + r * s->width + d,
              load_first(q + d, (int)min_of<int64_t>(kLanes, a->head - d)) * a->scale);
    }
  }
  // Rows follow positions: the first sees the earliest key, the last the latest.
  const int64_t start = s->from[0] / kKeys * kKeys, end = up_to_multiple(s->to[count - 1], kKeys);
  const int64_t units = up_to_multiple(a->head * (int64_t)sizeof(T), 4) / 4;
  for (int64_t t = start; t < end; t += kKeys) {
    pack_keys<T>(keys + t * a->keys_row, a->keys_row, min_of<int64_t>(kKeys, length - t), a->head,
                 s->tile, units);
    for_blocks(s, count, t, [&](auto rows, int64_t r) INLINE_LAMBDA {
      score_rows<decltype(rows)::value>(a, s, r, t);
    });
  }
  for (int64_t r = 0; r < count; ++r) {
    const int64_t position = (first + r) / group, head = kv * group + (first + r) % group;
    const int64_t block = r / kScoreRows * kScoreRows,
                  block_last = min_of<int64_t>(block + kScoreRows, count) - 1;
    const float* bias =
        a->bias ? a->bias + b * a->bias_batch + head * a->bias_head + position * a->bias_row : nullptr;
    softmax(a, s, r, s->from[block] / kKeys * kKeys, up_to_multiple(s->to[block_last], kKeys), bias,
            a->sinks ? a->sinks[head] : 0.f, a->sinks != nullptr);
  }
  __builtin_memset(s->sums, 0, count * s->width * sizeof(float));
  const bool as_it_lies = !a->int8 && a->head == s->width;
  for (int64_t t = start; t < end; t += kKeys) {
    const int64_t here = min_of<int64_t>(kKeys, length - t);
    const T* tile = values + t * a->keys_row;
    if (a->int8)
      pack_values((const int8_t*)tile, a->keys_row, here, a->head, (uint8_t*)s->tile, s->width);
    else if (!as_it_lies)
      copy_values((const float*)tile, a->keys_row, here, a->head, (float*)s->tile, s->width);
    for_blocks(s, count, t, [&](auto rows, int64_t r) INLINE_LAMBDA {
      constexpr int R = decltype(rows)::value;
      const int64_t seen_here = min_of(s->to[r + R - 1] - t, here);
      weigh_rows<R>(a, s, r, t, seen_here, as_it_lies ? (const float*)tile : (const float*)s->tile,
                    as_it_lies ? a->keys_row : s->width);
    });
  }
  for (int64_t r = 0; r < count; ++r) {
    const int64_t position = (first + r) / group, head = kv * group + (first + r) % group;
    finish_row(a, s, r, a->int8 ? a->value_scales + kv * a->head : nullptr,
               a->out + b * a->out_batch + position * a->out_row + head * a->head);
  }
}

void attend(const Attention* a, int64_t b, int64_t kv, int64_t first, int64_t last, int64_t past,
            int64_t length, void* memory) {
  if (a->int8)
    attend_typed<int8_t>(a, b, kv, first, last, past, length, memory);
  else
    attend_typed<float>(a, b, kv, first, last, past, length, memory);
}

// ---- what comes before: positions turned into angles, and rounding into the cache

INLINE void rotate_lanes(F16 x, F16 y, F16 c, F16 s, F16* u, F16* v) {
  *u = fma(x, c, -(y * s));
  *v = fma(y, c, x * s);
}

void rotate(const float* x, const float* cos, const float* sin, int64_t head, int64_t rotary,
            bool interleaved, float* y) {
  const int64_t half = rotary / 2;
  for (int64_t i = 0; i < half; i += kLanes) {
    int here = (int)min_of<int64_t>(kLanes, half - i);
    F16 c = load_first(cos + i, here), s = load_first(sin + i, here), p, q, u, v;
    if (!interleaved) {
      rotate_lanes(load_first(x + i, here), load_first(x + half + i, here), c, s, &u, &v);
      store_first(y + i, u, here);
      store_first(y + half + i, v, here);
      continue;
    }
    float even[kLanes] = {}, odd[kLanes] = {};
    for (int j = 0; j < here; ++j) {
      even[j] = x[2 * (i + j)];
      odd[j] = x[2 * (i + j) + 1];
    }
    p = load<F16>(even);
    q = load<F16>(odd);
    rotate_lanes(p, q, c, s, &u, &v);
    for (int j = 0; j < here; ++j) {
      y[2 * (i + j)] = u[j];
      y[2 * (i + j) + 1] = v[j];
    }
  }
  for (int64_t d = rotary; d < head; ++d)
    y[d] = x[d];
}

void round_cache(const float* x, const float* scales, int64_t n, int8_t* y) {
  for (int64_t d = 0; d < n; d += kLanes) {
    int here = (int)min_of<int64_t>(kLanes, n - d);
    F16 one = all(1.f), s = load_first(scales + d, here);
    F16 v = load_first(x + d, here) / (here == kLanes ? s : (lane_numbers() < here ? s : one));
    B16 bytes = to_bytes(rounded(smaller(larger(v, all(-128.f)), all(127.f))));
    if (here == kLanes)
      store(y + d, bytes);
    else
      for (int i = 0; i < here; ++i)
        y[d + i] = bytes[i];
  }
}

}  // namespace
