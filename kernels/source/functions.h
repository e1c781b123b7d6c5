// exp, tanh, erf and what layers make of them, on sixteen lanes. Own ones, since those of a C library
// differ from platform to platform.
#pragma once
#include "simd.h"

namespace {

// exp(x - f ln 2) for whole f near x / ln 2: range reduction by ln 2 in two parts and a polynomial of
// degree 6 (minimax, as in Cephes' expf).
INLINE F16 exp_of_rest(F16 x, F16 f) {
  F16 r = fma(f, all(-0.693359375f), x);
  r = fma(f, all(2.12194440e-4f), r);
  F16 p = all(1.9875691500e-4f);
  p = fma(p, r, all(1.3981999507e-3f));
  p = fma(p, r, all(8.3334519073e-3f));
  p = fma(p, r, all(4.1665795894e-2f));
  p = fma(p, r, all(1.6666665459e-1f));
  p = fma(p, r, all(5.0000001201e-1f));
  return fma(p, r * r, r + 1.f);
}

// Relative error below 2e-7; 0 below -87.3, infinity above 88.7, NaN stays NaN.
INLINE F16 exp_of(F16 x) {
  F16 within = smaller(all(88.8f), larger(x, all(-87.3f)));
  F16 shifted = fma(within, all(1.44269504f), all(kMagic));
  I16 n = bits_of<I16>(shifted) - bits_of<int32_t>(kMagic);
  F16 p = exp_of_rest(within, shifted - kMagic);
  // Two factors, since 2^128 is no float.
  I16 half = n >> 1;
  F16 y = p * bits_of<F16>((half + 127) << 23) * bits_of<F16>((n - half + 127) << 23);
  y = keep(~(x < -87.3f), y);
  return x == x ? y : x;
}

// The same for x <= 0, with less work.
INLINE F16 exp_of_negative(F16 x) {
  F16 within = x < -87.3f ? all(-87.3f) : x;
  F16 shifted = fma(within, all(1.44269504f), all(kMagic));
  I16 n = bits_of<I16>(shifted) - bits_of<int32_t>(kMagic);
  return keep(~(x < -87.3f), exp_of_rest(within, shifted - kMagic) * bits_of<F16>((n + 127) << 23));
}

INLINE F16 tanh_of(F16 x) { return 1.f - 2.f / (exp_of(x + x) + 1.f); }

// x times the logistic function of alpha x.
INLINE F16 silu_of(F16 x, float alpha) { return x / (exp_of(x * -alpha) + 1.f); }

INLINE F16 gelu_tanh_of(F16 x) {
  F16 inner = fma(x * x * x, all(0.044715f), x) * 0.7978845608f;
  return x * 0.5f * (tanh_of(inner) + 1.f);
}

// Abramowitz and Stegun 7.1.26 is too coarse; this is 7.1.28's form with exp, error below 1.2e-7
// (Numerical Recipes' erfcc, Chebyshev).
INLINE F16 erf_of(F16 x) {
  F16 z = absolute(x), t = 1.f / fma(z, all(0.5f), all(1.f));
  F16 p = all(0.17087277f);
  p = fma(p, t, all(-0.82215223f));
  p = fma(p, t, all(1.48851587f));
  p = fma(p, t, all(-1.13520398f));
  p = fma(p, t, all(0.27886807f));
  p = fma(p, t, all(-0.18628806f));
  p = fma(p, t, all(0.09678418f));
  p = fma(p, t, all(0.37409196f));
  p = fma(p, t, all(1.00002368f));
  F16 rest = t * exp_of(fma(-z, z, fma(p, t, all(-1.26551223f))));
  F16 y = 1.f - rest;
  return x < 0.f ? -y : y;
}

INLINE F16 gelu_of(F16 x) { return x * 0.5f * (erf_of(x * 0.70710678f) + 1.f); }

}  // namespace
