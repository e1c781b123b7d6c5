// The kernels for one level of processor: compiled once a level, with its own flags and SATCHEL_LEVEL.
#include "table.h"

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define TEXT_(a) #a
#define TEXT(a) TEXT_(a)

static void negate(const float* x, float* y, long long count) {
  for (long long i = 0; i < count; ++i) y[i] = -x[i];
}

extern const Kernels JOIN(kernels_, SATCHEL_LEVEL);
const Kernels JOIN(kernels_, SATCHEL_LEVEL) = {TEXT(SATCHEL_LEVEL), negate};
