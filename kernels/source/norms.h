// Norms and gates of one row. Sums go by sixteen lanes, position modulo 16, and then `sum`.
#pragma once
#include "functions.h"

namespace {

INLINE float sum_of_squares(const float* x, float less, int64_t n) {
  F16 total{};
  each(n, [&](int64_t i, auto here) INLINE_LAMBDA {
    F16 v = first_lanes(load_first(x + i, here) - less, here);
    total = fma(v, v, total);
  });
  return sum(total);
}

// Where there is a skip, x + skip into `total` (which may be x or skip).
INLINE const float* add_skip(const float* x, const float* skip, int64_t n, float* total) {
  if (!skip) return x;
  each(n, [&](int64_t i, auto here) INLINE_LAMBDA {
    store_first(total + i, load_first(x + i, here) + load_first(skip + i, here), here);
  });
  return total;
}

void rms_norm(const float* x, const float* skip, const float* weight, float epsilon, int64_t n,
              float* total, float* y) {
  x = add_skip(x, skip, n, total);
  float share = 1.f / __builtin_sqrtf(sum_of_squares(x, 0.f, n) / (float)n + epsilon);
  each(n, [&](int64_t i, auto here) INLINE_LAMBDA {
    store_first(y + i, load_first(x + i, here) * share * load_first(weight + i, here), here);
  });
}

void layer_norm(const float* x, const float* skip, const float* weight, const float* bias, float epsilon,
                int64_t n, float* total, float* y) {
  x = add_skip(x, skip, n, total);
  F16 lanes{};
  each(n, [&](int64_t i, auto here) INLINE_LAMBDA { lanes += load_first(x + i, here); });
  float mean = sum(lanes) / (float)n;
  float share = 1.f / __builtin_sqrtf(sum_of_squares(x, mean, n) / (float)n + epsilon);
  each(n, [&](int64_t i, auto here) INLINE_LAMBDA {
    F16 v = (load_first(x + i, here) - mean) * share * load_first(weight + i, here);
    store_first(y + i, bias ? v + load_first(bias + i, here) : v, here);
  });
}

void swiglu(const float* gate, const float* up, float alpha, int64_t n, float* y) {
  each(n, [&](int64_t i, auto here) INLINE_LAMBDA {
    F16 v = silu_of(load_first(gate + i, here), alpha);
    store_first(y + i, up ? v * load_first(up + i, here) : v, here);
  });
}

void times(const float* x, const float* factors, int64_t n, float* y) {
  each(n, [&](int64_t i, auto here) INLINE_LAMBDA {
    store_first(y + i, load_first(x + i, here) * load_first(factors + i, here), here);
  });
}

float top(const float* x, bool magnitude, int64_t n) {
  F16 most = all(x[0]);
  U16 bits{};
  each(n, [&](int64_t i, auto here) INLINE_LAMBDA {
    F16 v = load_first(x + i, here);
    U16 size = bits_of<U16>(v) & 0x7fffffffu;
    bits = size > bits ? size : bits;
    if constexpr (!__is_same(decltype(here), All))
      for (int j = here; j < kLanes; ++j)
        v[j] = x[0];
    most = larger(v, most);
  });
  float size = bits_of<float>(largest(bits));
  return magnitude || size != size ? size : largest(most);
}

void gelu(const float* x, bool tanh, int64_t n, float* y) {
  each(n, [&](int64_t i, auto here) INLINE_LAMBDA {
    F16 v = load_first(x + i, here);
    store_first(y + i, tanh ? gelu_tanh_of(v) : gelu_of(v), here);
  });
}

}  // namespace
