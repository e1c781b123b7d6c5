// Which kernels this processor can run.
#pragma once
#include "platform.h"
#include "table.h"

// The best kernels of this processor, up to the level named `highest` ("best": no limit); nullptr where
// no level of this kind of processor has that name.
const Kernels* kernels_for(const char* highest);

// The level of this processor, "" where it has none but the scalar one, which is for tests.
extern "C" EXPORTED const char* satchel_level();

// The names that `kernels_for` knows here, lowest first.
extern const char* const kLevelNames;
