// The kernels for one level of processor: compiled once a level, with its own flags and SATCHEL_LEVEL.
#include "attention.h"
#include "norms.h"
#include "product.h"

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define TEXT_(a) #a
#define TEXT(a) TEXT_(a)

extern const Kernels JOIN(kernels_, SATCHEL_LEVEL);
const Kernels JOIN(kernels_, SATCHEL_LEVEL) = {
    TEXT(SATCHEL_LEVEL),
    kPanel,
    kAnyWeights,
    pack,
    pack_channels,
    round_blocks,
    round_row,
    multiply,
    attend,
    attention_scratch,
    rotate,
    round_cache,
    rms_norm,
    layer_norm,
    swiglu,
    gelu,
    times,
    top,
};
