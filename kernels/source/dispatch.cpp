#include "dispatch.h"

#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#elif defined(_WIN32)
#include <windows.h>
#else
#include <sys/auxv.h>
#endif

namespace {

// A level of processor, and whether this one is of it.
struct Level {
  const Kernels* kernels;
  bool (*runs_here)();
};

}  // namespace

#if defined(__x86_64__)

extern const Kernels kernels_scalar, kernels_avx2, kernels_avxvnni, kernels_avx512vnni;
const char* const kLevelNames = "scalar, avx2, avxvnni, avx512vnni";

namespace {

struct Registers {
  uint32_t a = 0, b = 0, c = 0, d = 0;
};

// All zero where the processor does not know the leaf.
Registers cpuid(uint32_t leaf, uint32_t part = 0) {
  Registers r;
  __get_cpuid_count(leaf, part, &r.a, &r.b, &r.c, &r.d);
  return r;
}

// Whether all the bits numbered in `places` are set.
template <class... Places>
bool bits(uint32_t word, Places... places) {
  return (((word >> places) & 1) && ...);
}

// The registers that the operating system saves for a thread: a processor may have more.
uint32_t saved_registers() {
  if (!bits(cpuid(1).c, 27)) return 0;  // xgetbv is not to be used
  uint32_t low, high;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

bool always() { return true; }

// x86-64-v3, all of it, since the compiler may use any part.
bool has_avx2() {
  Registers first = cpuid(1), seventh = cpuid(7), extended = cpuid(0x80000001u);
  return bits(saved_registers(), 1, 2) && bits(first.c, 12, 22, 28, 29) &&  // FMA, MOVBE, AVX, F16C
         bits(seventh.b, 3, 5, 8) && bits(extended.c, 5);                   // BMI1, AVX2, BMI2, LZCNT
}

bool has_avxvnni() { return has_avx2() && bits(cpuid(7, 1).a, 4); }

// x86-64-v4 and VNNI.
bool has_avx512vnni() {
  Registers seventh = cpuid(7);
  return has_avx2() && bits(saved_registers(), 5, 6, 7) && bits(seventh.b, 16, 17, 28, 30, 31) &&
         bits(seventh.c, 11);  // F, DQ, CD, BW, VL; VNNI
}

const Level kLevels[] = {
    {&kernels_scalar, always},
    {&kernels_avx2, has_avx2},
    {&kernels_avxvnni, has_avxvnni},
    {&kernels_avx512vnni, has_avx512vnni},
};

}  // namespace

#elif defined(__aarch64__)

extern const Kernels kernels_scalar, kernels_dotprod, kernels_i8mm;
const char* const kLevelNames = "scalar, dotprod, i8mm";

namespace {

bool always() { return true; }

#if defined(__APPLE__)

bool has_dotprod() { return true; }  // every one with 64 bits and macOS
bool has_i8mm() {
  int has = 0;
  size_t size = sizeof has;
  return sysctlbyname("hw.optional.arm.FEAT_I8MM", &has, &size, nullptr, 0) == 0 && has;
}

#elif defined(_WIN32)

// PF_ARM_V82_DP_INSTRUCTIONS_AVAILABLE and PF_ARM_V82_I8MM_INSTRUCTIONS_AVAILABLE; older headers lack
// them.
bool has_dotprod() { return IsProcessorFeaturePresent(43); }
bool has_i8mm() { return has_dotprod() && IsProcessorFeaturePresent(66); }

#else

bool has_dotprod() { return getauxval(AT_HWCAP) >> 20 & 1; }
bool has_i8mm() { return has_dotprod() && (getauxval(AT_HWCAP2) >> 13 & 1); }

#endif

const Level kLevels[] = {
    {&kernels_scalar, always},
    {&kernels_dotprod, has_dotprod},
    {&kernels_i8mm, has_i8mm},
};

}  // namespace

#else
#error "no kernels for this processor"
#endif

const Kernels* kernels_for(const char* highest) {
  const Kernels* best = nullptr;
  for (const Level& level : kLevels) {
    if (level.runs_here()) best = level.kernels;
    if (strcmp(level.kernels->level, highest) == 0) return best;
  }
  return strcmp(highest, "best") == 0 ? best : nullptr;
}

const char* satchel_level() {
  const Kernels* best = kernels_for("best");
  return best && best != kLevels[0].kernels ? best->level : "";
}

// For tests: the kernels of one level; nullptr where this processor lacks it or no level has that name.
extern "C" EXPORTED const Kernels* satchel_kernels(const char* level) {
  for (const Level& one : kLevels) {
    if (strcmp(one.kernels->level, level) == 0) return one.runs_here() ? one.kernels : nullptr;
  }
  return nullptr;
}
