// Sixteen lanes at a time, with the same result on every processor.
//
// Vectors are the compiler's own (64 bytes wide; it takes one, two or four registers for them), so that
// all arithmetic below is written once and rounds alike everywhere: `-ffp-contract=off`, and a fused
// multiply-add only where `fma` says so. The one instruction that differs is `dot4`.
//
// Each level is a compilation of its own. Everything stays in an unnamed namespace, and nothing of the
// standard library is used: two levels must not share an inline function.
#pragma once
#include <stddef.h>
#include <stdint.h>
#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#ifdef __clang__  // vectors wider than the processor's own would be passed in other ways from level to
                  // level
#pragma clang diagnostic ignored "-Wpsabi"  // but no call is left that passes one
#endif

#define INLINE static inline __attribute__((always_inline))
#define INLINE_LAMBDA __attribute__((always_inline))
#define UNROLL _Pragma("clang loop unroll(full)")

namespace {

constexpr int kLanes = 16;
constexpr float kLargest = 3.402823466e38f;  // of all numbers but infinity
typedef float F16 __attribute__((vector_size(64)));
typedef float F8 __attribute__((vector_size(32)));
typedef float F4 __attribute__((vector_size(16)));
typedef int32_t I16 __attribute__((vector_size(64)));
typedef uint32_t U16 __attribute__((vector_size(64)));
typedef int8_t B16 __attribute__((vector_size(16)));
typedef uint8_t UB16 __attribute__((vector_size(16)));
typedef uint8_t UB64 __attribute__((vector_size(64)));

template <class To, class From>
INLINE To bits_of(From x) {
  static_assert(sizeof(To) == sizeof(From), "the same size");
  To y;
  __builtin_memcpy(&y, &x, sizeof y);
  return y;
}
template <class V>
INLINE V load(const void* p) {
  V v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
template <class V>
INLINE void store(void* p, V v) {
  __builtin_memcpy(p, &v, sizeof v);
}
INLINE F16 all(float x) { return F16{} + x; }
INLINE I16 all(int32_t x) { return I16{} + x; }
INLINE F16 fma(F16 a, F16 b, F16 c) { return __builtin_elementwise_fma(a, b, c); }
// Comparisons of a NaN are false, so that it never wins; `largest_bits` is for where it must.
INLINE F16 larger(F16 a, F16 b) { return a > b ? a : b; }
INLINE F16 smaller(F16 a, F16 b) { return a < b ? a : b; }
INLINE F16 absolute(F16 x) { return bits_of<F16>(bits_of<U16>(x) & 0x7fffffffu); }
template <class T>
INLINE T min_of(T a, T b) {
  return a < b ? a : b;
}
template <class T>
INLINE T max_of(T a, T b) {
  return a > b ? a : b;
}

// The first `n` (0 to 16) of sixteen numbers, the others 0; memory behind them is not touched.
template <class T, class V>
INLINE V load_first(const T* p, int n) {
  T buffer[kLanes] = {};
  for (int i = 0; i < n; ++i)
    buffer[i] = p[i];
  return load<V>(buffer);
}
INLINE F16 load_first(const float* p, int n) {
  return n >= kLanes ? load<F16>(p) : load_first<float, F16>(p, n);
}
INLINE void store_first(float* p, F16 v, int n) {
  if (n >= kLanes) return store(p, v);
  float buffer[kLanes];
  store(buffer, v);
  for (int i = 0; i < n; ++i)
    p[i] = buffer[i];
}

// f(i, count) for every sixteen of n numbers: `count` is All but for the rest at the end.
struct All {};
INLINE F16 load_first(const float* p, All) { return load<F16>(p); }
INLINE void store_first(float* p, F16 v, All) { store(p, v); }
template <class V>
INLINE V first_lanes(V v, All) {
  return v;
}
template <class F>
INLINE void each(int64_t n, F f) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    f(i, All{});
  if (i < n) f(i, (int)(n - i));
}
INLINE I16 lane_numbers() { return I16{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}; }
// The other lanes are 0.
template <class V>
INLINE V first_lanes(V v, int n) {
  return bits_of<V>(bits_of<I16>(v) & (lane_numbers() < n));
}
INLINE F16 keep(I16 where, F16 v) { return bits_of<F16>(bits_of<I16>(v) & where); }

// Lane 0 with 8, 1 with 9 and so on, then in halves: the one order in which lanes are added.
INLINE float sum(F16 v) {
  F8 a = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
         __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
  F4 b = __builtin_shufflevector(a, a, 0, 1, 2, 3) + __builtin_shufflevector(a, a, 4, 5, 6, 7);
  return (b[0] + b[2]) + (b[1] + b[3]);
}
INLINE float largest(F16 v) {
  F16 a = larger(v, __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  a = larger(a, __builtin_shufflevector(a, a, 4, 5, 6, 7, 0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15));
  a = larger(a, __builtin_shufflevector(a, a, 2, 3, 0, 1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
  return larger(a,
                __builtin_shufflevector(a, a, 1, 0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))[0];
}
INLINE int32_t sum(I16 v) { return __builtin_reduce_add(v); }
INLINE uint32_t largest(U16 v) { return __builtin_reduce_max(v); }

// Sixteen rows of sixteen 32-bit numbers, turned about.
INLINE void transpose(const I16 (&in)[16], I16 (&out)[16]) {
  I16 a[16], b[16];
  UNROLL
  for (int i = 0; i < 8; ++i) {
    a[2 * i] = __builtin_shufflevector(in[2 * i], in[2 * i + 1], 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25,
                                       12, 28, 13, 29);
    a[2 * i + 1] = __builtin_shufflevector(in[2 * i], in[2 * i + 1], 2, 18, 3, 19, 6, 22, 7, 23, 10, 26,
                                           11, 27, 14, 30, 15, 31);
  }
  UNROLL
  for (int i = 0; i < 4; ++i)
    UNROLL
  for (int j = 0; j < 2; ++j) {
    I16 p = a[4 * i + j], q = a[4 * i + 2 + j];
    b[4 * i + 2 * j] =
        __builtin_shufflevector(p, q, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
    b[4 * i + 2 * j + 1] =
        __builtin_shufflevector(p, q, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
  }
  UNROLL
  for (int i = 0; i < 4; ++i) {
    I16 p =
        __builtin_shufflevector(b[i], b[4 + i], 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27);
    I16 q = __builtin_shufflevector(b[i], b[4 + i], 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29,
                                    30, 31);
    I16 r = __builtin_shufflevector(b[8 + i], b[12 + i], 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25,
                                    26, 27);
    I16 s = __builtin_shufflevector(b[8 + i], b[12 + i], 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28,
                                    29, 30, 31);
    out[i] = __builtin_shufflevector(p, r, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
    out[8 + i] =
        __builtin_shufflevector(p, r, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
    out[4 + i] = __builtin_shufflevector(q, s, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
    out[12 + i] =
        __builtin_shufflevector(q, s, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
  }
}

// Round half to even: adding 1.5 * 2^23 leaves the integer in the low bits. For |x| < 2^22; otherwise,
// and for NaN, some number, without undefined behaviour.
constexpr float kMagic = 12582912.0f;
INLINE I16 rounded(F16 x) { return bits_of<I16>(x + kMagic) - bits_of<int32_t>(kMagic); }
INLINE F16 to_float(I16 x) { return __builtin_convertvector(x, F16); }
INLINE B16 to_bytes(I16 x) { return __builtin_convertvector(x, B16); }
INLINE I16 to_ints(B16 x) { return __builtin_convertvector(x, I16); }
INLINE I16 of_unsigned(const uint8_t* p) { return __builtin_convertvector(load<UB16>(p), I16); }

// acc[i] + the sum of four products: byte 4i..4i+3 of the stored weights, times the four bytes of `a`.
// Weights are kept as the processor multiplies them: w + kStoredBias, as one byte. Exact where not both
// sides reach -128; `kWideRows` says that `a` does.
#if defined(__AVX512VNNI__)
constexpr int kStoredBias = 128;
template <bool kWideRows>
INLINE I16 dot4(I16 acc, UB64 w, int32_t a) {
  return bits_of<I16>(
      _mm512_dpbusd_epi32(bits_of<__m512i>(acc), bits_of<__m512i>(w), _mm512_set1_epi32(a)));
}
#elif defined(__AVX2__)
struct Halves {
  __m256i low, high;
};
#if defined(__AVXVNNI__)
constexpr int kStoredBias = 128;
template <bool kWideRows>
INLINE __m256i dot4(__m256i acc, __m256i w, __m256i a) {
  return _mm256_dpbusd_avx_epi32(acc, w, a);
}
#else
// The sign goes to the side that stops at 127, so that it can be turned; the other gives its size, at
// most 128. Two products are then at most 2 * 128 * 127, below 2^15: the saturating addition is exact.
constexpr int kStoredBias = 0;
template <bool kWideRows>
INLINE __m256i dot4(__m256i acc, __m256i w, __m256i a) {
  __m256i pairs = kWideRows ? _mm256_maddubs_epi16(_mm256_abs_epi8(a), _mm256_sign_epi8(w, a))
                            : _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(a, w));
  return _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
#endif
template <bool kWideRows>
INLINE I16 dot4(I16 acc, UB64 w, int32_t a) {
  Halves c = bits_of<Halves>(acc), b = bits_of<Halves>(w);
  __m256i x = _mm256_set1_epi32(a);
  return bits_of<I16>(Halves{dot4<kWideRows>(c.low, b.low, x), dot4<kWideRows>(c.high, b.high, x)});
}
#elif defined(__ARM_FEATURE_DOTPROD)
constexpr int kStoredBias = 0;
struct Quarters {
  int32x4_t q[4];
};
template <bool kWideRows>
INLINE I16 dot4(I16 acc, UB64 w, int32_t a) {
  Quarters c = bits_of<Quarters>(acc), b = bits_of<Quarters>(w);
  int8x16_t x = vreinterpretq_s8_s32(vdupq_n_s32(a));
  UNROLL
  for (int i = 0; i < 4; ++i)
    c.q[i] = vdotq_s32(c.q[i], vreinterpretq_s8_s32(b.q[i]), x);
  return bits_of<I16>(c);
}
#else
constexpr int kStoredBias = 0;
template <bool kWideRows>
INLINE I16 dot4(I16 acc, UB64 w, int32_t a) {
  int8_t x[4];
  __builtin_memcpy(x, &a, 4);
  for (int i = 0; i < kLanes; ++i)
    for (int j = 0; j < 4; ++j)
      acc[i] += (int8_t)w[4 * i + j] * x[j];
  return acc;
}
#endif

#if defined(__AVX2__) && !defined(__AVXVNNI__) && !defined(__AVX512VNNI__)
constexpr bool kAnyWeights = false;
#else
constexpr bool kAnyWeights = true;
#endif

// How many rows and columns (in vectors) of a product stay in registers.
#if defined(__AVX512VNNI__)
constexpr int kTileRows = 8, kTileVectors = 3, kScoreRows = 6, kScoreVectors = 4;
#elif defined(__AVXVNNI__)
constexpr int kTileRows = 6, kTileVectors = 1, kScoreRows = 6, kScoreVectors = 1;
#else
constexpr int kTileRows = 4, kTileVectors = 1, kScoreRows = 4, kScoreVectors = 1;
#endif

INLINE int32_t four_bytes(const int8_t* p) { return load<int32_t>(p); }
INLINE int64_t up_to_multiple(int64_t n, int64_t of) { return (n + of - 1) / of * of; }

}  // namespace
