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

// A quotient of polynomials of degree 5 in x^2, fitted to erf on [-3.8, 3.8] (beyond, erf is 1 to 8e-8):
// off by 1e-8 as numbers, by less than 3e-7 in float32.
INLINE F16 erf_of(F16 x) {
  const float limit = 3.8f;
  F16 z = x < -limit ? all(-limit) : x;  // NaN stays
  z = z > limit ? all(limit) : z;
  F16 u = z * z, p = all(2.1321334e-6f), q = all(3.9097893e-5f);
  p = fma(p, u, all(2.8799987e-4f));
  p = fma(p, u, all(3.6936228e-3f));
  p = fma(p, u, all(5.2547369e-2f));
  p = fma(p, u, all(1.8811637e-1f));
  p = fma(p, u, all(1.1283791f));
  q = fma(q, u, all(1.1537477e-3f));
  q = fma(q, u, all(1.4822946e-2f));
  q = fma(q, u, all(1.1325498e-1f));
  q = fma(q, u, all(5.0004607e-1f));
  q = fma(q, u, all(1.f));
  return z * p / q;
}

INLINE F16 gelu_of(F16 x) { return x * 0.5f * (erf_of(x * 0.70710678f) + 1.f); }

}  // namespace
